"""One table of all ROIs, read again only where files changed."""

import numpy as np
import pandas as pd
import pytest

from napari_mesmerize.project import open_project, parquet


def test_table_has_a_row_per_roi_with_the_samples_columns(project, make_parts):
    for version, trial in ((1, "t1"), (2, "t2")):
        project.add_sample("m1", trial, **make_parts(version))
    table = project.table()
    assert table.index.name == "roi_id"
    assert list(table.columns[:8]) == [
        "sample_id",
        "animal_id",
        "trial_id",
        "date",
        "comments",
        "frame_rate",
        "n_frames",
        "age_days",
    ]
    assert list(table["sample_id"]) == ["m1-_-t1"] * 3 + ["m1-_-t2"] * 3
    assert list(table["age_days"]) == [1] * 3 + [2] * 3
    assert list(table["region"]) == ["region 1"] * 3 + ["region 2"] * 3
    assert (table["frame_rate"] == 10.0).all()
    assert (table["n_frames"] == 8).all()
    assert table["accepted"].dtype == bool
    assert table["age_days"].dtype == np.int64
    assert "outline" not in table
    assert project.table(outlines=True)["outline"].iloc[3][2] == [1.0, 3.0]
    assert "outline" not in project.table()
    pd.testing.assert_frame_equal(open_project(project.path).table(), table)


def test_only_changed_files_are_read_again(project, make_parts, monkeypatch):
    for trial in ("t1", "t2", "t3"):
        project.add_sample("m1", trial, **make_parts(int(trial[1])))
    project.table()
    reads = []
    read = parquet.read_table

    def counting(path, *args, **keywords):
        reads.append(path.parent.name)
        return read(path, *args, **keywords)

    monkeypatch.setattr(parquet, "read_table", counting)
    project.table()
    assert reads == []
    other = open_project(project.path)
    rois = other.sample("m1-_-t2").rois
    rois["region"] = "changed"
    other.update_rois("m1-_-t2", rois)
    reads.clear()
    assert (project.table()["region"] == "changed").sum() == 3
    assert reads == ["m1-_-t2"]
    other.update_sample("m1-_-t3", custom={"age_days": 50})
    assert (project.table()["age_days"] == 50).sum() == 3
    other.remove_sample("m1-_-t1")
    assert len(project.table()) == 6


def test_changing_the_table_does_not_change_the_cache(project, sample):
    table = project.table()
    table["region"] = "mine"
    assert "mine" not in set(project.table()["region"])


def test_columns_that_only_some_samples_have_are_empty_elsewhere(project, make_parts):
    rois = make_parts(1)["rois"]
    project.add_sample("m1", "t1", rois=rois)
    project.add_sample("m1", "t2", rois=make_parts(2)["rois"].assign(area=5.0))
    area = project.table()["area"]
    assert list(area.isna()) == [True] * 3 + [False] * 3


def test_a_score_named_like_a_sample_column_is_kept_apart(project, make_parts):
    rois = make_parts(1)["rois"].assign(age_days=7.5)
    project.add_sample("m1", "t1", rois=rois)
    table = project.table()
    assert (table["age_days"] == -1).all()
    assert (table["age_days_roi"] == 7.5).all()


def test_tables_of_an_empty_project(project):
    table = project.table()
    assert len(table) == 0
    assert {"sample_id", "age_days", "region", "accepted"} <= set(table)
    assert len(project.sample_table()) == 0


@pytest.mark.parametrize("n_samples", [40])
def test_the_sample_table_has_one_row_each(project, n_samples):
    for number in range(n_samples):
        project.add_sample("m1", f"t{number:02}", custom={"age_days": number})
    table = project.sample_table()
    assert list(table["age_days"]) == list(range(n_samples))
    assert table["frame_rate"].isna().all()
