"""All docks together: any order, nothing leaks, nothing breaks when layers go."""

import gc
import itertools
import weakref

import pytest

from napari_mesmerize.widgets.session.session import get_session

NAMES = [
    "Motion correction",
    "CNMF",
    "ROI manager",
    "Traces",
    "Project",
    "Inspect correlation & PNR",
    "Component evaluation",
    "Open recordings",
    "Recording facts",
    "Import results",
    "Stimulus mapping",
]


def open_dock(viewer, name):
    return viewer.window.add_plugin_dock_widget("napari-mesmerize", name)


@pytest.mark.parametrize("first", NAMES)
def test_docks_open_in_any_order_and_share_a_session(
    make_napari_viewer, first, recording, roi_set
):
    viewer = make_napari_viewer()
    open_dock(viewer, first)
    session = get_session(viewer)
    session.show_recording(recording)
    session.show_rois(roi_set)
    for name in reversed(NAMES):
        _, dock = open_dock(viewer, name)
        assert dock._session is session
    roi_set.select(1)
    viewer.layers.clear()


def test_closed_docks_hear_nothing_more(make_napari_viewer, qtbot, recording, roi_set):
    viewer = make_napari_viewer()
    for name in NAMES:
        dock, _ = open_dock(viewer, name)
        viewer.window.remove_dock_widget(dock)
    qtbot.wait(50)
    gc.collect()
    session = get_session(viewer)
    session.show_recording(recording)
    session.show_rois(roi_set)
    roi_set.select(2)
    roi_set.set_accepted(False)
    viewer.dims.set_current_step(0, 3)
    viewer.theme = "light"
    viewer.layers.clear()


def test_layers_removed_in_any_order(viewer, session, qtbot, recording, roi_set):
    from napari_mesmerize.widgets.extraction.dock import CnmfDock
    from napari_mesmerize.widgets.project.dock import ProjectDock
    from napari_mesmerize.widgets.rois.manager import RoiManagerDock
    from napari_mesmerize.widgets.traces.dock import TracesDock

    docks = [d(viewer) for d in (CnmfDock, ProjectDock, RoiManagerDock, TracesDock)]
    for dock in docks:
        qtbot.addWidget(dock)
    for order in itertools.permutations(range(3)):
        layer = session.show_recording(recording)
        session.show_rois(roi_set, like=layer)
        roi_set.select(None)
        roi_set.select(0)
        layers = list(viewer.layers)
        assert len(layers) == 3
        for i in order:
            viewer.layers.remove(layers[i])
        assert session.roi_set is None
        assert session.recording_layers() == []


def test_several_recordings_can_be_chosen(viewer, session, qtbot, recording):
    from napari_mesmerize.widgets.motion.dock import MotionDock

    dock = MotionDock(viewer)
    qtbot.addWidget(dock)
    first = session.show_recording(recording, name="first")
    session.show_recording(recording.copy(), name="second")
    viewer.add_image(recording[0].to_numpy(), name="an image")
    names = [dock.chooser.box.itemText(i) for i in range(dock.chooser.box.count())]
    assert sorted(names) == ["first", "second"]
    dock.chooser.choose(first)
    assert dock.chooser.layer is first
    first.name = "renamed"
    assert dock.chooser.box.currentText() == "renamed"
    viewer.layers.remove(first)
    assert dock.chooser.layer.name == "second"


def test_a_session_does_not_keep_its_viewer_alive(qapp):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    get_session(viewer)
    gone = weakref.ref(viewer)
    del viewer
    gc.collect()
    assert gone() is None
