"""Frames chosen for the template, and sums of both halves of them."""

import numpy as np
import pytest
import templates
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.motion.resample.canvas import sum_shifted
from napari_mesmerize.motion.source import Schedule, Source
from napari_mesmerize.motion.template.subset import (
    choose_frames,
    make_subset,
    usable_frames,
)


def subset_of(make_recording, frames, *, workers=1, unit=4, memory=2**30):
    source = Source(make_recording(frames))
    schedule = Schedule(unit, unit, workers, memory)
    settings = templates.settings_of(source.padded_shape, max_shift=3)
    return make_subset(source, settings, schedule)


def noisy(n_frames=30, signal=0.0, seed=0):
    rng = np.random.default_rng(seed)
    scene = templates.smooth_image((1, 24, 30), seed)[0]
    frames = 100 + 5 * signal * scene + 5 * rng.normal(size=(n_frames, 24, 30))
    return frames.astype(np.float32)


@given(n_frames=st.integers(1, 500), n_wanted=st.integers(1, 500))
def test_frames_are_spread_evenly(n_frames, n_wanted):
    chosen = choose_frames(n_frames, n_wanted)
    assert len(chosen) == min(n_frames, n_wanted)
    assert chosen[0] == 0
    assert n_wanted == 1 or chosen[-1] == n_frames - 1
    assert len(chosen) < 2 or np.ptp(np.diff(chosen)) <= 1


@pytest.mark.parametrize("unit", [4, 7, 64])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("memory", [2**30, 1])  # kept, or read again each time
def test_halves_hold_each_frame_once(make_recording, unit, workers, memory):
    subset = subset_of(
        make_recording, noisy(), workers=workers, unit=unit, memory=memory
    )
    seen = []

    def add(frames, place, sums):
        seen.extend(range(place.start, place.stop))
        moves = np.zeros((len(frames), 3))
        sum_shifted(frames, moves, sums, subset.settings.pads, 1)

    first, second = subset.accumulate(add)
    assert sorted(seen) == list(range(30))
    assert first.n_frames + second.n_frames == 30
    assert min(first.n_frames, second.n_frames) >= 8
    whole = np.concatenate(subset.map(lambda frames, _, __: frames))
    inside = tuple(
        slice(pad + 3, pad + n - 3)  # the border, and the reach of the interpolation
        for pad, n in zip(subset.settings.pads[1:], (24, 30), strict=True)
    )
    total = (first.total + second.total)[0][inside]
    np.testing.assert_allclose(total, whole.sum(axis=0)[0, 3:-3, 3:-3], atol=1e-3)


def test_the_number_of_workers_does_not_change_the_rounding(make_recording):
    def sums(workers):
        subset = subset_of(make_recording, noisy(), workers=workers)

        def add(frames, place, sums):
            moves = np.full((len(frames), 3), 0.3)
            sum_shifted(frames, moves, sums, subset.settings.pads, 1)

        return subset.accumulate(add)

    for one, many in zip(sums(1), sums(4), strict=True):
        np.testing.assert_array_equal(one.total, many.total)


def test_noise_has_no_structure_in_common(make_recording):
    found = [
        subset_of(make_recording, noisy(60, seed=seed)).common_structure()
        for seed in range(5)
    ]
    assert np.mean(found) == pytest.approx(1, abs=0.25)
    assert subset_of(make_recording, noisy(60, 1.0)).common_structure() > 5
    assert subset_of(make_recording, noisy(10)).common_structure() == np.inf


def test_frames_without_pixels_or_structure_are_left_out(make_recording):
    frames = noisy(12)
    frames[3] = np.nan
    frames[7] = 5
    source = Source(make_recording(frames))
    usable = usable_frames(source, np.arange(12), Schedule(4, 4, 1, 2**30))
    assert np.flatnonzero(~usable).tolist() == [3, 7]
    subset = subset_of(make_recording, frames)
    assert 3 not in subset.chosen
    assert len(subset) == 10


@pytest.mark.parametrize("level", [np.nan, 5.0])
def test_recordings_without_frames_to_align_are_refused(make_recording, level):
    frames = np.full((12, 24, 30), level, np.float32)
    with pytest.raises(ParameterError, match="at least 2 such frames"):
        subset_of(make_recording, frames)
