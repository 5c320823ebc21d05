"""The main job by mouse, in a window: recording -> motion -> cells -> tags -> project.

Drives the docks as a user would, and looks at the pixels of the canvas.
"""

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_mesmerize.project import open_project
from napari_mesmerize.simulation.simulate import make_stimulus_epochs
from napari_mesmerize.widgets.layers.recordings import KEY
from napari_mesmerize.widgets.session.session import get_session

pytestmark = pytest.mark.slow


@pytest.fixture
def open_dock(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1400, 900)

    def open_one(name):
        _, widget = viewer.window.add_plugin_dock_widget("napari-mesmerize", name)
        qtbot.wait(20)
        return widget

    return viewer, open_one


def canvas(viewer, qtbot):
    """Return the canvas as shown, (height, width, 3), 0 to 255."""
    qtbot.wait(60)
    return viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)


def n_coloured(pixels):
    """Return how many pixels are not grey."""
    return int((np.ptp(pixels, axis=2) > 60).sum())


def finish(qtbot, dock, limit_s=120):
    qtbot.waitUntil(lambda: not dock.job.running, timeout=1000 * limit_s)


def test_from_a_recording_to_a_project_and_back(
    open_dock, qtbot, small_2p_rigid, tmp_path
):
    viewer, open_one = open_dock
    session = get_session(viewer)
    raw = session.show_recording(small_2p_rigid.recording, name="movie")
    raw.metadata[KEY]["epochs"] = make_stimulus_epochs(20.0)
    first = canvas(viewer, qtbot)
    assert first.std() > 5, "the recording is not drawn"
    assert n_coloured(first) == 0

    motion = open_one("Motion correction")
    qtbot.mouseClick(motion.run, Qt.MouseButton.LeftButton)
    finish(qtbot, motion)
    corrected = viewer.layers["movie corrected"]
    assert corrected.visible
    assert canvas(viewer, qtbot).std() > 5, "the corrected recording is not drawn"

    cnmf = open_one("CNMF")
    assert cnmf.chooser.layer is corrected
    qtbot.mouseClick(cnmf.run, Qt.MouseButton.LeftButton)
    finish(qtbot, cnmf)
    roi_set = session.roi_set
    assert int(roi_set.table["accepted"].sum()) >= 5
    with_rois = canvas(viewer, qtbot)
    assert n_coloured(with_rois) > 300, "the ROIs are not drawn"

    manager, traces = open_one("ROI manager"), open_one("Traces")
    viewer.reset_view()
    check_selection(viewer, qtbot, session, manager, traces)

    manager.tags.column.setCurrentText("cell_type")
    qtbot.keyClicks(manager.tags.value, "soma")
    qtbot.keyClick(manager.tags.value, Qt.Key.Key_Return)
    tagged = roi_set.selected
    assert roi_set.table["cell_type"].iat[tagged] == "soma"
    before = n_coloured(canvas(viewer, qtbot))
    manager.show_rejected.setChecked(False)
    roi_set.set_accepted(False, range(len(roi_set)))
    assert n_coloured(canvas(viewer, qtbot)) < before / 4, "rejected ROIs still show"
    manager.undo.click()
    assert n_coloured(canvas(viewer, qtbot)) > before / 2

    project = open_one("Project")
    project.create_at(tmp_path / "project")
    project.animal.setText("m01")
    project.trial.setText("day1")
    qtbot.mouseClick(project.add, Qt.MouseButton.LeftButton)
    finish(qtbot, project)
    sample = open_project(tmp_path / "project").sample("m01-_-day1")
    assert sample.rois["cell_type"].iat[tagged] == "soma"
    steps = [step["operation"] for step in sample.history]
    assert {"simulate", "correct_motion", "extract_components"} <= set(steps)

    viewer.layers.clear()
    assert n_coloured(canvas(viewer, qtbot)) == 0
    project.samples.selectRow(0)
    qtbot.mouseClick(project.open_sample, Qt.MouseButton.LeftButton)
    finish(qtbot, project)
    viewer.reset_view()
    again = canvas(viewer, qtbot)
    assert again.std() > 5
    assert n_coloured(again) > 300
    assert session.roi_set.table["cell_type"].iat[tagged] == "soma"
    assert len(traces.plot.bands) > 0


def check_selection(viewer, qtbot, session, manager, traces):
    """Click an ROI in the canvas: table, canvas and traces follow."""
    roi_set = session.roi_set
    chosen = int(np.flatnonzero(roi_set.table["accepted"])[0])
    qtbot.wait(50)
    n_white = int((canvas(viewer, qtbot).min(axis=2) > 250).sum())
    click_roi(viewer, qtbot, session, chosen)
    assert roi_set.selected is not None
    assert manager.selected_positions() == [roi_set.selected]
    qtbot.waitUntil(lambda: traces.plot.curve.getOriginalDataset()[0] is not None)
    pixels = canvas(viewer, qtbot)
    assert int((pixels.min(axis=2) > 250).sum()) > n_white, "the selection is not drawn"
    traces.plot.frame_picked.emit(25)
    assert viewer.dims.current_step[0] == 25
    grabbed = traces.plot.grab().toImage()
    colours = {
        grabbed.pixel(x, grabbed.height() // 3) for x in range(0, grabbed.width(), 2)
    }
    assert len(colours) > 2, "the traces dock is empty"


def click_roi(viewer, qtbot, session, position):
    """Send a mouse click to the canvas at the middle of an ROI."""
    layer = session.roi_layer.layer
    area = session.roi_set.areas[:, [position]].toarray()
    y, x = np.nonzero(area.reshape(layer.data.shape))
    world = layer.data_to_world((y.mean(), x.mean()))
    canvas_widget = viewer.window._qt_viewer.canvas
    view = canvas_widget.view
    place = view.scene.transform.map([world[1], world[0], 0, 1])
    from qtpy.QtCore import QPoint

    point = QPoint(int(place[0] / place[3]), int(place[1] / place[3]))
    qtbot.mouseClick(canvas_widget.native, Qt.MouseButton.LeftButton, pos=point)
