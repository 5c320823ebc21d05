"""Inscopix vessel sets: what the vendor's library wrote, and its bytes back."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_mesmerize.errors import ParameterError, ReadError, WriteError
from napari_mesmerize.io.inscopix.container import read_footer, write_container
from napari_mesmerize.io.inscopix.vessels import read_vessel_set, write_vessel_set

DATA = Path(__file__).parents[2] / "data" / "isxd"
EXPECTED = json.loads((DATA / "expected.json").read_text())["files"]
ARRAYS = dict(np.load(DATA / "expected.npz"))
NAMES = [name for name, facts in EXPECTED.items() if facts["kind"] == "vesselset"]


@pytest.mark.parametrize("name", NAMES)
def test_read_returns_what_is_stored(name):
    vessels = read_vessel_set(DATA / name)
    facts, stem = EXPECTED[name], name.removesuffix(".isxd")
    second = "center" if vessels.kind == "diameter" else "direction"
    for i in range(len(vessels)):
        for key, value in (
            ("line", vessels.lines[i]),
            ("trace", vessels.traces[i]),
            (second, vessels.second[i]),
        ):
            np.testing.assert_array_equal(value, ARRAYS[f"{stem}_{i}_{key}"])
        if facts["correlations"]:
            np.testing.assert_array_equal(
                vessels.correlations[i], ARRAYS[f"{stem}_{i}_correlations"]
            )
    np.testing.assert_array_equal(vessels.image, ARRAYS[f"{stem}_image"])
    assert (vessels.correlations is not None) == facts["correlations"]
    assert list(vessels.names) == facts["names"]
    assert list(vessels.statuses) == facts["status"]
    assert vessels.traces.shape[1] == facts["num_samples"]
    assert vessels.frame_rate == 20.0


@pytest.mark.parametrize("name", NAMES)
def test_write_gives_the_bytes_of_the_vendor(name, tmp_path):
    path = write_vessel_set(read_vessel_set(DATA / name), tmp_path / name)
    ours, theirs = read_footer(path), read_footer(DATA / name)
    assert {**ours.content, "writer": None} == {**theirs.content, "writer": None}
    size = theirs.n_bytes - len(vessels_end(theirs))
    assert ours.n_bytes == theirs.n_bytes
    assert ours.data[:size] == theirs.data[:size]


def vessels_end(footer):
    """Return the block behind the last vessel, whose content means nothing."""
    points = 2 if "VesselCenterSaved" in footer.content else 4
    return footer.data[footer.n_bytes - 16 * points : footer.n_bytes]


def test_vessels_without_second_trace_come_back(tmp_path):
    vessels = read_vessel_set(DATA / "vessel_diameter.isxd")
    bare = replace(
        vessels, second=None, names=(), statuses=(), missing={"dropped": [2]}
    )
    again = read_vessel_set(write_vessel_set(bare, tmp_path / "v.isxd"))
    assert again.second is None
    assert again.names == ("V0", "V1")
    assert again.statuses == ("undecided", "undecided")
    assert again.missing["dropped"] == [2]
    np.testing.assert_array_equal(again.traces, vessels.traces)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "width"}, "expected 'diameter' or 'velocity'"),
        ({"kind": "velocity"}, "lines has shape"),
        ({"traces": np.zeros(3, np.float32)}, "n_vessels, n_samples"),
        ({"names": ("one",)}, "names has shape"),
        ({"statuses": ("good", "bad")}, "statuses must be among"),
        ({"correlations": [np.zeros((40, 3, 2, 2))] * 2}, "belong to velocities"),
    ],
)
def test_what_does_not_fit_is_refused(changes, said, tmp_path):
    vessels = replace(read_vessel_set(DATA / "vessel_diameter.isxd"), **changes)
    with pytest.raises(ParameterError, match=said):
        write_vessel_set(vessels, tmp_path / "v.isxd")
    assert not list(tmp_path.iterdir())


def test_an_existing_vessel_set_is_kept(tmp_path):
    path = tmp_path / "v.isxd"
    path.write_text("precious")
    with pytest.raises(WriteError, match="overwrite=True"):
        write_vessel_set(read_vessel_set(DATA / NAMES[0]), path)
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"VesselCorrelationSizes": [[60000, 60000]] * 2}, "2 vessels of 40 samples"),
        ({"VesselCorrelationSizes": [[-1, 2]] * 2}, "pairs"),
        ({"VesselNames": ["V"] * 1000, "VesselStatuses": None}, "1000"),
        ({"extraProperties": None}, "red blood cell velocity"),
        ({"type": 1}, "expected a vessel set"),
    ],
)
def test_damaged_vessel_sets_are_refused(changes, said, tmp_path):
    footer = read_footer(DATA / "vessel_rbc.isxd")
    path = tmp_path / "bad.isxd"
    content = dict(footer.content) | changes
    write_container(path, [footer.data[: footer.n_bytes]], content)
    with pytest.raises(ReadError, match=said):
        read_vessel_set(path)
