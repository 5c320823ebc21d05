import numpy as np
import pytest
from napari.layers import Shapes
from qtpy.QtCore import Qt
from squares import make_two_pixels

from napari_mesmerize.widgets.rois.manager import RoiManagerDock


@pytest.fixture
def dock(viewer, qtbot):
    made = RoiManagerDock(viewer)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def shown(session, dock, roi_set, recording):
    layer = session.show_recording(recording)
    session.show_rois(roi_set, like=layer)
    return roi_set


def select_rows(dock, *rows):
    dock.table.clearSelection()
    model = dock.table.selectionModel()
    flags = model.SelectionFlag
    for row in rows:
        model.select(dock.model.index(row, 0), flags.Select | flags.Rows)


def test_it_says_what_to_do_when_nothing_is_open(session, dock, recording):
    assert "Open Sample" in dock.hint.text()
    assert not dock.draw.isEnabled()
    session.show_recording(recording)
    assert "Draw ROIs" in dock.hint.text()
    assert dock.draw.isEnabled()


def test_rois_are_listed_and_counted(dock, shown):
    assert dock.model.rowCount() == 4
    assert dock.count.text() == "4 ROIs · 3 accepted"
    assert dock.hint.isHidden()


def test_selection_goes_both_ways(dock, shown):
    shown.select(2)
    assert dock.selected_positions() == [2]
    dock.table.selectRow(1)
    assert shown.selected == 1
    dock.next.click()
    assert shown.selected == 2
    dock.previous.click()
    dock.previous.click()
    assert dock.selected_positions() == [0]


def test_tagging_adds_the_column_and_offers_the_tag_again(dock, shown):
    select_rows(dock, 0, 2)
    dock.tags.column.setCurrentText("layer")
    dock.tags.value.setText("5")
    dock.tags.set_button.click()
    assert shown.table["layer"].tolist() == ["5", "", "5", ""]
    assert dock.selected_positions() == [0, 2]
    assert dock.tags.value.completer().model().stringList() == ["5"]
    dock.undo.click()
    assert shown.table["layer"].tolist() == [""] * 4


def test_tagging_says_what_is_missing(dock, shown):
    dock.tags.column.setCurrentText("")
    dock.tags.set_tag()
    assert "name of a tag column" in dock.job.text.text()
    dock.tags.column.setCurrentText("snr")
    dock.tags.set_tag()
    assert "holds no tags" in dock.job.text.text()
    dock.tags.column.setCurrentText("cell_type")
    dock.tags.set_tag()
    assert "Select an ROI" in dock.job.text.text()


def test_return_tags_and_page_keys_go_on(dock, shown, qtbot):
    shown.select(0)
    dock.tags.column.setCurrentText("cell_type")
    for tag in ("soma", "glia"):
        dock.tags.value.setText("")
        qtbot.keyClicks(dock.tags.value, tag)
        qtbot.keyClick(dock.tags.value, Qt.Key.Key_Return)
        qtbot.keyClick(dock.tags.value, Qt.Key.Key_PageDown)
    assert shown.table["cell_type"].tolist() == ["soma", "glia", "", ""]
    assert shown.selected == 2


def test_keys_accept_and_reject(dock, shown, qtbot):
    shown.select(3)
    qtbot.keyClick(dock.table, Qt.Key.Key_K)
    assert shown.table["accepted"].all()
    qtbot.keyClick(dock.table, Qt.Key.Key_J)
    assert shown.table["accepted"].tolist() == [True, True, True, False]


def test_keys_work_in_the_canvas(viewer, dock, shown):
    keys = {str(key): action for key, action in viewer.keymap.items()}
    keys["PageDown"](viewer)
    assert shown.selected == 0
    keys["J"](viewer)
    assert not shown.table["accepted"].iat[0]
    keys["K"](viewer)
    assert shown.table["accepted"].iat[0]
    keys["PageUp"](viewer)
    assert shown.selected == 3


def test_the_filter_decides_which_rois_are_stepped_through(session, dock, shown):
    dock.filter.setText("snr > 3")
    assert dock.model.rowCount() == 2
    assert session.shown.tolist() == [0, 1]
    assert "2 shown" in dock.count.text()
    shown.select(1)
    dock.next.click()
    assert shown.selected == 0
    dock.which.setCurrentText("rejected")
    assert dock.model.rowCount() == 0
    dock.next.click()


def test_colours_follow_the_choice(session, dock, shown):
    dock.colour_by.setCurrentText("accepted")
    layer = session.roi_layer.layer
    np.testing.assert_array_equal(layer.get_color(1), layer.get_color(2))
    dock.show_rejected.setChecked(False)
    assert layer.get_color(4)[3] == 0


def test_a_set_is_chosen_and_disappears_with_its_layer(viewer, session, dock, shown):
    from napari_mesmerize.workspace.roi_set import RoiSet

    layer = session.show_rois(RoiSet(make_two_pixels(), name="small"))
    assert dock.model.rowCount() == 2
    dock.which_set.setCurrentIndex(0)
    dock.which_set.activated.emit(0)
    assert session.roi_set is shown
    assert dock.model.rowCount() == 4
    viewer.layers.remove(layer)
    assert dock.which_set.count() == 1
    viewer.layers.clear()
    assert dock.model.rowCount() == 0
    assert "Start here" in dock.hint.text()


def test_drawn_rois_get_traces(viewer, session, dock, recording, qtbot, wait_for_job):
    layer = session.show_recording(recording)
    dock.draw.click()
    drawn = viewer.layers.selection.active
    assert isinstance(drawn, Shapes)
    assert drawn.mode == "add_polygon"
    drawn.add_polygons(np.array([[2, 2], [2, 8], [8, 8], [8, 2]]))
    drawn.add_ellipses(np.array([[10, 10], [10, 16], [16, 16], [16, 10]]))
    qtbot.waitUntil(lambda: len(session.roi_set) == 2, timeout=20000)
    wait_for_job(dock.job)
    roi_set = session.roi_set
    frames = recording.to_numpy()
    expected = frames[:, 2:9, 2:9].mean(axis=(1, 2))
    np.testing.assert_allclose(roi_set.traces("raw")[0], expected, rtol=1e-5)
    assert roi_set.trace_kinds == ["raw", "dff"]
    assert roi_set.table["kind"].tolist() == ["drawn", "drawn"]
    assert roi_set.selected == 1
    area = roi_set.components.footprints.toarray()[:, 1].sum()
    assert 25 < area < 36
    assert layer.scale[-1] == drawn.scale[-1] == 2


def test_drawn_rois_keep_their_tags_and_can_be_removed(
    viewer, session, dock, recording, qtbot, wait_for_job
):
    session.show_recording(recording)
    dock.draw.click()
    drawn = viewer.layers.selection.active
    for x in (2, 12):
        drawn.add_polygons(np.array([[2, x], [2, x + 6], [8, x + 6], [8, x]]))
    qtbot.waitUntil(lambda: len(session.roi_set) == 2, timeout=20000)
    session.roi_set.add_tag_column("layer")
    session.roi_set.set_tag("layer", "5", [1])
    kept = session.roi_set.table.index[1]
    drawn.selected_data = {0}
    drawn.remove_selected()
    qtbot.waitUntil(lambda: len(session.roi_set) == 1, timeout=20000)
    assert session.roi_set.table.index[0] == kept
    assert session.roi_set.table["layer"].tolist() == ["5"]
    drawn.selected_data = {0}
    drawn.remove_selected()
    qtbot.waitUntil(lambda: len(session.roi_set) == 0, timeout=20000)
    wait_for_job(dock.job)


def test_drawn_moved_and_deleted_rois_are_undone_and_redone(
    viewer, session, dock, recording, qtbot, wait_for_job
):
    session.show_recording(recording)
    dock.draw.click()
    drawn = viewer.layers.selection.active
    square = np.array([[2.0, 2.0], [2, 8], [8, 8], [8, 2]])
    drawn.add_polygons(square)
    qtbot.waitUntil(lambda: len(session.roi_set) == 1, timeout=20000)
    drawn.add_ellipses(np.array([[10, 10], [10, 16], [16, 16], [16, 10]]))
    qtbot.waitUntil(lambda: len(session.roi_set) == 2, timeout=20000)
    wait_for_job(dock.job)
    first = session.roi_set.traces("raw")[0].copy()
    drawn.data = [drawn.data[0] + 1, drawn.data[1]]
    qtbot.waitUntil(
        lambda: (session.roi_set.traces("raw")[0] != first).any(), timeout=20000
    )
    wait_for_job(dock.job)
    drawn.selected_data = {1}
    drawn.remove_selected()
    qtbot.waitUntil(lambda: len(session.roi_set) == 1, timeout=20000)
    wait_for_job(dock.job)

    dock.undo.click()
    assert dock.job.text.text() == "Undone: deleted ROI."
    assert list(drawn.shape_type) == ["polygon", "ellipse"]
    dock.undo.click()
    np.testing.assert_array_equal(drawn.data[0], square)
    np.testing.assert_array_equal(session.roi_set.traces("raw")[0], first)
    dock.undo.click()
    dock.undo.click()
    assert len(session.roi_set) == len(drawn.data) == 0
    assert not dock.undo.isEnabled()
    for _ in range(3):
        dock.redo.click()
    np.testing.assert_array_equal(drawn.data[0], square + 1)
    assert list(drawn.shape_type) == ["polygon", "ellipse"]
    assert list(drawn.features["roi_id"]) == list(session.roi_set.table.index)
    dock.redo.click()
    assert len(session.roi_set) == len(drawn.data) == 1
    qtbot.wait(300)
    assert not dock.job.running, "what an undo draws is not traced again"


def test_a_stroke_that_is_not_traced_yet_survives_an_undo(
    viewer, session, dock, recording, qtbot, wait_for_job
):
    session.show_recording(recording)
    dock.draw.click()
    drawn = viewer.layers.selection.active
    drawn.add_polygons(np.array([[2, 2], [2, 8], [8, 8], [8, 2]]))
    qtbot.waitUntil(lambda: len(session.roi_set) == 1, timeout=20000)
    wait_for_job(dock.job)
    gone = session.roi_set.table.index[0]
    drawn.add_polygons(np.array([[9, 9], [9, 15], [15, 15], [15, 9]]))
    dock.undo.click()
    assert len(session.roi_set) == 0
    assert len(drawn.data) == 1
    qtbot.waitUntil(lambda: len(session.roi_set) == 1, timeout=20000)
    wait_for_job(dock.job)
    assert session.roi_set.table.index[0] != gone
    assert session.roi_set.components.footprints.toarray().sum() == 49


def test_drawing_again_goes_on_in_the_same_layer(viewer, session, dock, recording):
    session.show_recording(recording)
    dock.draw.click()
    dock.draw.click()
    assert sum(isinstance(layer, Shapes) for layer in viewer.layers) == 1


def test_a_polygon_outside_the_image_is_explained(
    viewer, session, dock, recording, qtbot
):
    session.show_recording(recording)
    dock.draw.click()
    drawn = viewer.layers.selection.active
    drawn.add_polygons(np.array([[-9, -9], [-9, -6], [-6, -6]]))
    qtbot.waitUntil(lambda: "ROI 0" in dock.job.text.text(), timeout=20000)


def test_curated_rois_whose_layer_was_removed_come_back(
    viewer, session, roi_set, recording, qtbot
):
    dock = RoiManagerDock(viewer)
    qtbot.addWidget(dock)
    layer = session.show_recording(recording)
    session.show_rois(roi_set, like=layer)
    viewer.layers.remove(session.roi_layer.layer)
    assert session.closed_sets() == [], "without curation nothing is lost"
    session.show_rois(roi_set, like=layer)
    roi_set.set_tag("cell_type", "soma", [1])
    viewer.layers.remove(session.roi_layer.layer)
    assert session.roi_set is None
    assert dock.which_set.currentText().endswith("(closed)")
    dock.which_set.activated.emit(0)
    assert session.roi_set is roi_set
    assert session.roi_layer.layer in viewer.layers
    assert session.closed_sets() == []
    assert roi_set.table["cell_type"].iat[1] == "soma"
