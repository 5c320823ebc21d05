"""Traces and dF/F: numpy's numbers, bounded memory, and baselines that make sense."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.data.traces import (
    BASELINES,
    dff,
    estimate_baseline,
    extract_traces,
    traces_by_kind,
)
from napari_mesmerize.errors import Cancelled, ParameterError
from napari_mesmerize.progress import reporting
from napari_mesmerize.simulation.simulate import simulate


class Watched:
    """Frames made when read; remembers how many were read at once."""

    def __init__(self, shape, dtype=np.uint16):
        self.shape, self.dtype, self.read = shape, np.dtype(dtype), []

    def __getitem__(self, frames):
        wanted = np.arange(*frames.indices(self.shape[0]))
        self.read.append(len(wanted))
        block = np.empty((len(wanted), *self.shape[1:]), self.dtype)
        block[:] = (wanted % 100).reshape(-1, *(1,) * (len(self.shape) - 1))
        return block


@given(st.integers(1, 4), st.sampled_from([(3, 4), (2, 3, 4)]), st.integers(0, 99))
def test_a_trace_is_the_weighted_mean_of_pixels(n_rois, shape, seed):
    rng = np.random.default_rng(seed)
    frames = rng.normal(100, 10, (6, *shape)).astype(np.float32)
    weights = rng.random((n_rois, *shape)) * (rng.random((n_rois, *shape)) < 0.5)
    weights[:, ..., 0] += 0.1
    traces = extract_traces(as_recording(frames), weights)
    flat = weights.reshape(n_rois, -1)
    expected = flat @ frames.reshape(6, -1).T / flat.sum(1)[:, None]
    assert traces.dtype == np.float32
    np.testing.assert_allclose(traces, expected, rtol=1e-5)
    scaled = extract_traces(as_recording(frames), weights * 7)
    np.testing.assert_allclose(scaled, traces, rtol=1e-6)


def test_missing_pixels_do_not_count():
    frames = np.ones((3, 2, 2), np.float32)
    frames[0, 0, 0] = np.nan
    frames[0, 0, 1] = 5
    frames[1] = [[np.inf, np.nan], [np.nan, -np.inf]]
    traces = extract_traces(as_recording(frames), np.ones((1, 2, 2), bool))
    np.testing.assert_allclose(traces[0], [7 / 3, np.nan, 1])


@pytest.mark.parametrize("missing", [False, True])
def test_memory_changes_nothing(small_2p, missing):
    truth = small_2p.truth
    frames = small_2p.recording.to_numpy().astype(np.float32)
    if missing:
        frames[50:60, :30] = np.nan
    recording = as_recording(frames)
    whole = traces_by_kind(recording, truth.footprints)
    for max_memory in (1, 300_000, 3_000_000):
        part = traces_by_kind(recording, truth.footprints, max_memory=max_memory)
        for kind in ("raw", "neuropil"):
            np.testing.assert_array_equal(part[kind], whole[kind])


def test_memory_does_not_grow_with_the_recording():
    masks = np.zeros((4, 100, 100), bool)
    for i in range(4):
        masks[i, 10 * i : 10 * i + 9] = True
    peaks = []
    for n_frames in (500, 4000):
        frames = Watched((n_frames, 100, 100))
        recording = as_recording(frames)
        tracemalloc.start()
        traces = extract_traces(recording, masks, max_memory=8_000_000)
        peaks.append(tracemalloc.get_traced_memory()[1] - traces.nbytes)
        tracemalloc.stop()
        np.testing.assert_array_equal(traces[2], np.arange(n_frames) % 100)
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 10_000_000
    assert max(frames.read) < 200


def test_a_batch_is_a_short_step_however_much_memory_there_is(monkeypatch):
    monkeypatch.setattr("napari_mesmerize.data.traces._STEP_BYTES", 1000)
    frames = Watched((50, 10, 10), np.uint8)
    extract_traces(as_recording(frames), np.ones((10, 10), bool), max_memory=2**40)
    assert frames.read == [10] * 5


def test_traces_of_cells_follow_their_activity():
    quiet = {"neuropil": 0.01, "oof_frac": 0.0, "bleach": 0.0, "drift": 0.0}
    recording, truth = simulate(
        "2p-small", seed=1, shape=(300, 64, 64), n_cells=12, **quiet
    )
    components = Components.build(truth.footprints, truth.image_shape, {})
    found = traces_by_kind(recording, components)
    bright = np.flatnonzero(truth.snr > 10)
    assert len(bright) > 3
    for i in bright:
        assert np.corrcoef(found["raw"][i], truth.traces[i])[0, 1] > 0.8
    np.testing.assert_array_equal(extract_traces(recording, components), found["raw"])
    np.testing.assert_array_equal(
        extract_traces(recording, components, neuropil=True), found["neuropil"]
    )


def test_what_traces_can_not_be_made_of(small_2p):
    recording = small_2p.recording
    with pytest.raises(ParameterError, match="100 pixels"):
        extract_traces(recording, Components.build(np.ones((100, 1)), (10, 10), {}))
    with pytest.raises(ParameterError, match="cover no pixel"):
        extract_traces(recording, np.zeros((64, 64), bool)[None])
    with pytest.raises(ParameterError, match="'raw' and 'neuropil'"):
        traces_by_kind(recording, small_2p.truth.footprints, ("dff",))
    with pytest.raises(ParameterError, match="0 frames"):
        extract_traces(recording[:0], small_2p.truth.footprints)
    assert extract_traces(recording, []).shape == (0, 300)


def test_progress_can_cancel(small_2p):
    def stop(desc, done, total):
        assert desc == "Extracting traces"
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        extract_traces(
            small_2p.recording,
            small_2p.truth.footprints,
            max_memory=1,
            progress=reporting(stop),
        )


@given(
    st.integers(1, 60),
    st.floats(0, 100),
    st.floats(0.1, 20),
    st.booleans(),
    st.integers(0, 99),
)
def test_a_running_percentile_is_that_of_a_centred_window(
    n_frames, percentile, window_s, missing, seed
):
    rng = np.random.default_rng(seed)
    traces = rng.normal(10, 1, (2, n_frames))
    if missing:
        traces[0, rng.random(n_frames) < 0.2] = np.nan
    found = estimate_baseline(traces, 5, percentile=percentile, window_s=window_s)
    half = max(1, round(window_s * 5)) // 2
    for i in range(n_frames):
        window = traces[:, max(0, i - half) : i + half + 1]
        for row in (0, 1):
            finite = window[row][np.isfinite(window[row])]
            if finite.size:
                expected = np.percentile(finite, percentile)
                assert found[row, i] == pytest.approx(expected)
            else:
                assert np.isnan(found[row, i])


def test_dff_of_a_step_is_known_for_every_baseline():
    trace = np.repeat([100.0, 150.0, 100.0], [300, 20, 300])
    for baseline in BASELINES:
        change = dff(trace, 10, baseline=baseline)
        assert change.shape == trace.shape
        assert change.dtype == np.float32
        np.testing.assert_allclose(change, np.repeat([0, 0.5, 0], [300, 20, 300]))
    shifted = dff(trace + 40, 10, offset=40)
    np.testing.assert_allclose(shifted, dff(trace, 10))


@given(st.floats(0.1, 1000), st.sampled_from(BASELINES))
def test_dff_does_not_depend_on_the_gain(gain, baseline):
    traces = np.random.default_rng(0).normal(100, 5, (3, 200))
    first = dff(traces, 20, baseline=baseline)
    np.testing.assert_allclose(
        dff(gain * traces, 20, baseline=baseline), first, atol=1e-5
    )


def test_first_seconds_and_whole_trace():
    traces = np.array([[1.0, 3, 5, 7, 9], [2, 2, np.nan, 4, 4]])
    found = dff(traces, 2.0, baseline="first_seconds", first_s=1.0)
    np.testing.assert_allclose(found[0], (traces[0] - 2) / 2)
    found = dff(traces, baseline="percentile", percentile=50)
    np.testing.assert_allclose(found[0], (traces[0] - 5) / 5)
    np.testing.assert_allclose(found[1], (traces[1] - 3) / 3)


@pytest.mark.parametrize("level", [0.0, -5.0, 1e-6])
@pytest.mark.parametrize("baseline", BASELINES)
def test_a_baseline_at_or_below_zero_is_an_error_or_nan(level, baseline):
    low = np.full(100, level)
    low[40:45] = 50
    traces = np.array([np.full(100, 100.0), low])
    with pytest.raises(ParameterError, match=r"1 of 2 traces.*trace 1.*low='nan'"):
        dff(traces, 10, baseline=baseline, first_s=2)
    found = dff(traces, 10, baseline=baseline, first_s=2, low="nan")
    np.testing.assert_array_equal(found[0], 0)
    assert np.isnan(found[1]).all()


def test_traces_of_nan_and_of_nothing():
    found = dff(np.full((1, 50), np.nan), 10)
    assert np.isnan(found).all()
    assert dff(np.zeros((0, 5)), 10).shape == (0, 5)
    with pytest.raises(ParameterError, match="is not above zero"):
        dff(np.zeros((1, 50)), 10)


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"frame_rate": None}, "frame_rate=None.*baseline='percentile'"),
        ({"frame_rate": 0}, "frame_rate=0"),
        ({"baseline": "median"}, "expected one of percentile_running"),
        ({"percentile": 101}, "percentile=101"),
        ({"window_s": 0}, "window_s=0"),
        ({"baseline": "first_seconds", "first_s": -1}, "first_s=-1"),
        ({"low": "zero"}, "'raise' or 'nan'"),
    ],
)
def test_parameters_out_of_range(keywords, text):
    with pytest.raises(ParameterError, match=text):
        dff(np.ones((2, 50)), **{"frame_rate": 10, **keywords})


def test_dff_wants_traces():
    for wrong in (np.ones((2, 2, 2)), np.ones((2, 0)), 3.0):
        with pytest.raises(ParameterError, match="expected"):
            dff(wrong, 10)
