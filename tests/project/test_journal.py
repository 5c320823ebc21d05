"""Edits that a crash cut off come back from the journal."""

import os

import pandas as pd
import pytest

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.project import apply_edits, open_project
from napari_mesmerize.project.journal_reading import read_unsaved

CURATE = """
import os, signal, sys
from napari_mesmerize.project import open_project
project = open_project(sys.argv[1])
journal = project.journal
journal.record("m1-_-t1", "region", {"roi-0-0": "CA1"}, {"roi-0-0": "region 0"})
rois = project.sample("m1-_-t1").rois
rois.loc["roi-0-0", "region"] = "CA1"
project.update_rois("m1-_-t1", rois)
journal.record("m1-_-t1", "region", {"roi-0-1": "CA3", "roi-0-2": "CA3"},
               {"roi-0-1": "region 0", "roi-0-2": "region 0"})
journal.record("m1-_-t1", "accepted", {"roi-0-0": False}, {"roi-0-0": True})
journal.record("m1-_-t1", "region", {"roi-0-1": "oops"}, {"roi-0-1": "CA3"})
journal.undo("m1-_-t1")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def crashed(project, sample, killed_while):
    """A project whose last session was killed with unsaved edits."""
    return killed_while(CURATE, project)


def test_unsaved_edits_of_a_killed_session_are_recovered(crashed):
    assert crashed.unsaved_edits() == ["m1-_-t1"]
    rois = crashed.recover_rois("m1-_-t1")
    assert list(rois["region"]) == ["CA1", "CA3", "CA3"]
    assert list(rois["accepted"]) == [False, False, True]
    assert rois["accepted"].dtype == bool
    assert list(crashed.sample("m1-_-t1").rois["region"])[1:] == ["region 0"] * 2
    crashed.update_rois("m1-_-t1", rois)
    pd.testing.assert_frame_equal(crashed.sample("m1-_-t1").rois, rois)
    assert crashed.unsaved_edits() == []
    assert any(b.what.startswith("journal/") for b in crashed.backups())


def test_edits_that_are_not_wanted_go_to_the_backups(crashed):
    crashed.forget_unsaved_edits()
    assert crashed.unsaved_edits() == []
    assert list((crashed.path / "journal").iterdir()) == []
    assert crashed.backups()[0].what.startswith("journal/")


def test_a_line_that_was_cut_off_is_left_out(crashed):
    (path,) = (crashed.path / "journal").glob("*.jsonl")
    with path.open("ab") as file:
        file.write(b'{"event": "edit", "sample_id": "m1-_-t1", "col')
    assert len(read_unsaved(path)["m1-_-t1"]) == 2
    with path.open("ab") as file:
        file.write(b'\nnonsense\n[1]\n{"event": "edit"}\n')
    assert len(read_unsaved(path)["m1-_-t1"]) == 2


def test_the_journal_of_an_open_session_is_not_offered(project, sample):
    project.journal.record("m1-_-t1", "region", {"roi-0-0": "x"}, {"roi-0-0": ""})
    assert open_project(project.path).unsaved_edits() == []
    assert len(project.journal.unsaved("m1-_-t1")) == 1
    project.close()
    assert project.journal.path.exists()


def test_undo_takes_edits_back_one_by_one(project, sample):
    journal, rois = project.journal, sample.rois
    for value, old in (("a", "region 0"), ("b", "a")):
        edit = journal.record("m1-_-t1", "region", {"roi-0-0": value}, {"roi-0-0": old})
        rois = apply_edits(rois, [edit])
    assert rois.loc["roi-0-0", "region"] == "b"
    rois = apply_edits(rois, [journal.undo("m1-_-t1")])
    assert rois.loc["roi-0-0", "region"] == "a"
    rois = apply_edits(rois, [journal.undo("m1-_-t1")])
    pd.testing.assert_frame_equal(rois, sample.rois)
    assert journal.undo("m1-_-t1") is None
    journal.record("m1-_-t1", "region", {"roi-0-0": "x"})
    with pytest.raises(ParameterError, match="give old="):
        journal.undo("m1-_-t1")


def test_edits_of_rois_that_are_gone_and_of_new_columns(project, sample):
    edit = project.journal.record("m1-_-t1", "note", {"roi-0-1": "odd", "gone": "x"})
    rois = apply_edits(sample.rois, [edit])
    assert list(rois["note"]) == ["", "odd", ""]
    assert list(rois.index) == list(sample.rois.index)


def test_the_journal_is_on_disk_line_by_line(project, sample):
    project.journal.record("m1-_-t1", "region", {"roi-0-0": "é"}, {"roi-0-0": ""})
    lines = project.journal.path.read_text("utf-8").splitlines()
    assert len(lines) == 2
    assert f'"pid": {os.getpid()}' in lines[0]
    assert '"new": {"roi-0-0": "é"}' in lines[1]
