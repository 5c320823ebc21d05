import pytest

from napari_mesmerize.cli.demo import demo_epochs, run_demo
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.project import open_project

SMALL = {"shape": (400, 64, 64), "n_cells": 15}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return run_demo(tmp_path_factory.mktemp("demo") / "demo", **SMALL)


def test_the_demo_recovers_motion_and_cells(report):
    assert report.scores["shift_rmse_px"] < 0.2
    assert report.scores["uncorrected_rmse_px"] > 1.0
    assert report.scores["f1"] > 0.6
    scored = report.scores["accepted_components"] - report.scores["unscored_components"]
    assert report.scores["precision"] * scored <= report.scores["true_cells"]
    assert report.scores["trace_correlation"] > 0.8


def test_the_demo_leaves_a_project_that_opens_and_a_picture(report):
    sample = open_project(report.project).sample("simulated-_-2p-small")
    assert set(sample.rois["quality"]) <= {"good", "fair", "rejected"}
    assert (sample.rois["quality"] == "rejected").equals(~sample.rois["accepted"])
    assert len(sample.epochs) == 4
    assert report.summary.stat().st_size > 50_000


def test_the_demo_measures_every_step(report):
    names = [usage.name for usage in report.usages]
    assert names == [
        "simulation",
        "motion correction",
        "projections",
        "extraction",
        "project",
        "summary picture",
    ]
    assert all(usage.peak_bytes > 0 and usage.seconds > 0 for usage in report.usages)


def test_the_demo_leaves_a_folder_of_somebody_else_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("chapter 1")
    with pytest.raises(ParameterError, match="not an earlier demo"):
        run_demo(tmp_path, **SMALL)
    assert (tmp_path / "thesis.txt").read_text() == "chapter 1"


def test_demo_epochs_lie_within_the_recording():
    epochs = demo_epochs(90.0)
    assert epochs["start_s"].min() == pytest.approx(10.0)
    assert epochs["stop_s"].max() == pytest.approx(80.0)
