import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_mesmerize.cnmf import CnmfParams, extract_components
from napari_mesmerize.curation.merge_split import related
from napari_mesmerize.data.pictures import drawn_areas
from napari_mesmerize.widgets.jobs.job import JobBar
from napari_mesmerize.widgets.rois.manager import RoiManagerDock
from napari_mesmerize.widgets.rois.merge_split_panel import MergeSplit
from napari_mesmerize.workspace.roi_set import RoiSet


@pytest.fixture(scope="module")
def found(small_2p):
    return extract_components(small_2p.recording, CnmfParams(cell_diameter=9.0))


@pytest.fixture
def parts(viewer, session, qtbot):
    job = JobBar(viewer)
    made = MergeSplit(session, job)
    qtbot.addWidget(job)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def cells(session, found, small_2p, parts):
    roi_set = RoiSet(
        found, recording=small_2p.recording, name="cells", tag_columns=("cell_type",)
    )
    session.show_rois(roi_set)
    roi_set.selection_changed.connect(parts.refresh)
    roi_set.replaced.connect(parts.refresh)
    return roi_set


def overlapping(found):
    for i in np.flatnonzero(found.accepted):
        near = related(found, i)
        near = near[found.accepted[near["position"]] & (near["overlap"] > 0.02)]
        if len(near):
            return int(i), int(near["position"].iloc[0])
    raise AssertionError("no ROIs overlap")


def tick(parts, position):
    for i in range(parts.neighbours.count()):
        item = parts.neighbours.item(i)
        mine = item.data(Qt.ItemDataRole.UserRole) == position
        item.setCheckState(Qt.CheckState.Checked if mine else Qt.CheckState.Unchecked)


def test_it_says_what_to_do(parts, cells):
    assert "Click an ROI" in parts.text.text()
    assert not parts.merge.isEnabled()
    assert not parts.split.isEnabled()
    cells.select(0)
    assert "ROI 1" in parts.text.text()
    assert parts.split.isEnabled()


def test_merge_with_a_neighbour_split_again_and_undo(
    parts, cells, session, found, wait_for_job
):
    one, other = overlapping(found)
    cells.set_tag("cell_type", "soma", [one, other])
    cells.select(one)
    tick(parts, other)
    assert parts.merge.isEnabled()
    parts.merge.click()
    wait_for_job(parts._job)
    assert len(cells) == len(found) - 1
    assert cells.selected == min(one, other)
    assert cells.table["cell_type"].iloc[cells.selected] == "soma"
    assert cells.unsaved
    np.testing.assert_array_equal(
        cells.areas.toarray(), drawn_areas(cells.components).toarray()
    )
    assert session.roi_layer.layer.data.max() <= len(cells)

    parts.split.click()
    wait_for_job(parts._job)
    assert len(cells) == len(found)
    assert "correlates" in parts._job.text.text()
    assert session.roi_layer.layer.features.shape[0] == len(found)
    for n in (len(found) - 1, len(found)):
        cells.undo()
        assert len(cells) == n
    assert cells.components.roi_ids == found.roi_ids
    assert (cells.components.footprints != found.footprints).nnz == 0
    for kind, traces in found.traces.items():
        np.testing.assert_array_equal(cells.components.traces[kind], traces)
    cells.undo()
    assert set(cells.table["cell_type"]) == {""}


def test_rows_of_the_roi_manager_merge(viewer, parts, cells, qtbot, wait_for_job):
    manager = RoiManagerDock(viewer)
    qtbot.addWidget(manager)
    selection = manager.table.selectionModel()
    for row in (0, 2, 3):
        selection.select(
            manager.model.index(row, 0),
            selection.SelectionFlag.Select | selection.SelectionFlag.Rows,
        )
    positions = sorted(int(manager.model.order[row]) for row in (0, 2, 3))
    assert sorted(parts.positions()) == positions
    assert parts.merge.text().startswith("Merge ROIs")
    n_rois = len(cells)
    parts.merge.click()
    wait_for_job(parts._job)
    assert len(cells) == n_rois - 2
    assert len(parts.positions()) <= 1 or max(parts.positions()) < len(cells)


def test_what_can_not_be_split_is_said(parts, cells, wait_for_job, found):
    sizes = np.diff(found.footprints.indptr)
    cells.select(int(np.argmax(sizes)))
    parts.way.setCurrentText("into pieces")
    assert not parts.n_parts.isEnabled()
    before = len(cells)
    parts.split.click()
    wait_for_job(parts._job)
    assert "one connected piece" in parts._job.text.text() or len(cells) > before


def test_drawn_rois_are_edited_in_their_layer(viewer, session, parts, recording):
    from napari_mesmerize.widgets.layers.drawn import DrawnLayer

    layer = session.show_recording(recording)
    drawn = DrawnLayer(viewer, layer, lambda changed: None)
    viewer.add_layer(drawn.layer)
    session.add_roi_layer(drawn)
    parts.refresh()
    assert "Shapes layer" in parts.text.text()
    assert not parts.split.isEnabled()
