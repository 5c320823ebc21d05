"""Projections: numpy's numbers, whatever the batches and whatever is missing."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import Cancelled, ParameterError
from napari_mesmerize.progress import reporting
from napari_mesmerize.transforms.projections import KINDS, project

STEPS = [(0, a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]
STEPS += [(1, 0, 0), (-1, 0, 0)]


def correlation_by_hand(frames):
    """Pixel by pixel, from frames of shape (n_frames, n_planes, height, width)."""
    image = np.full(frames.shape[1:], np.nan)
    for at in np.ndindex(image.shape):
        here = frames[(slice(None), *at)]
        if not np.isfinite(here).any():
            continue
        found = []
        for step in STEPS:
            other = tuple(np.add(at, step))
            inside = all(0 <= i < n for i, n in zip(other, image.shape, strict=True))
            if not inside:
                continue
            there = frames[(slice(None), *other)]
            both = np.isfinite(here) & np.isfinite(there)
            a, b = here[both], there[both]
            if len(a) > 1 and np.ptp(a) > 0 and np.ptp(b) > 0:
                found.append(np.corrcoef(a, b)[0, 1])
        image[at] = np.mean(found) if found else 0
    return image


@given(
    shape=st.tuples(*(st.integers(1, n) for n in (8, 3, 4, 4))),
    missing=st.sampled_from([0, 0.2, 0.9]),
    batch_size=st.integers(1, 9),
    offset=st.sampled_from([0, 1000]),
    seed=st.integers(0, 99),
)
def test_projections_equal_numpy_s(shape, missing, batch_size, offset, seed):
    rng = np.random.default_rng(seed)
    frames = np.round(rng.normal(offset, 2, shape), 2)
    frames[rng.random(shape) < missing] = np.nan
    frames[:, 0, 0, 0] = offset
    images = project(as_recording(frames), batch_size=batch_size)
    expected = {"correlation": correlation_by_hand(frames)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected["mean"] = np.nanmean(frames, 0)
        expected["std"] = np.nanstd(frames, 0)
        expected["max"] = np.nanmax(frames, 0)
    for kind in KINDS:
        assert images[kind].dtype == np.float32
        assert images[kind].shape == shape[1:]
        np.testing.assert_allclose(
            images[kind], expected[kind], atol=1e-4, err_msg=kind
        )


def test_planes_and_volumes_of_one_plane_agree(small_2p):
    part = small_2p.recording[:50]
    plane = project(part)
    volume = project(as_recording(part.to_numpy()[:, None]))
    for kind in KINDS:
        assert plane[kind].shape == (64, 64)
        np.testing.assert_array_equal(plane[kind], volume[kind][0])


def test_cells_stand_out_in_the_correlation_image(small_2p):
    image = project(small_2p.recording, ("correlation",))["correlation"]
    truth = small_2p.truth
    brightest = np.argmax(truth.snr)
    cell = truth.footprints[:, [brightest]].toarray().reshape(64, 64) > 0.5
    assert np.median(image[cell]) > np.median(image) + 0.2


def test_large_counts_lose_no_digits():
    frames = np.full((200, 3, 3), 60000, np.uint16)
    frames[::2] += 1
    images = project(as_recording(frames), batch_size=7)
    np.testing.assert_allclose(images["std"], 0.5, atol=1e-6)
    np.testing.assert_allclose(images["correlation"], 1, atol=1e-6)


def test_a_constant_recording_has_no_correlation():
    images = project(as_recording(np.full((5, 4, 4), 7.0)))
    for kind, value in {"mean": 7, "max": 7, "std": 0, "correlation": 0}.items():
        np.testing.assert_array_equal(images[kind], value)
    assert project(as_recording(np.ones((1, 1, 1))))["correlation"] == 0


def test_infinite_pixels_count_as_missing():
    frames = np.ones((4, 2, 2))
    frames[1, 0, 0] = np.inf
    assert project(as_recording(frames))["max"][0, 0] == 1


def test_only_what_is_asked_for_is_made(make_recording):
    recording = make_recording(np.zeros((3, 4, 4), bool))
    assert list(project(recording, ["max"])) == ["max"]
    with pytest.raises(ParameterError, match=r"median.*expected some of"):
        project(recording, ("median",))
    with pytest.raises(ParameterError, match="expected some"):
        project(recording, ())
    with pytest.raises(ParameterError, match="0 frames"):
        project(recording[:0])


def test_memory_bounds_the_batches(make_recording):
    read = []

    class Watched:
        shape, dtype = (40, 50, 50), np.dtype(np.uint16)

        def __getitem__(self, frames):
            read.append(len(range(*frames.indices(40))))
            return np.zeros((read[-1], 50, 50), np.uint16)

    frame = 2500 * (2 + 8)
    project(as_recording(Watched()), max_memory=2500 * 8 * 12 + 5 * frame)
    assert max(read) == 5
    assert sum(read) == 40
    read.clear()
    project(as_recording(Watched()), max_memory=1)
    assert max(read) == 1


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i2", "i4", "f4", ">f4", "f8"])
def test_every_type_in_any_order_gives_the_same(dtype):
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 200, (40, 30, 50)).astype(dtype)
    expected = project(as_recording(frames.astype(np.float64)), workers=1)
    turned = np.asfortranarray(frames)
    for array, workers in ((frames, 1), (turned, 3)):
        found = project(as_recording(array), workers=workers)
        for kind in KINDS:
            np.testing.assert_allclose(found[kind], expected[kind], atol=2e-5)


def test_a_dark_start_loses_no_digits():
    rng = np.random.default_rng(0)
    frames = rng.normal(20_000, 3, (3000, 20, 30)).round().astype(np.uint16)
    frames[:100] = 0
    found = project(as_recording(frames), batch_size=100)
    np.testing.assert_allclose(found["std"], frames.std(0), rtol=1e-5)
    np.testing.assert_allclose(found["mean"], frames.mean(0), rtol=1e-6)


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_batch_with_a_gap_in_its_midst_is_counted_once(dtype, missing):
    rng = np.random.default_rng(5)
    frames = rng.normal(50, 4, (90, 120, 150)).astype(dtype)
    frames[45, 70, 80] = missing  # first and last frames of each batch are whole
    known = np.where(np.isfinite(frames), frames.astype(np.float64), np.nan)
    found = project(as_recording(frames), batch_size=30, workers=3)
    for kind, function in (("mean", np.nanmean), ("std", np.nanstd)):
        np.testing.assert_allclose(found[kind], function(known, 0), rtol=1e-5)
    np.testing.assert_array_equal(found["max"], np.nanmax(known, 0).astype("f4"))
    part = known[:, 68:73, 78:83]
    expected = correlation_by_hand(part[:, None])[0, 1:-1, 1:-1]
    got = found["correlation"][69:72, 79:82]
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_numbers_whose_squares_need_double_precision():
    frames = np.random.default_rng(6).normal(0, 1e25, (40, 6, 7)).astype(np.float32)
    found = project(as_recording(frames), batch_size=16)
    np.testing.assert_allclose(found["std"], frames.astype("f8").std(0), rtol=1e-5)


@pytest.mark.parametrize("n_frames", [1, 2, 3, 5, 31, 33, 63])
def test_any_number_of_frames_in_a_batch(n_frames):
    rng = np.random.default_rng(n_frames)
    frames = rng.integers(0, 4000, (n_frames, 2, 90, 100), np.uint16)
    found = project(as_recording(frames))
    np.testing.assert_allclose(found["mean"], frames.mean(0), rtol=1e-6)
    np.testing.assert_allclose(found["std"], frames.std(0), rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(found["max"], frames.max(0))
    double = project(as_recording(frames.astype(np.float64)), ("correlation",))
    np.testing.assert_allclose(found["correlation"], double["correlation"], atol=1e-5)


@pytest.mark.parametrize("workers", [2, 5])
def test_workers_change_nothing(workers):
    rng = np.random.default_rng(1)
    frames = rng.normal(100, 9, (20, 3, 120, 130)).astype(np.float32)
    one = project(as_recording(frames), workers=1)
    more = project(as_recording(frames), workers=workers)
    for kind in KINDS:
        np.testing.assert_array_equal(one[kind], more[kind])


def test_progress_can_cancel(make_recording):
    def stop(desc, done, total):
        assert (desc, total) == ("Projecting", 5)
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        project(
            make_recording(np.zeros((5, 2, 2))), batch_size=1, progress=reporting(stop)
        )
