"""Other components in a sample: what did not change is carried over, not copied."""

import errno
import os
from dataclasses import replace

import disk_steps
import numpy as np
import pandas as pd
import pytest

from napari_mesmerize.curation.merge_split import merge_components
from napari_mesmerize.data.components import Background
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.errors import ParameterError, ProjectError
from napari_mesmerize.project import open_project

SAMPLE = "m1-_-t1"


@pytest.fixture
def sample(project, make_parts):
    """Version 0, with a background."""
    parts = make_parts(0)
    background = Background(
        spatial=np.ones((20, 2), np.float32),
        temporal=np.arange(16, dtype=np.float32).reshape(2, 8),
        static=np.zeros(20, np.float32),
    )
    parts["components"] = replace(parts["components"], background=background)
    return project.add_sample("m1", "t1", **parts)


@pytest.fixture
def merged(sample):
    """Components and table after a merge of the first two ROIs."""
    components = merge_components(sample.components, [0, 1]).components
    table = roi_table_from_components(components).assign(region="merged")
    return components, table


def files_of(folder):
    return {
        file.relative_to(folder).as_posix(): file.stat().st_ino
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_a_merge_carries_all_else_over(project, sample, merged):
    recording = sample.open_recording().to_numpy()
    before, old = files_of(sample.path), disk_steps.contents(sample.path)
    steps = sample.history
    made = project.replace_components(SAMPLE, *merged)
    after = files_of(made.path)
    shared = {name for name, inode in after.items() if before.get(name) == inode}
    assert {name.split("/")[0] for name in shared} == {
        "recording.zarr",
        "projections.zarr",
        "components.zarr",
    }
    for name in before:
        if name.startswith(("recording.zarr", "projections.zarr")):
            assert name in shared
        if name.startswith("components.zarr/background/") and name.count("/") > 2:
            assert name in shared
    assert made.verify() == []
    assert len(made.rois) == len(made.components) == 2
    assert set(made.rois["region"]) == {"merged"}
    np.testing.assert_array_equal(made.open_recording(), recording)
    np.testing.assert_array_equal(made.projections["mean"], sample.projections["mean"])
    assert made.comments == "version 0"
    assert made.custom == {"age_days": 0}
    assert list(made.epochs["name"]) == ["version 0"]
    assert made.facts["name"] == "version 0"
    assert made.history[: len(steps)] == steps
    assert made.history[-1]["operation"] == "replace_components"
    assert made.history[-1]["params"]["removed"] == 2
    (kept,) = project.backups(SAMPLE)
    assert kept.reason == "components replaced"
    assert disk_steps.contents(kept.path) == old


def test_the_backup_stays_as_it_was_whatever_comes_later(
    project, sample, merged, make_parts, version_of
):
    old = disk_steps.contents(sample.path)
    project.replace_components(SAMPLE, *merged)
    (kept,) = project.backups(SAMPLE)
    project.update_rois(SAMPLE, merged[1].assign(region="later"))
    project.update_epochs(SAMPLE, make_parts(4)["epochs"])
    project.update_sample(SAMPLE, comments="later", custom={"age_days": 7})
    again = merge_components(project.sample(SAMPLE).components, [0, 1]).components
    project.replace_components(SAMPLE, again, roi_table_from_components(again))
    project.add_sample("m1", "t1", **make_parts(5), overwrite=True)
    for file in project.sample(SAMPLE).path.glob("*.*"):  # as other programs might
        if file.is_file():
            file.write_bytes(b"changed in place")
    assert disk_steps.contents(kept.path) == old
    project.restore(kept)
    restored = project.sample(SAMPLE)
    assert version_of(restored) == 0
    for file in restored.path.glob("*.*"):
        if file.is_file():
            file.write_bytes(b"changed in place")
    project.remove_sample(SAMPLE)
    assert disk_steps.contents(kept.path) == old


def test_edits_of_the_table_stay_in_the_history(project, sample, merged):
    project.update_rois(SAMPLE, sample.rois.assign(region="edited"))
    made = project.replace_components(SAMPLE, *merged)
    operations = [step["operation"] for step in made.history]
    assert operations[:2] == ["add_sample", "update_rois"]
    assert operations[-1] == "replace_components"
    made = project.update_rois(SAMPLE, made.rois.assign(region="again"))
    assert [s["operation"] for s in made.history][-1] == "update_rois"


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM])
def test_a_disk_without_hard_links_gets_copies(
    code, project, sample, merged, monkeypatch
):
    link = os.link

    def refuse(source, target):
        if SAMPLE in os.fspath(source) and ".tmp" not in os.fspath(source):
            raise OSError(code, os.strerror(code))
        link(source, target)  # zarr's own

    before, old = files_of(sample.path), disk_steps.contents(sample.path)
    monkeypatch.setattr(os, "link", refuse)
    made = project.replace_components(SAMPLE, *merged)
    assert not set(before.values()) & set(files_of(made.path).values())
    assert made.verify() == []
    (kept,) = project.backups(SAMPLE)
    assert disk_steps.contents(kept.path) == old
    for name, content in old.items():
        if name.startswith("recording.zarr"):
            assert disk_steps.contents(made.path)[name] == content


def test_a_step_that_fails_leaves_the_old_sample(project, sample, merged):
    old = disk_steps.contents(sample.path)
    with disk_steps.watching(project.path) as steps:
        project.replace_components(SAMPLE, *merged)
    project.restore(project.backups(SAMPLE)[0])
    assert disk_steps.contents(project.sample(SAMPLE).path) == old
    n = len([step for step in steps if step not in disk_steps.REMOVALS])
    for after in [*range(0, n - 25, 17), *range(n - 25, n)]:
        raised = None
        with disk_steps.failing(project.path, after, errno.ENOSPC):
            try:
                project.replace_components(SAMPLE, *merged)
            except ProjectError as error:
                raised = str(error)
        opened = open_project(project.path)
        hidden = disk_steps.hidden_in(project.path / "samples")
        assert [name for name in hidden if not name.endswith((".lock", ".guard"))] == []
        made = opened.sample(SAMPLE)
        assert made.verify() == []
        assert len(made.rois) == len(made.components) == (3 if raised else 2)
        if raised:
            assert "disk is full" in raised
            assert disk_steps.contents(made.path) == old
        else:
            project.restore(opened.backups(SAMPLE)[0])


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
def test_a_killed_writer_leaves_the_old_or_the_new_sample(project, sample, merged):
    old = disk_steps.contents(sample.path)
    with disk_steps.watching(project.path) as steps:
        project.replace_components(SAMPLE, *merged)
    project.restore(project.backups(SAMPLE)[0])
    n, seen = len(steps), set()
    for step in [*range(0, n - 25, n // 6), *range(n - 25, n, 2), n + 30]:
        killed = disk_steps.killed_at(
            step, project.path, lambda: project.replace_components(SAMPLE, *merged)
        )
        opened = open_project(project.path)
        made = opened.sample(SAMPLE)
        assert made.verify() == []
        assert len(made.rois) == len(made.components)
        seen.add(len(made.components))
        assert killed or len(made.components) == 2
        if len(made.components) == 2:
            (kept, *_) = opened.backups(SAMPLE)
            assert disk_steps.contents(kept.path) == old
            opened.restore(kept)
        assert disk_steps.contents(opened.sample(SAMPLE).path) == old
    assert seen == {2, 3}


def test_a_damaged_or_missing_part_does_not_keep_the_curation_from_being_saved(
    project, sample, merged
):
    chunk = sample.path / "recording.zarr" / "frames" / "c" / "0" / "0" / "0"
    chunk.unlink()
    (sample.path / "epochs.parquet").unlink()
    made = project.replace_components(SAMPLE, *merged)
    assert len(made.components) == 2
    problems = " ".join(made.verify())
    assert "recording.zarr is damaged: files is" in problems
    assert "epochs.parquet is missing" in problems


def test_components_of_another_recording_are_refused(project, sample, make_parts):
    other = make_parts(1, n_frames=9)
    with pytest.raises(ParameterError, match="9 frames, the recording has 8"):
        project.replace_components(SAMPLE, other["components"], other["rois"])
    components, twice = sample.components, pd.concat([sample.rois, sample.rois])
    with pytest.raises(ParameterError, match="ROI table has the roi_id"):
        project.replace_components(SAMPLE, components, twice)
    assert project.backups(SAMPLE) == []
    assert sample.verify() == []


def test_a_sample_whose_source_is_away_keeps_its_facts(project, make_parts, tmp_path):
    parts = make_parts(0) | {"copy_recording": False}
    parts["recording"].attrs["source"] = {"uri": str(tmp_path / "gone.tif")}
    sample = project.add_sample("m1", "t1", **parts)
    components = merge_components(sample.components, [0, 1]).components
    table = roi_table_from_components(components)
    made = project.replace_components(SAMPLE, components, table)
    assert made.facts == sample.facts
    assert made.facts["source"]["uri"].endswith("gone.tif")
    assert not made.has_recording
