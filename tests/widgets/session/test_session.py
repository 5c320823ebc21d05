"""A session shows what the workspace holds, and lets go of what is closed."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_mesmerize.data.epochs import make_epochs
from napari_mesmerize.widgets.napari_api import main_window
from napari_mesmerize.widgets.session.session import get_session
from napari_mesmerize.workspace.roi_set import RoiSet


@pytest.mark.parametrize("layer", ["ROIs", "recording"])
def test_the_keys_of_undo_and_redo_work_in_the_canvas(
    make_napari_viewer, recording, roi_set, qtbot, layer
):
    viewer = make_napari_viewer(show=True)
    session = get_session(viewer)
    movie = session.show_recording(recording)
    rois = session.show_rois(roi_set, like=movie)
    viewer.layers.selection.active = rois if layer == "ROIs" else movie
    roi_set.set_tag("cell_type", "soma", [1])
    (canvas,) = [
        widget
        for widget in main_window(viewer).findChildren(QWidget)
        if type(widget).__name__ == "CanvasBackendDesktop"  # vispy's canvas
    ]
    control, shift = (
        Qt.KeyboardModifier.ControlModifier,
        Qt.KeyboardModifier.ShiftModifier,
    )
    qtbot.keyClick(canvas, Qt.Key.Key_Z, control)
    assert roi_set.table["cell_type"].tolist() == [""] * 4
    qtbot.keyClick(canvas, Qt.Key.Key_Z, control | shift)
    qtbot.keyRelease(canvas, Qt.Key.Key_Control)  # Qt remembers modifiers
    assert roi_set.table["cell_type"].tolist() == ["", "soma", "", ""]


def test_the_frame_is_part_of_the_selection(viewer, session, recording):
    session.show_recording(recording)
    viewer.dims.set_point(0, 7)
    assert session.selection.frame == 7
    session.selection.set_frame(12)
    assert viewer.dims.point[0] == 12


def test_docks_follow_a_script_that_activates_other_rois(session, roi_set, components):
    session.show_rois(roi_set)
    other = RoiSet(components, name="others")
    session.show_rois(other)
    heard = []
    session.roi_set_changed.connect(lambda: heard.append(session.roi_set))
    session.workspace.activate(roi_set)
    assert heard == [roi_set]
    assert session.roi_layer.roi_set is roi_set


def test_a_closed_recording_is_let_go_with_its_steps(viewer, session, make_recording):
    recording = make_recording(np.zeros((5, 8, 9), np.uint16))
    layer = session.show_recording(recording)
    session.set_epochs(layer, make_epochs([("light", "on", 0.0, 0.2)]))
    assert session.undo_title() == "stimulus epochs"
    viewer.layers.remove(layer)
    assert session.workspace.recordings == []
    assert session.undo_title() == ""


def test_a_recording_under_rois_stays(viewer, session, recording, roi_set):
    layer = session.show_recording(recording)
    session.set_epochs(layer, make_epochs([("light", "on", 0.0, 0.2)]))
    session.show_rois(roi_set, like=layer)
    viewer.layers.remove(layer)
    assert session.undo() == "stimulus epochs"
