"""What version 0.1 wrote is opened, resumed or refused with a reason by this one.

``ORIGIN.md`` says what lies in ``written_by_0_1.zip``, ``expected.json`` what the
version of then found in it. More may be found now, nothing less.
"""

import importlib.util
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_mesmerize as mesmerize

# What is not in the public API; these modules may move.
from napari_mesmerize.compute.resume import ResumeWarning
from napari_mesmerize.errors import ProjectError
from napari_mesmerize.project.journal import Edit
from napari_mesmerize.workspace.open_sample import open_sample

HERE = Path(__file__).parent
WRITTEN = HERE / "written_by_0_1.zip"
EXPECTED = json.loads((HERE / "expected.json").read_text("utf-8"))
DAY1, DAY2, DRAWN = "fish1-_-day1", "fish1-_-day2", "fish1-_-day2 drawn"
CRASHED = EXPECTED["project_with_journal"]["samples"]


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


facts = _load("facts")


@pytest.fixture
def written(tmp_path):
    """All that was written, at a place where it never was."""
    shutil.unpack_archive(WRITTEN, tmp_path / "moved")
    return tmp_path / "moved"


@pytest.fixture
def project(written):
    """The project whose samples are saved."""
    return mesmerize.open_project(written / "project")


@pytest.fixture
def crashed(written):
    """The project whose last session did not save."""
    facts.crashed_here(written / "project_with_journal")
    return mesmerize.open_project(written / "project_with_journal")


@pytest.fixture
def progress():
    """A progress that notes how many steps each loop has, by its first word."""

    def noting(iterable, *, desc="", total=None):
        word = desc.split()[0]
        noting.totals[word] = noting.totals.get(word, 0) + total
        return iterable

    noting.totals = {}
    return noting


def check(found: Any, expected: Any, where: str = "") -> None:
    """Compare values with those of then; keys that are new do not matter."""
    if isinstance(expected, dict):
        assert set(expected) <= set(found), where
        for key, item in expected.items():
            check(found[key], item, f"{where}/{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for i, item in enumerate(expected):
            check(found[i], item, f"{where}[{i}]")
    elif isinstance(expected, float):
        assert math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9), where
    else:
        assert found == expected, where


def column(table: dict[str, Any], name: str) -> list[Any]:
    """Return a column of a table of expected values."""
    return table["columns"][name]["values"]


# -------------------------------------------------------------------- projects
def test_a_project_opens_with_all_that_was_known_of_it(written):
    check(facts.plain(facts.of_project(written / "project")), EXPECTED["project"])


def test_tags_custom_columns_epochs_and_comments_are_there(project):
    assert project.samples == [DAY1, DAY2]
    table = project.table()
    day1, day2 = (table[table["sample_id"] == name] for name in (DAY1, DAY2))
    assert day1["region"].tolist() == ["Hörrinde"] + ["tectum"] * (len(day1) - 1)
    assert day1["cell_type"].tolist()[:3] == ["pyramidal", "pyramidal", ""]
    assert not day1["accepted"].iloc[-1]
    assert day2["region"].tolist()[:3] == ["tectum", "habenula", ""]
    assert set(day1["drug"]) == {"MK-801"}
    assert set(day2["drug"]) == {"none"}
    assert set(day2["age_days"]) == {-1}
    assert day2["weight_g"].isna().all()
    epochs = project.sample(DAY1).epochs
    assert epochs["stimulus_type"].tolist() == ["light", "odour", "odour"]
    assert epochs["colour"].tolist()[-1] == "#aa3377"
    assert project.sample(DAY1).comments == "ruhig, 3 µm tiefer"


def test_a_source_is_found_beside_the_project(project, written):
    sample = project.sample(DAY2)
    assert not Path(sample.facts["source"]["uri"]).exists(), "it was moved"
    assert sample.open_recording().shape == (120, 36, 44)
    source = written / "recordings" / "day2.ome.tif"
    source.write_bytes(source.read_bytes()[:-1])
    with pytest.raises(ProjectError, match="is not the file that sample"):
        sample.open_recording()
    source.unlink()
    with pytest.raises(ProjectError, match="is missing"):
        sample.open_recording()


def test_a_merge_is_taken_back_from_the_backups(project):
    merged = project.sample(DAY2).components
    (kept,) = [each for each in project.backups(DAY2) if each.reason == "overwritten"]
    project.restore(kept)
    sample = project.sample(DAY2)
    assert sample.verify() == []
    assert len(sample.components) == len(merged) + 1
    assert list(sample.rois.index) == list(sample.components.roi_ids)
    assert set(sample.rois["region"]) == {""}


def test_a_project_is_worked_on(project):
    rois = project.sample(DAY1).rois
    rois["cell_type"] = "glia"
    project.update_rois(DAY1, rois)
    old = project.sample(DAY2)
    project.add_sample(
        "fish2",
        "day1",
        recording=old.open_recording(),
        components=old.components,
        rois=old.rois,
        epochs=old.epochs,
        custom={"genotype": "het"},
    )
    again = mesmerize.open_project(project.path)
    assert set(again.sample(DAY1).rois["cell_type"]) == {"glia"}
    assert again.sample("fish2-_-day1").custom["genotype"] == "het"
    assert [again.sample(name).verify() for name in again.samples] == [[], [], []]
    steps = facts.operations(again.sample(DAY1).history)
    assert steps == [*EXPECTED["project"]["samples"][DAY1]["history"], "update_rois"]


# -------------------------------------------------------------------- journals
def test_what_was_not_saved_comes_back(crashed):
    found = facts.plain(facts.of_crash(crashed.path))
    check(found, EXPECTED["project_with_journal"])


def test_tags_merge_split_and_verdicts_come_back(crashed):
    assert crashed.unsaved_edits() == [DAY2, DRAWN]
    saved = crashed.sample(DAY2)
    components, rois = crashed.recover(DAY2)
    assert len(components) == len(saved.components) - 1 + 1, "a merge and a split"
    steps = facts.operations(components.history)
    assert steps[-2:] == ["merge_components", "split_component"]
    assert rois["region"].tolist() == ["habenula"] + [""] * (len(rois) - 1)
    assert rois["cell_type"].tolist()[:2] == ["pyramidal", ""]
    assert "glia" in rois["cell_type"].tolist()
    assert not rois["accepted"].iloc[1]
    assert saved.rois["region"].tolist()[:3] == ["tectum", "tectum", ""]
    _, drawn = crashed.recover(DRAWN)
    assert drawn["region"].tolist() == ["by hand", "", "a corner"]
    assert drawn["accepted"].tolist() == [True, False, True]
    assert len(crashed.sample(DRAWN).rois) == 2


def test_what_came_back_is_saved_and_not_offered_again(crashed):
    for sample_id in (DAY2, DRAWN):
        old = crashed.sample(sample_id)
        components, rois = crashed.recover(sample_id)
        crashed.add_sample(
            old.animal_id,
            old.trial_id,
            recording=old.open_recording(),
            components=components,
            rois=rois,
            epochs=old.epochs,
            overwrite=True,
        )
    again = mesmerize.open_project(crashed.path)
    assert again.unsaved_edits() == []
    for sample_id, then in CRASHED.items():
        sample = again.sample(sample_id)
        assert sample.verify() == []
        found = facts.of_rois(sample.components, sample.rois)
        then = then["recovered"]
        check(facts.plain(found["rois"]), then["rois"])
        check(facts.plain(found["components"]), then["components"])


@pytest.mark.parametrize("sample_id", [DAY2, DRAWN])
def test_the_docks_take_the_steps_again(crashed, sample_id):
    opened = open_sample(crashed, sample_id, progress=lambda steps, **_: steps)
    assert opened.problem == ""
    assert "came back" in opened.recovered
    roi_set = opened.roi_set
    assert roi_set.unsaved
    found = facts.of_rois(roi_set.curated_components(), roi_set.table)
    check(facts.plain(found), CRASHED[sample_id]["recovered"])
    saved = crashed.sample(sample_id)
    for _ in range(20):
        roi_set.undo()
    assert list(roi_set.table.index) == list(saved.rois.index)
    assert (roi_set.table["accepted"] == saved.rois["accepted"]).all()
    assert (roi_set.table["region"] == saved.rois["region"]).all()


def test_edits_are_told_from_exchanges(crashed):
    for sample_id, then in CRASHED.items():
        steps = crashed.unsaved_steps(sample_id)
        edits = [isinstance(step, Edit) for step in steps]
        assert edits == [name is not None for name in then["steps"]]
        assert len(set(edits)) == 2


def test_the_journal_of_another_computer_is_left_alone(written):
    project = mesmerize.open_project(written / "project_with_journal")
    assert project.unsaved_edits() == [], "nobody knows whether it is over"
    assert len(list((project.path / "journal").glob("*.jsonl"))) == 1


def test_lost_exchanges_are_explained(crashed):
    for path in (crashed.path / "journal").glob("*/*.parquet"):
        path.unlink()
    with pytest.raises(ProjectError, match=r"is missing.*can not be brought back"):
        crashed.recover(DAY2)


# ------------------------------------------------------------- unfinished work
def test_an_unfinished_motion_correction_is_resumed(written, progress):
    name, folder = "moving", written / "unfinished_motion"
    then = EXPECTED["unfinished_motion"][name]
    recording = facts.load_movie(folder)
    params = mesmerize.RigidParams(**then["params"])
    out = folder / f"{name}.zarr"
    unfinished = {path.name for path in folder.iterdir()}
    assert f"{name}.zarr.partial" in unfinished
    resumed = mesmerize.correct_motion(
        recording, params, out=out, batch_size=facts.BATCH, progress=progress
    )
    left = {word: progress.totals.get(word, 0) for word in then["batches left"]}
    assert left == then["batches left"], "finished batches are not computed again"
    assert {path.name for path in folder.iterdir()} == (
        unfinished - {f"{name}.zarr.partial"} | {f"{name}.zarr"}
    )
    whole = mesmerize.correct_motion(recording, params)
    np.testing.assert_allclose(resumed.shifts, whole.shifts, atol=2e-3)
    np.testing.assert_allclose(resumed.shifts, then["shifts"], atol=5e-3)
    count = resumed.recording.attrs["meta"].get("intensity_scale", 1.0)
    frames, expected = (
        count * result.recording.to_numpy().astype(float) for result in (resumed, whole)
    )
    # integers may be rounded the other way; grey levels go from about 3 to 25
    tolerance = 0.02 if count == 1 else 1.01 * count
    np.testing.assert_allclose(frames, expected, atol=tolerance)
    row = frames[facts.FRAME, facts.ROW]
    np.testing.assert_allclose(row, count * np.array(then["row"]), atol=tolerance)
    stored = mesmerize.read_recording(out)
    np.testing.assert_array_equal(stored.to_numpy(), resumed.recording.to_numpy())


def test_unfinished_fields_of_another_computation_are_begun_anew_with_a_word(written):
    folder = written / "unfinished_motion"
    then = EXPECTED["unfinished_motion"]["bending"]
    recording = facts.load_movie(folder)
    params = mesmerize.PiecewiseParams(**then["params"])
    out = folder / "bending.zarr"
    with pytest.warns(ResumeWarning, match="can not be continued"):
        made = mesmerize.correct_motion(
            recording, params, out=out, batch_size=facts.BATCH
        )
    whole = mesmerize.correct_motion(recording, params)
    np.testing.assert_allclose(made.shifts, whole.shifts, atol=2e-3)
    # fields are the same but for the border, where they were wrong then
    np.testing.assert_allclose(made.shifts, then["shifts"], atol=0.05)


def test_frames_that_were_written_are_not_written_again(written):
    folder = written / "unfinished_motion"
    first = Path("frames", "c", "0", "0", "0")
    before = (folder / "moving.zarr.partial" / first).stat()
    params = mesmerize.RigidParams(**EXPECTED["unfinished_motion"]["moving"]["params"])
    out = folder / "moving.zarr"
    mesmerize.correct_motion(facts.load_movie(folder), params, out=out)
    assert (out / first).stat().st_mtime_ns == before.st_mtime_ns
    assert len(list((out / "frames" / "c").iterdir())) == 3


def test_an_unfinished_extraction_is_resumed(written, progress):
    folder = written / "unfinished_extraction"
    then = EXPECTED["unfinished_extraction"]
    recording = facts.load_movie(folder)
    params = mesmerize.CnmfParams(**then["params"])
    whole = mesmerize.extract_components(recording, params, progress=progress)
    steps = progress.totals["Extracting"]
    progress.totals.clear()
    patches = folder / "patches"
    assert sorted(path.name for path in patches.glob("*.npz")) == then["finished"]
    resumed = mesmerize.extract_components(
        recording, params, resume_dir=patches, progress=progress
    )
    n_patches = len(then["finished"]) + 1
    assert progress.totals["Extracting"] == steps / n_patches, "one patch was left"
    assert not patches.exists()
    assert len(resumed) == len(whole) == len(then["components"]["roi_ids"])
    assert resumed.accepted.tolist() == whole.accepted.tolist()
    assert resumed.accepted.tolist() == then["components"]["accepted"]
    assert abs(resumed.footprints - whole.footprints).max() < 0.02
    for kind, traces in whole.traces.items():
        np.testing.assert_allclose(
            resumed.traces[kind], traces, atol=0.01 * np.abs(traces).max()
        )
        of_then = then["components"]["traces"][kind]["sums"]
        sums = resumed.traces[kind].sum(axis=1)
        np.testing.assert_allclose(sums, of_then, atol=0.01 * np.abs(of_then).max())


# --------------------------------------------------------------- finished work
def test_a_finished_motion_correction_is_read(written):
    found = facts.of_corrected(written / "finished_motion" / "corrected.zarr")
    check(facts.plain(found), EXPECTED["finished_motion"])


def test_components_are_loaded(written):
    components = mesmerize.Components.load(written / "components.zarr")
    found = facts.of_components(components)
    found["scores"] = facts.of_table(components.scores)
    check(facts.plain(found), EXPECTED["components"])
