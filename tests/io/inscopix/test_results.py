"""Inscopix cell sets: what the vendor's library wrote, and what it would write."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError, ReadError, WriteError
from napari_mesmerize.io import read_recording
from napari_mesmerize.io.inscopix.container import read_footer, write_container
from napari_mesmerize.io.inscopix.results import read_cell_set, write_cell_set

DATA = Path(__file__).parents[2] / "data" / "isxd"
EXPECTED = json.loads((DATA / "expected.json").read_text())["files"]["cellset.isxd"]
ARRAYS = dict(np.load(DATA / "expected.npz"))
DATE = "2023-11-14T22:15:23.456+00:00"


@pytest.fixture
def cells():
    return read_cell_set(DATA / "cellset.isxd")


@pytest.fixture
def small():
    rng = np.random.default_rng(0)
    return Components.build(
        (rng.random((12, 3)) > 0.5) * rng.random((12, 3)),
        (3, 4),
        {"denoised": rng.random((3, 5)), "raw": rng.random((3, 5))},
        accepted=[True, False, True],
        frame_rate=10.0,
    )


def test_read_returns_what_is_stored(cells):
    np.testing.assert_array_equal(cells.traces["raw"], ARRAYS["cellset_traces"])
    for i, image in enumerate(ARRAYS["cellset_images"]):
        np.testing.assert_array_equal(cells.footprint_image(i), image)
    assert cells.scores["name"].tolist() == EXPECTED["names"]
    assert cells.scores["status"].tolist() == EXPECTED["status"]
    assert cells.accepted.tolist() == [s == "accepted" for s in EXPECTED["status"]]
    assert cells.frame_rate == pytest.approx(1 / EXPECTED["period_s"])
    assert cells.history[-1]["params"]["date"] == DATE


def test_write_gives_the_bytes_of_the_vendor(cells, tmp_path):
    path = write_cell_set(cells, tmp_path / "cells.isxd", date=DATE)
    ours, theirs = read_footer(path), read_footer(DATA / "cellset.isxd")
    assert ours.data[: ours.n_bytes] == theirs.data[: theirs.n_bytes]
    assert {**ours.content, "writer": None} == {**theirs.content, "writer": None}


def test_components_come_back(small, tmp_path):
    again = read_cell_set(write_cell_set(small, tmp_path / "cells.isxd"))
    np.testing.assert_array_equal(again.traces["raw"], small.traces["raw"])
    difference = again.footprints - small.footprints
    assert abs(difference).max() == 0
    assert again.scores["name"].tolist() == ["C00", "C01", "C02"]
    np.testing.assert_array_equal(again.accepted, small.accepted)
    kind = read_cell_set(write_cell_set(small, tmp_path / "kind.isxd", kind="denoised"))
    np.testing.assert_array_equal(kind.traces["raw"], small.traces["denoised"])


def test_curation_changes_the_status(cells, tmp_path):
    accepted = cells.accepted.copy()
    accepted[[0, 1]] = [False, True]
    path = write_cell_set(replace(cells, accepted=accepted), tmp_path / "c.isxd")
    statuses = read_cell_set(path).scores["status"].tolist()
    assert statuses == ["rejected", "accepted", "rejected", "accepted", "undecided"]


def test_cells_that_nobody_judged_are_all_accepted(tmp_path):
    footer = read_footer(DATA / "cellset.isxd")
    content = dict(footer.content) | {"CellStatuses": [1] * 5}
    path = tmp_path / "new.isxd"
    write_container(path, [footer.data[: footer.n_bytes]], content)
    assert read_cell_set(path).accepted.all()


def test_gaps_of_the_movie_are_nan_in_the_traces(tmp_path):
    with pytest.warns(UserWarning, match="varies"):
        recording = read_recording(DATA / "movie_u16_gaps.isxd")
    traces = np.arange(2 * 35, dtype=np.float32).reshape(2, 35)
    cells = Components.build(
        np.eye(24 * 32, 2), (24, 32), {"raw": traces}, frame_rate=20.0
    )
    path = write_cell_set(cells, tmp_path / "c.isxd", recording=recording)
    again = read_cell_set(path)
    assert again.traces["raw"].shape == (2, 40)
    missing = np.flatnonzero(np.isnan(again.traces["raw"][0]))
    assert missing.tolist() == [3, 5, 6, 7, 10]
    assert again.history[-1]["params"]["missing"]["blank"] == [5]
    valid = read_cell_set(path, valid_only=True)
    np.testing.assert_array_equal(valid.traces["raw"], traces)


def test_metrics_colours_and_units_are_read(tmp_path):
    footer = read_footer(DATA / "cellset.isxd")
    content = dict(footer.content) | {
        "CellColors": [0xFF102030] * 5,
        "cellMetrics": [{"snr": i + 0.5, "cx": None} for i in range(5)],
        "extraProperties": {"idps": {"cellset": {"units": "dF/F", "method": "x"}}},
    }
    path = tmp_path / "rich.isxd"
    write_container(path, [footer.data[: footer.n_bytes]], content)
    cells = read_cell_set(path)
    assert set(cells.scores["colour"]) == {"#102030"}
    assert cells.scores["snr"].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert list(cells.traces) == ["dff"]
    again = write_cell_set(cells, tmp_path / "again.isxd")
    assert read_footer(again).integers("CellColors") == [0xFF102030] * 5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"CellNames": ["C"] * 10**4}, "10000 cells"),
        ({"CellStatuses": [0, 7, 1, 1, 1]}, "numbers of 0, 1, 2"),
        ({"CellNames": 5}, "a list of texts"),
        ({"type": 0}, "expected a cell set"),
    ],
)
def test_damaged_cell_sets_are_refused(changes, said, tmp_path):
    footer = read_footer(DATA / "cellset.isxd")
    path = tmp_path / "bad.isxd"
    content = dict(footer.content) | {"CellStatuses": None} | changes
    write_container(path, [footer.data[: footer.n_bytes]], content)
    with pytest.raises(ReadError, match=said):
        read_cell_set(path)


def test_what_can_not_be_written_is_refused(small, tmp_path):
    path = tmp_path / "c.isxd"
    with pytest.raises(ParameterError, match="no traces of kind 'spikes'"):
        write_cell_set(small, path, kind="spikes")
    with pytest.raises(ParameterError, match="needs the frame rate"):
        write_cell_set(replace(small, frame_rate=None), path)
    volume = Components.build(np.ones((24, 1)), (2, 3, 4), {"raw": np.ones((1, 5))})
    with pytest.raises(ParameterError, match="one plane"):
        write_cell_set(volume, path)
    assert not path.exists()
    write_cell_set(small, path)
    with pytest.raises(WriteError, match="overwrite=True"):
        write_cell_set(small, path)
