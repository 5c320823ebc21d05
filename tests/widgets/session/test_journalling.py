"""Merges and splits are on disk at once, and come back when a sample is reopened."""

import json
import subprocess
import sys

import numpy as np
import pytest

from napari_mesmerize.curation.merge_split import carry_table, merge_components
from napari_mesmerize.project import create_project, open_project
from napari_mesmerize.project.replaced_rois import Exchange
from napari_mesmerize.widgets.layers.drawn import DrawnLayer
from napari_mesmerize.widgets.project.dock import ProjectDock
from napari_mesmerize.workspace import save_sample

SAMPLE = "m01-_-day1"


@pytest.fixture
def project(tmp_path, roi_set, recording):
    """A project with the ROIs of ``roi_set`` as a sample that is open."""
    made = create_project(tmp_path / "project", roi_tags=["cell_type"])
    made.add_sample(
        "m01",
        "day1",
        recording=recording,
        components=roi_set.components,
        rois=roi_set.table,
        copy_recording=True,
    )
    roi_set.project, roi_set.sample_id = made, SAMPLE
    return made


def merge(roi_set, positions):
    made = merge_components(roi_set.curated_components(), positions)
    roi_set.exchange(made.components, carry_table(roi_set.table, made))


def crash(project):
    """Make the project's session one whose process has died; open it again."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    header, rest = project.journal.path.read_text("utf-8").split("\n", 1)
    header = json.loads(header) | {"pid": dead.pid}
    project.journal.path.write_text(f"{json.dumps(header)}\n{rest}", "utf-8")
    return open_project(project.path)


def reopen(viewer, qtbot, wait_for_job, project):
    dock = ProjectDock(viewer)
    qtbot.addWidget(dock)
    dock.open_at(project.path)
    wait_for_job(dock.job)
    said = dock.job.text.text()
    dock.samples.selectRow(0)
    dock.open_sample.click()
    wait_for_job(dock.job)
    return dock, said


def test_merged_and_split_rois_come_back_after_a_crash(
    viewer, session, project, roi_set, qtbot, wait_for_job
):
    first = roi_set.components
    roi_set.set_tag("cell_type", "soma", [0, 1])
    merge(roi_set, [0, 1])
    roi_set.set_accepted(False, [0])
    merge(roi_set, [1, 2])
    roi_set.undo()
    left = roi_set.curated_components()
    again = crash(project)
    assert len(again.sample(SAMPLE).components) == 4, "nothing was saved"

    dock, said = reopen(viewer, qtbot, wait_for_job, again)
    assert SAMPLE in said
    found = session.roi_set
    assert found.components.roi_ids == left.roi_ids
    assert (found.components.footprints != left.footprints).nnz == 0
    np.testing.assert_array_equal(found.traces("raw"), left.traces["raw"])
    assert found.table["cell_type"].tolist() == ["soma", "", ""]
    assert found.table["accepted"].tolist() == [False, True, False]
    assert found.unsaved
    assert "came back" in dock.job.text.text()
    assert "1 merge or split" in dock.job.text.text()
    assert session.roi_layer.layer.data.max() == 3

    found.undo()  # the rejection
    assert found.table["accepted"].tolist() == [True, True, False]
    found.undo()  # the merge
    assert found.components.roi_ids == first.roi_ids
    assert found.table["cell_type"].tolist() == ["soma", "soma", "", ""]


def test_recovered_rois_are_saved_once(
    viewer, session, project, roi_set, qtbot, wait_for_job
):
    merge(roi_set, [0, 1])
    again = crash(project)
    dock, _ = reopen(viewer, qtbot, wait_for_job, again)
    dock.save.click()
    wait_for_job(dock.job)
    assert not session.roi_set.unsaved
    saved = open_project(project.path)
    assert saved.unsaved_edits() == []
    assert len(saved.sample(SAMPLE).components) == 3


def test_a_second_crash_loses_nothing_either(
    viewer, session, project, roi_set, qtbot, wait_for_job
):
    merge(roi_set, [0, 1])
    again = crash(project)
    reopen(viewer, qtbot, wait_for_job, again)
    session.roi_set.set_tag("cell_type", "glia", [0])
    merge(session.roi_set, [0, 1])
    session.roi_set.undo()
    third = crash(session.project)
    _, rois = third.recover(SAMPLE)
    assert rois["cell_type"].tolist() == ["glia", "", ""]


def test_what_can_not_be_brought_back_is_said(
    viewer, session, project, roi_set, qtbot, wait_for_job
):
    merge(roi_set, [0, 1])
    roi_set.set_accepted(False, [1])
    again = crash(project)
    (file,) = (project.path / "journal").glob("*/*.parquet")
    file.unlink()
    dock, _ = reopen(viewer, qtbot, wait_for_job, again)
    assert len(session.roi_set) == 4
    assert session.roi_set.table["accepted"].tolist() == [1, 1, 0, 0]
    assert "can not be brought back" in dock.job.text.text()


def test_a_merge_while_the_sample_is_saved_stays_in_the_journal(project, roi_set):
    saved = roi_set.now()
    merge(roi_set, [0, 1])
    roi_set.set_tag("cell_type", "soma", [2])
    project.journal.mark_saved(SAMPLE)
    roi_set.mark_saved(saved)
    assert roi_set.unsaved
    kinds = [type(step).__name__ for step in project.journal.unsaved(SAMPLE)]
    assert kinds == ["Exchange", "Edit"]


def test_undo_after_saving_is_written_down_too(project, roi_set):
    before = roi_set.components
    merge(roi_set, [0, 1])
    table = roi_set.table.copy()
    save_sample.save_curation(
        project,
        SAMPLE,
        roi_set.curated_components(),
        table,
        [],
        progress=lambda steps, **_: steps,
    )
    roi_set.mark_saved()
    roi_set.undo()
    components, _ = crash(project).recover(SAMPLE)
    assert components.roi_ids == before.roi_ids
    assert (components.footprints != before.footprints).nnz == 0


def test_drawn_rois_of_a_sample_are_written_down(viewer, session, recording, tmp_path):
    layer = session.show_recording(recording)
    drawn = DrawnLayer(viewer, layer, lambda changed: None)
    project = create_project(tmp_path / "drawn")
    rng = np.random.default_rng(0)

    def trace(outlines):
        from napari_mesmerize.workspace.compute import trace_outlines

        ids = [f"roi {i}" for i in range(len(outlines))]
        return trace_outlines(
            recording, outlines, ids, progress=lambda steps, **_: steps
        )

    outlines = [rng.permutation(np.array([[2, 2], [2, 8], [9, 8], [9, 2]]))[:3]]
    drawn.set_components(trace(outlines))
    table = drawn.roi_set.table.copy()
    project.add_sample(
        "m01",
        "day1",
        recording=recording,
        components=drawn.roi_set.components,
        rois=table,
        copy_recording=True,
    )
    drawn.roi_set.project, drawn.roi_set.sample_id = project, SAMPLE
    drawn.set_components(trace([outlines[0] + 3, outlines[0]]))  # moved, and one more
    (step,) = project.journal.unsaved(SAMPLE)
    assert isinstance(step, Exchange)
    assert step.gone == ["roi 0"]
    components, rois = crash(project).recover(SAMPLE)
    now = drawn.roi_set
    assert list(rois.index) == ["roi 0", "roi 1"]
    np.testing.assert_array_equal(components.traces["raw"], now.traces("raw"))
    save_sample.save_curation(
        project,
        SAMPLE,
        now.curated_components(),
        now.table,
        [],
        progress=lambda steps, **_: steps,
    )
    saved = project.sample(SAMPLE).components
    assert (saved.footprints != now.components.footprints).nnz == 0
