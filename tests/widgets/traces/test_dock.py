import numpy as np
import pytest

from napari_mesmerize.data.epochs import make_epochs
from napari_mesmerize.widgets.layers.recordings import KEY
from napari_mesmerize.widgets.traces.dock import HEATMAP, SELECTED, STACKED, TracesDock


@pytest.fixture
def dock(viewer, qtbot):
    made = TracesDock(viewer)
    made.resize(700, 250)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def shown(session, dock, roi_set, recording):
    session.show_recording(recording)
    session.show_rois(roi_set)
    dock.redraw()
    return roi_set


def test_it_says_what_to_do(session, dock, recording, roi_set):
    dock.redraw()
    assert "Open Sample" in dock._hint.text()
    session.show_recording(recording)
    dock.redraw()
    assert "No ROIs yet" in dock._hint.text()
    session.show_rois(roi_set)
    dock.redraw()
    assert "Click an ROI" in dock._hint.text()


def test_the_selected_roi_is_drawn_over_time(dock, shown):
    shown.select(1)
    dock.redraw()
    x, y = dock.plot.curve.getOriginalDataset()
    np.testing.assert_allclose(x, np.arange(40) / 10)
    assert dock.kind.currentData() == "dff"
    np.testing.assert_allclose(y, shown.traces("dff")[1])
    assert "ROI 2" in dock.title.text()
    dock.kind.setCurrentIndex(dock.kind.findData("raw"))
    dock.redraw()
    np.testing.assert_allclose(
        dock.plot.curve.getOriginalDataset()[1], shown.traces("raw")[1]
    )


def test_cursor_and_slider_are_tied_both_ways(viewer, dock, shown):
    viewer.dims.set_current_step(0, 12)
    assert dock.plot.cursor.value() == pytest.approx(1.2)
    dock.plot.cursor.setValue(3.04)
    dock.plot.cursor.sigDragged.emit(dock.plot.cursor)
    assert viewer.dims.current_step[0] == 30
    dock.unit.setCurrentText("frames")
    assert dock.plot.cursor.value() == 30


def test_time_stamps_are_used_where_they_exist(session, dock, components, recording):
    from napari_mesmerize.workspace.roi_set import RoiSet

    times = np.cumsum(np.linspace(0.05, 0.2, 40))
    stamped = recording.assign_coords(time_s=("frame", times))
    session.show_recording(stamped)
    session.show_rois(RoiSet(components, recording=stamped))
    dock.plot.set_frame(7)
    assert dock.plot.cursor.value() == pytest.approx(times[7])
    assert dock.plot.frame_at(times[7] + 0.001) == 7


def test_without_a_frame_rate_time_is_frames(session, dock, components, recording):
    from dataclasses import replace

    from napari_mesmerize.workspace.roi_set import RoiSet

    recording.attrs["frame_rate"] = None
    session.show_recording(recording)
    session.show_rois(RoiSet(replace(components, frame_rate=None), recording=recording))
    assert not dock.unit.isEnabled()
    dock.plot.set_frame(7)
    assert dock.plot.cursor.value() == 7


def test_many_traces_are_few_items(dock, shown):
    shown.select(1)
    dock.show_mode.setCurrentText(STACKED)
    dock.redraw()
    x, _ = dock.plot.others.getData()
    assert len(x) == 4 * 40
    assert len(dock.plot.curve.getOriginalDataset()[0]) == 40
    dock.show_mode.setCurrentText(HEATMAP)
    dock.redraw()
    assert dock.plot.heat.image.shape == (40, 4)
    dock.show_mode.setCurrentText(SELECTED)
    dock.redraw()
    assert dock.plot.heat.image is None


def test_a_filter_limits_the_stack(session, dock, shown):
    session.shown = np.array([2, 0])
    dock.show_mode.setCurrentText(STACKED)
    dock.redraw()
    assert len(dock.plot.others.getData()[0]) == 2 * 40
    session.shown = np.array([], int)
    dock.redraw()
    assert "hides all" in dock._hint.text()


def test_epochs_are_bands(session, dock, shown):
    rows = [("odour", "a", 0.5, 1.0), ("odour", "b", 2.0, 3.0), ("light", "on", 1, 2)]
    shown.set_epochs(make_epochs(rows))
    assert len(dock.plot.bands) == 3
    starts = sorted(band[0] for band in dock.plot.bands._bands)
    assert starts == [0.5, 1.0, 2.0]
    dock.unit.setCurrentText("frames")
    starts = sorted(band[0] for band in dock.plot.bands._bands)
    assert starts == [5, 10, 20]


def test_epochs_of_the_recording_show_without_rois(session, dock, recording):
    layer = session.show_recording(recording)
    layer.metadata[KEY]["epochs"] = make_epochs([("odour", "a", 0.5, 1.0)])
    session.recordings_changed.emit()
    assert len(dock.plot.bands) == 1


def test_it_follows_replaced_and_removed_rois(viewer, session, dock, shown, components):
    shown.select(3)
    shown.replace(components.select([0]))
    dock.redraw()
    assert shown.selected is None
    viewer.layers.clear()
    dock.redraw()
    assert "Open Sample" in dock._hint.text()


def test_500_long_traces_are_drawn_quickly(session, dock, recording):
    import time

    from scipy import sparse

    from napari_mesmerize.data.components import Components
    from napari_mesmerize.workspace.roi_set import RoiSet

    traces = np.random.default_rng(0).random((500, 5000)).astype(np.float32)
    many = Components.build(
        sparse.csc_array(np.eye(600, 500)), (20, 30), {"raw": traces}, frame_rate=10.0
    )
    session.show_rois(RoiSet(many))
    dock.show_mode.setCurrentText(STACKED)
    dock.redraw()
    n_points = len(dock.plot.others.getData()[0])
    assert 0 < n_points < 60 * 2 * 751, "only what can be seen is drawn"
    started = time.process_time()
    dock.plot.setYRange(200, 230)
    dock.plot.setXRange(0, 300)
    assert time.process_time() - started < 0.5
    y = dock.plot.others.getData()[1]
    assert 190 < y.min() < y.max() < 240


def test_it_goes_under_the_canvas(make_napari_viewer, qtbot):
    from qtpy.QtCore import Qt

    viewer = make_napari_viewer(show=True)
    dock, widget = viewer.window.add_plugin_dock_widget("napari-mesmerize", "Traces")
    bottom = Qt.DockWidgetArea.BottomDockWidgetArea
    window = viewer.window._qt_window
    qtbot.waitUntil(lambda: window.dockWidgetArea(dock) == bottom, timeout=5000)
    assert isinstance(widget, TracesDock)
    viewer.theme = "light"
