"""Simulated recordings: the same numbers as ever, a consistent truth, clear errors."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage, signal

from napari_mesmerize.data.epochs import check_epochs
from napari_mesmerize.data.recording import frame_times
from napari_mesmerize.errors import ParameterError, ReadError
from napari_mesmerize.simulation.simulate import (
    MOTIONS,
    PRESETS,
    SAMPLES,
    Truth,
    make_stimulus_epochs,
    sample_recording,
    simulate,
)

SMALL = {
    "2p-small": {"shape": (45, 40, 48), "n_cells": 5},
    "1p-small": {"shape": (45, 40, 48), "n_cells": 4},
    "3d-small": {"shape": (12, 4, 32, 36), "n_cells": 6},
}

# Made by the reference program, seed 7 (overlap where rigid): digest and weighted sum
# of the frames, digest of the truth and sum of its magnitudes.
REFERENCE = {
    ("2p-small", "none"): (
        "af211ac8e820acd9",
        20325564016,
        "7e28ea0e4a137c57",
        1402.181,
    ),
    ("2p-small", "rigid"): (
        "e95969bfb48d8f33",
        20348851263,
        "4c092ffa3404068f",
        1627.310,
    ),
    ("2p-small", "piecewise"): (
        "c2ef39a6e3a11db7",
        20206612955,
        "61c7fa940c5c16a4",
        2749.405,
    ),
    ("1p-small", "none"): (
        "cc5e213ae0d715d1",
        24472594180,
        "e54ee151585d2783",
        11652.702,
    ),
    ("1p-small", "rigid"): (
        "3c2f268cebaa882b",
        24847189822,
        "bff8577ade5338cc",
        12221.682,
    ),
    ("1p-small", "piecewise"): (
        "4e09d689629c0931",
        24719268971,
        "94d60608d74a7938",
        13198.671,
    ),
    ("3d-small", "none"): (
        "32975da1abf480dd",
        15394533876,
        "6f064e019fb47d8a",
        6811.909,
    ),
    ("3d-small", "rigid"): (
        "4f2dfc6f1120b657",
        14770983765,
        "a01a10e85478f425",
        6339.801,
    ),
    ("3d-small", "piecewise"): (
        "96691c6a7317045a",
        15495840284,
        "9d87666b5440ac60",
        6903.547,
    ),
}
PROBE = "9b8a6cfe1a1641a5"


def digest(*arrays):
    total = hashlib.sha256()
    for array in arrays:
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()[:16]


def rounds_as_the_reference_did():
    """Whether this machine rounds the last bit as that of the reference did."""
    x = np.random.default_rng(0).standard_normal((48, 50)).astype(np.float32)
    smooth = ndimage.gaussian_filter(x.astype(float), 2)
    decay = signal.lfilter([1.0], [1, -0.5], x)
    logistic = 1 / (1 + np.exp(x.astype(float)))
    return digest(logistic, np.exp(x), x.T @ x, smooth, decay) == PROBE


def parts(truth):
    cells, ignored = truth.footprints, truth.ignored
    return (
        cells.data,
        cells.indices.astype(np.int64),
        ignored.data,
        truth.traces,
        truth.spikes,
        truth.f0,
        truth.snr,
        truth.centroids,
        truth.tau_s,
        truth.shifts,
        truth.field,
    )


@pytest.mark.parametrize(("preset", "motion"), REFERENCE)
def test_the_numbers_are_the_reference_s(preset, motion):
    frames_digest, weighted_sum, truth_digest, magnitude = REFERENCE[preset, motion]
    recording, truth = simulate(
        preset, motion, 7, overlap=motion == "rigid", **SMALL[preset]
    )
    frames = recording.to_numpy()
    weights = np.arange(frames.size) % 1009
    found = int((weights * frames.ravel().astype(np.int64)).sum())
    assert abs(found - weighted_sum) <= 5 * 1009, "more than a few counts differ by 1"
    if found == weighted_sum:  # processors may round the last bit otherwise
        assert digest(frames) == frames_digest
    cells, ignored = truth.footprints.data, truth.ignored.data
    arrays = (cells, ignored, truth.traces, truth.spikes, truth.shifts, truth.field)
    total = sum(np.abs(array.astype(float)).sum() for array in arrays)
    assert total == pytest.approx(magnitude, rel=1e-6)
    if rounds_as_the_reference_did():
        assert digest(*parts(truth)) == truth_digest


def test_workers_and_where_frames_go_change_nothing():
    keywords = {"motion": "rigid", "seed": 2, "shape": (60, 200, 220), "n_cells": 9}
    one = simulate(workers=1, **keywords)
    frames = np.zeros((60, 200, 220), np.uint16)
    three = simulate(workers=3, out=frames, **keywords)
    np.testing.assert_array_equal(one.recording, three.recording)
    np.testing.assert_array_equal(frames, one.recording)


def test_the_scene_does_not_depend_on_the_motion():
    truths = [simulate("2p-small", m, 3, **SMALL["2p-small"]).truth for m in MOTIONS]
    for other in truths[1:]:
        np.testing.assert_array_equal(truths[0].traces, other.traces)
        np.testing.assert_array_equal(
            truths[0].footprints.toarray(), other.footprints.toarray()
        )


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("preset", SMALL)
def test_the_truth_is_consistent(preset, motion):
    recording, truth = simulate(preset, motion, 1, **SMALL[preset])
    n_frames, *image_shape = recording.shape
    assert truth.image_shape == tuple(image_shape)
    assert truth.footprints.shape == (np.prod(image_shape), len(truth))
    assert truth.traces.shape == truth.spikes.shape == (len(truth), n_frames)
    assert truth.shifts.shape == (n_frames, len(image_shape))
    assert np.any(truth.shifts) == (motion != "none")
    assert np.abs(truth.shifts).max() <= PRESETS[preset]["max_shift"]
    assert (truth.field.size > 0) == (motion == "piecewise")
    assert (truth.snr > 0).all()
    inside = (truth.centroids >= 0) & (truth.centroids < image_shape)
    assert inside.all()
    # The scene moves by the displacement: a cell's light lies around its centroid.
    weights = truth.footprints.toarray()
    where = np.stack([axis.ravel() for axis in np.indices(image_shape)], 1)
    centre = (weights.T @ where) / weights.sum(0)[:, None]
    assert np.abs(centre - truth.centroids).max() < 3


def test_frames_move_by_plus_the_displacement():
    still = simulate("2p-small", "none", 5, shape=(45, 64, 64), n_cells=10)
    moved = simulate("2p-small", "rigid", 5, shape=(45, 64, 64), n_cells=10)
    frame = int(np.argmax(np.abs(moved.truth.shifts).sum(1)))
    shift = moved.truth.shifts[frame]
    assert np.abs(shift).max() > 1
    image = ndimage.gaussian_filter(still.recording.to_numpy().mean(0), 1)
    seen = ndimage.gaussian_filter(moved.recording[frame].to_numpy().astype(float), 1)
    inner = slice(10, -10), slice(10, -10)
    scores = {
        sign: np.corrcoef(
            ndimage.shift(image, sign * shift, order=1)[inner].ravel(),
            seen[inner].ravel(),
        )[0, 1]
        for sign in (1, -1)
    }
    assert scores[1] > scores[-1] + 0.1


def test_displacement_is_known_at_any_point():
    truth = simulate("2p-small", "piecewise", 1, **SMALL["2p-small"]).truth
    at_grid = truth.displacement(truth.grid_y, truth.grid_x)
    np.testing.assert_allclose(at_grid, truth.field, atol=1e-6)
    rigid = simulate("2p-small", "rigid", 1, **SMALL["2p-small"]).truth
    np.testing.assert_array_equal(
        rigid.displacement(3, [1, 2])[:, 0, 1], rigid.shifts.astype(float)
    )
    volume = simulate("3d-small", "rigid", 1, **SMALL["3d-small"]).truth
    with pytest.raises(ParameterError, match=r"Truth\.field"):
        volume.displacement(1, 1)


def test_facts_of_the_recording(small_2p):
    recording, truth = small_2p
    assert recording.attrs["frame_rate"] == truth.frame_rate == 15
    assert recording.attrs["pixel_size_um"] is None
    assert recording.attrs["meta"]["seed"] == 1
    assert recording.attrs["history"][0]["operation"] == "simulate"
    assert recording.attrs["history"][0]["seed"] == 1
    assert frame_times(recording)[-1] == pytest.approx(299 / 15)


@pytest.mark.parametrize("motion", MOTIONS)
def test_truth_survives_a_file(tmp_path, motion):
    truth = simulate("2p-small", motion, 1, **SMALL["2p-small"]).truth
    truth.save(tmp_path / "truth.npz")
    again = Truth.load(tmp_path / "truth.npz")
    for a, b in zip(parts(truth), parts(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.params == truth.params
    assert again.image_shape == truth.image_shape
    assert again.frame_rate == truth.frame_rate


def test_a_file_that_is_no_truth_is_refused(tmp_path):
    (tmp_path / "a.npz").write_text("no")
    np.savez(tmp_path / "b.npz", x=1)
    for name in ("a.npz", "b.npz", "missing.npz"):
        with pytest.raises(ReadError, match=r"Truth\.save"):
            Truth.load(tmp_path / name)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"preset": "4p"}, "choose one of 2p-small"),
        ({"motion": "wild"}, "none, rigid, piecewise"),
        ({"cells": 3}, "cells: no such parameter"),
        ({"shape": (10, 64, 64)}, r"at least|needs 3 axes and 2 s \(30 frames\)"),
        ({"shape": (100, 2, 64, 64)}, "3 axes"),
        ({"shape": (100, 8, 64)}, "too small"),
        ({"fps": 0}, "can not be simulated"),
        ({"n_cells": 0}, "at least 1"),
        ({"out": np.zeros((2, 2, 2))}, "needs shape"),
    ],
)
def test_what_can_not_be_simulated(arguments, text):
    with pytest.raises(ParameterError, match=text):
        simulate(**arguments)


def test_samples_exist(monkeypatch):
    assert {"two-photon", "one-photon", "volume"} <= set(SAMPLES)
    asked = {}
    module = sys.modules["napari_mesmerize.simulation.simulate"]
    monkeypatch.setattr(module, "simulate", lambda **keywords: asked.update(keywords))
    sample_recording("volume")
    assert asked["preset"] == "3d-small"
    with pytest.raises(ParameterError, match="choose one of two-photon"):
        sample_recording("x-ray")


def test_epochs_of_a_sample_fit_into_it():
    epochs = make_stimulus_epochs(66.7, names=("a", "b", "c"))
    check_epochs(epochs, stop_s=66.7)
    assert epochs["name"].tolist()[:4] == ["a", "b", "c", "a"]
    assert epochs["stop_s"].max() <= 66.7
    assert len(make_stimulus_epochs(3.0)) == 0


def test_importing_the_module_is_cheap():
    code = (
        "import sys, napari_mesmerize.simulation.simulate;"
        "heavy = {'scipy.ndimage', 'xarray', 'pandas', 'zarr', 'numba', 'skimage'};"
        "sys.exit(str(heavy & set(sys.modules) or ''))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() in ("", "set()"), done.stderr
