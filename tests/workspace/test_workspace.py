"""A whole session of curation without a window: steps, undo, redo, crash, recovery."""

import json
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from napari_mesmerize.cnmf.judge.acceptance import Thresholds, evaluate
from napari_mesmerize.curation.merge_split import (
    carry_table,
    merge_components,
    split_component,
)
from napari_mesmerize.data.epochs import make_epochs
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.project import create_project
from napari_mesmerize.workspace.roi_set import RoiSet
from napari_mesmerize.workspace.undo import UndoStack
from napari_mesmerize.workspace.undo_commands import ExchangeRois
from napari_mesmerize.workspace.workspace import Workspace

SAMPLE = "m01-_-day1"
LIGHT = make_epochs([("light", "blue", 0.5, 1.0), ("light", "red", 2.0, 2.5)])


@pytest.fixture
def folder(tmp_path, components, recording):
    """A project with the four squares as a sample."""
    made = create_project(tmp_path / "project", roi_tags=["cell_type"])
    made.add_sample(
        "m01",
        "day1",
        recording=recording,
        components=components,
        rois=roi_table_from_components(components),
        copy_recording=True,
    )
    made.close()
    return made.path


@pytest.fixture
def workspace(folder):
    """A workspace in which the sample is open."""
    made = Workspace()
    made.open_project(folder)
    made.open_sample(SAMPLE)
    return made


def crash(project):
    """Make the project's session one whose process has died."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    header, rest = project.journal.path.read_bytes().split(b"\n", 1)
    header = json.dumps(json.loads(header) | {"pid": dead.pid}).encode()
    project.journal.path.write_bytes(header + b"\n" + rest)


def reopen(workspace):
    """Open the sample again after the session of ``workspace`` has crashed."""
    crash(workspace.project)
    again = Workspace()
    again.open_project(workspace.project.path)
    opened = again.open_sample(SAMPLE)
    assert opened.problem == ""
    return again


def merge(roi_set, positions):
    made = merge_components(roi_set.curated_components(), positions)
    roi_set.exchange(made.components, carry_table(roi_set.table, made))


def split(roi_set, position, recording):
    made = split_component(
        roi_set.curated_components(), position, by="activity", recording=recording
    )
    roi_set.exchange(made.components, carry_table(roi_set.table, made))


def state(workspace):
    """Return all that curation changes, as it is now."""
    rois = workspace.roi_set
    recording = workspace.recordings[0]
    found = rois.curated_components()
    return {
        "ids": found.roi_ids,
        "footprints": found.footprints.toarray(),
        "traces": dict(found.traces),
        "accepted": found.accepted,
        "table": rois.table.drop(columns="outline"),
        "outlines": [np.asarray(o).tolist() for o in rois.table["outline"]],
        "epochs": rois.epochs,
        "same epochs": recording.epochs,
        "facts": {
            name: recording.recording.attrs.get(name)
            for name in ("frame_rate", "pixel_size_um", "origin")
        },
    }


def assert_same(found, expected):
    assert found["ids"] == expected["ids"]
    np.testing.assert_array_equal(found["footprints"], expected["footprints"])
    assert found["traces"].keys() == expected["traces"].keys()
    for kind, traces in expected["traces"].items():
        np.testing.assert_array_equal(found["traces"][kind], traces)
    np.testing.assert_array_equal(found["accepted"], expected["accepted"])
    pd.testing.assert_frame_equal(found["table"], expected["table"])
    assert found["outlines"] == expected["outlines"]
    for name in ("epochs", "same epochs"):
        if expected[name] is None:
            assert found[name] is None
        else:
            pd.testing.assert_frame_equal(found[name], expected[name])
    assert found["facts"] == expected["facts"]


def curate(workspace):
    """Take a step of each kind; return the state before each of them."""
    rois, recording = workspace.roi_set, workspace.recordings[0].recording
    steps = [
        lambda: rois.set_tag("cell_type", "soma", [0, 1]),
        lambda: rois.add_tag_column("region"),
        lambda: rois.set_tag("region", "CA1", [2]),
        lambda: rois.set_accepted(False, [1]),
        lambda: merge(rois, [0, 1]),
        lambda: workspace.set_epochs(recording, LIGHT),
        lambda: rois.set_columns(
            {
                "accepted": [True, False, True],
                "rejected_because": ["", "weak", ""],
            }
        ),
        lambda: workspace.set_facts(
            recording, {"pixel_size_um": (0.5, 0.5), "origin": "scope"}
        ),
        lambda: workspace.set_epochs(recording, LIGHT.iloc[:1]),
        lambda: rois.set_tag("cell_type", "glia", [0]),
    ]
    states = []
    for step in steps:
        states.append(state(workspace))
        step()
    return states


def test_every_step_is_undone_and_redone(workspace):
    before = curate(workspace)
    after = [*before[1:], state(workspace)]
    for expected in reversed(before):
        assert workspace.undo_title()
        assert workspace.undo()
        assert_same(state(workspace), expected)
    assert workspace.undo() == ""
    for expected in after:
        assert workspace.redo()
        assert_same(state(workspace), expected)
    assert workspace.redo() == ""


def test_a_crashed_session_comes_back_is_undone_and_saved(workspace):
    before = curate(workspace)
    workspace.undo()
    workspace.undo()
    workspace.undo()
    workspace.redo()
    expected = state(workspace)
    again = reopen(workspace)
    assert_same(state(again), expected)
    assert again.roi_set.unsaved
    for past in reversed(before[:8]):
        assert again.undo()
        assert_same(state(again), past)
    for _ in range(8):
        again.redo()
    assert_same(state(again), expected)
    again.save_curation()
    assert not again.roi_set.unsaved
    third = Workspace()
    opened = third.open_project(workspace.project.path)
    assert opened.unsaved == []
    third.open_sample(SAMPLE)
    assert_same(state(third), expected)
    sample = third.project.sample(SAMPLE)
    assert sample.verify() == []
    assert sample.facts["pixel_size_um"] == (0.5, 0.5)


def test_an_undo_after_recovery_survives_a_second_crash(workspace):
    before = curate(workspace)
    again = reopen(workspace)
    for _ in range(6):
        again.undo()
    expected = state(again)
    assert_same(expected, before[4])
    third = reopen(again)
    assert_same(state(third), expected)
    merge(third.roi_set, [2, 3])
    expected = state(third)
    fourth = reopen(third)
    assert_same(state(fourth), expected)


@pytest.mark.parametrize("n_undone", [1, 3, 6, 10])
def test_undo_of_what_is_saved_survives_a_crash(workspace, n_undone):
    curate(workspace)
    last = state(workspace)
    workspace.save_curation()
    for _ in range(n_undone):
        workspace.undo()
    expected = state(workspace)
    # a column that the sample has stays, empty
    again = reopen(workspace)
    found = state(again)
    for column in ("region", "rejected_because"):
        if column not in expected["table"]:
            assert set(found["table"].pop(column)) <= {"", None}
    assert_same(found, expected)
    for _ in range(n_undone):
        workspace.redo()
    assert_same(state(workspace), last)


def test_steps_taken_while_saving_stay_in_the_journal(workspace):
    rois = workspace.roi_set
    rois.set_tag("cell_type", "soma", [0])
    merge(rois, [0, 1])
    curated = workspace.curated()
    rois.undo()
    rois.set_tag("cell_type", "glia", [3])
    expected = state(workspace)
    curated.save()
    workspace.note_saved(curated)
    assert rois.unsaved
    assert_same(state(reopen(workspace)), expected)


def test_a_thousand_steps_are_undone(workspace):
    rois = workspace.roi_set
    rois.journalled = False
    before = state(workspace)
    for i in range(1200):
        rois.set_tag("cell_type", f"tag {i}", [i % 4])
    for _ in range(1200):
        assert workspace.undo()
    assert_same(state(workspace), before)
    assert workspace.undo() == ""


def test_large_steps_move_to_the_disk_and_come_back(components, recording):
    roi_set = RoiSet(components, recording=recording)
    roi_set.undo_stack = UndoStack(most_bytes=1)
    first = roi_set.curated_components()
    merge(roi_set, [0, 1])
    merge(roi_set, [1, 2])
    merge(roi_set, [0, 1])
    oldest = roi_set.now()[0]
    assert isinstance(oldest, ExchangeRois)
    assert oldest.n_bytes < 20_000
    last = roi_set.curated_components()
    for _ in range(3):
        roi_set.undo()
    assert roi_set.components.roi_ids == first.roi_ids
    assert (roi_set.components.footprints != first.footprints).nnz == 0
    np.testing.assert_array_equal(roi_set.traces("raw"), first.traces["raw"])
    for _ in range(3):
        roi_set.redo()
    np.testing.assert_array_equal(roi_set.traces("raw"), last.traces["raw"])


def test_damaged_lines_are_named_and_the_others_come_back(workspace):
    rois = workspace.roi_set
    for value in ("a", "b", "c"):
        rois.set_tag("cell_type", value, [0])
        rois.set_tag("cell_type", value, [ord(value) - ord("a") + 1])
    path = workspace.project.journal.path
    lines = path.read_bytes().split(b"\n")
    lines[3] = lines[3][:30] + b"\xff\xfe" + lines[3][32:]
    lines[4] = b'{"event": "edit", "sample_id": "m01-_-day1"}'
    path.write_bytes(b"\n".join(lines))
    crash(workspace.project)
    again = Workspace()
    opened = again.open_project(workspace.project.path)
    assert len(opened.problems) == 2
    assert "Line 4" in opened.problems[0]
    assert "Line 5" in opened.problems[1]
    again.open_sample(SAMPLE)
    assert again.roi_set.table["cell_type"].tolist() == ["c", "a", "", "c"]
    again.save_curation()
    (kept,) = [b for b in again.project.backups() if b.what.endswith(path.name)]
    assert kept.path.read_bytes().count(b"\xff\xfe") == 1


def test_a_journal_of_a_newer_version_is_refused_and_kept(workspace):
    workspace.roi_set.set_tag("cell_type", "soma", [0])
    path = workspace.project.journal.path
    text = path.read_text("utf-8").replace('"format_version": 2', '"format_version": 3')
    path.write_text(text, "utf-8")
    crash(workspace.project)
    again = Workspace()
    opened = again.open_project(workspace.project.path)
    assert "newer version" in opened.problems[0]
    assert opened.unsaved == []
    again.open_sample(SAMPLE)
    again.save_curation()
    assert path.exists()


def test_one_selection_is_followed_by_the_active_set(workspace, components, recording):
    first = workspace.roi_set
    heard = []
    workspace.selection.rois_changed.connect(heard.append)
    first.select(2)
    assert workspace.selection.current_roi == first.table.index[2]
    assert workspace.selection.sample == SAMPLE
    workspace.selection.set_rois([first.table.index[i] for i in (3, 1)])
    assert first.selected_positions == [3, 1]
    assert first.selected == 1
    first.set_tag("cell_type", "both")
    assert first.table["cell_type"].tolist() == ["", "both", "", "both"]
    other = RoiSet(components.select([0]), recording=recording, name="other")
    workspace.add_rois(other)
    assert workspace.selection.rois == ()
    assert first.selected == 1, "each set remembers"
    assert workspace.undo() == "", "steps of other ROIs are left alone"
    workspace.activate(first)
    assert workspace.selection.rois == tuple(first.table.index[i] for i in (3, 1))
    workspace.undo()
    assert set(first.table["cell_type"]) == {""}
    assert len(heard) == 4


def test_an_evaluation_is_one_step_with_its_history(workspace):
    rois = workspace.roi_set
    before, history = state(workspace), rois.components.history
    scores = rois.components.scores.assign(snr=[9.0, 1.0, 8.0, 7.0])
    evaluated = evaluate(
        rois.components.__class__.build(
            rois.components.footprints,
            rois.components.image_shape,
            rois.components.traces,
            scores=scores,
            roi_ids=rois.components.roi_ids,
            history=history,
        ),
        Thresholds(min_snr=3),
    )
    rois.set_columns({"accepted": evaluated.accepted}, evaluated)
    assert len(rois.components.history) == len(history) + 1
    expected = rois.components.history
    assert len(rois.now()) == 1
    again = reopen(workspace)
    found = again.roi_set.components.history
    assert [s["operation"] for s in found] == [s["operation"] for s in expected]
    workspace.undo()
    assert rois.components.history == history
    assert_same(state(workspace), before)


def test_many_rois_are_tagged_fast(recording):
    from squares import make_components

    one = make_components().select([0])
    n_rois = 5000
    from scipy import sparse

    from napari_mesmerize.data.components import Components

    many = Components.build(
        sparse.hstack([one.footprints] * n_rois, format="csc"),
        one.image_shape,
        {"raw": np.zeros((n_rois, 40), np.float32)},
    )
    table = roi_table_from_components(one)
    table = pd.concat([table] * n_rois)
    table.index = pd.Index(many.roi_ids, name="roi_id", dtype=object)
    roi_set = RoiSet(many, table, recording=recording, tag_columns=("cell_type",))
    chosen = np.arange(300) * 7

    def best_of(repeats, step):
        times = []
        for i in range(repeats):
            start = time.perf_counter()
            step(i)
            times.append(time.perf_counter() - start)
        return min(times)

    assert best_of(5, lambda i: roi_set.set_tag("cell_type", f"{i}", chosen)) < 0.02
    fresh = best_of(
        5,
        lambda i: roi_set.edit(
            f"column {i}", dict.fromkeys(roi_set.table.index[chosen], "x")
        ),
    )
    assert fresh < 0.05
    assert (roi_set.table["column 4"] == "x").sum() == 300
