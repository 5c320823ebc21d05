"""Merged and split ROIs that a crash cut off come back from the journal."""

import numpy as np
import pandas as pd
import pytest

from napari_mesmerize.curation.merge_split import carry_table, merge_components
from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError, ProjectError
from napari_mesmerize.project.parquet import read_table
from napari_mesmerize.project.replaced_rois import COLUMN, FORMAT, read_exchange

CURATE = """
import os, signal, sys
from napari_mesmerize.curation.merge_split import carry_table, merge_components
from napari_mesmerize.project import open_project
project = open_project(sys.argv[1])
sample = project.sample("m1-_-t1")
journal = project.journal
journal.record("m1-_-t1", "region", {"roi-0-2": "CA3"}, {"roi-0-2": "region 0"})
made = merge_components(sample.components, [0, 1])
table = carry_table(sample.rois, made)
(merged,) = made.parents
journal.record_exchange("m1-_-t1", ["roi-0-0", "roi-0-1"], made.components.select([0]),
                        table, {merged: 0})
journal.record("m1-_-t1", "region", {merged: "CA1"}, {merged: "region 0"})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def crashed(project, sample, killed_while):
    """A project whose last session merged ROIs and was killed."""
    return killed_while(CURATE, project)


def merged(sample):
    made = merge_components(sample.components, [0, 1])
    return made.components, carry_table(sample.rois, made), next(iter(made.parents))


def assert_same(found: Components, expected: Components) -> None:
    assert found.roi_ids == expected.roi_ids
    assert (found.footprints != expected.footprints).nnz == 0
    for kind, traces in expected.traces.items():
        np.testing.assert_array_equal(found.traces[kind], traces)
    pd.testing.assert_frame_equal(found.scores, expected.scores)
    np.testing.assert_array_equal(found.accepted, expected.accepted)
    assert found.image_shape == expected.image_shape
    assert found.frame_rate == expected.frame_rate


def test_a_merge_survives_a_crash_with_the_tags_before_and_after_it(crashed):
    assert crashed.unsaved_edits() == ["m1-_-t1"]
    components, rois = crashed.recover("m1-_-t1")
    expected, table, name = merged(crashed.sample("m1-_-t1"))
    assert_same(components, expected)
    steps = [step["operation"] for step in components.history]
    assert steps[-1] == "merge_components"
    table.loc["roi-0-2", "region"], table.loc[name, "region"] = "CA3", "CA1"
    pd.testing.assert_frame_equal(rois, table)
    pd.testing.assert_frame_equal(crashed.recover_rois("m1-_-t1"), table)


def test_what_was_recovered_is_saved_and_not_offered_again(crashed):
    components, rois = crashed.recover("m1-_-t1")
    crashed.add_sample("m1", "t1", components=components, rois=rois, overwrite=True)
    assert crashed.unsaved_edits() == []
    assert list((crashed.path / "journal").iterdir()) == []
    assert len(crashed.sample("m1-_-t1").components) == 2
    kept = [b.path for b in crashed.backups() if b.what.startswith("journal/")]
    assert kept[0].with_suffix("").is_dir(), "with the ROIs that it refers to"


def test_an_exchange_that_was_taken_back_leaves_things_as_they_were(project, sample):
    before, rois = sample.components, sample.rois
    after, table, name = merged(sample)
    journal = project.journal
    journal.record_exchange(
        "m1-_-t1", ["roi-0-0", "roi-0-1"], after.select([0]), table, {name: 0}
    )
    back = {"roi-0-0": 0, "roi-0-1": 1}
    journal.record_exchange("m1-_-t1", [name], before.select([0, 1]), rois, back)
    components, found = before, rois
    for step in journal.unsaved("m1-_-t1"):
        made = read_exchange(project.path, step)
        components, found = made.components_of(components), made.rois_of(found)
    assert_same(components, before)
    pd.testing.assert_frame_equal(found, rois)
    with pytest.raises(ParameterError, match="record_exchange"):
        journal.undo("m1-_-t1")


def test_exchanges_are_small_parquet_files_for_the_new_rois_alone(project, sample):
    after, table, name = merged(sample)
    step = project.journal.record_exchange(
        "m1-_-t1", ["roi-0-0", "roi-0-1"], after.select([0]), table, {name: 0}
    )
    path = project.path / "journal" / step.file
    assert path.suffix == ".parquet"
    rows = read_table(path, FORMAT, str, without=(COLUMN,))
    pd.testing.assert_frame_equal(rows, table.loc[[name]])
    assert path.stat().st_size < 20_000


def test_rois_that_only_went_away_leave_no_trace(project, sample):
    components, rois = sample.components, sample.rois
    step = project.journal.record_exchange(
        "m1-_-t1", ["roi-0-1"], components.select([]), rois, {}
    )
    made = read_exchange(project.path, step)
    assert made.components_of(components).roi_ids == ("roi-0-0", "roi-0-2")
    assert list(made.rois_of(rois).index) == ["roi-0-0", "roi-0-2"]
    assert made.rois_of(rois)["accepted"].dtype == bool


def test_a_damaged_exchange_is_explained(crashed):
    (path,) = (crashed.path / "journal").glob("*/*.parquet")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ProjectError, match="can not be brought back"):
        crashed.recover("m1-_-t1")
    path.unlink()
    with pytest.raises(ProjectError, match="is missing"):
        crashed.recover("m1-_-t1")


def test_a_merge_that_can_not_be_written_is_explained(project, sample, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_mesmerize.project.parquet.write_file", full)
    after, table, name = merged(sample)
    with pytest.raises(ProjectError, match="disk is full"):
        project.journal.record_exchange(
            "m1-_-t1", ["roi-0-0", "roi-0-1"], after.select([0]), table, {name: 0}
        )
    assert project.journal.unsaved("m1-_-t1") == []


def test_rois_of_other_images_are_refused(project, sample):
    after, table, name = merged(sample)
    step = project.journal.record_exchange(
        "m1-_-t1", ["roi-0-0"], after.select([0]), table, {name: 0}
    )
    made = read_exchange(project.path, step)
    other = Components.build(np.eye(6), (2, 3), {})
    with pytest.raises(ParameterError, match="same sample"):
        made.components_of(other)
