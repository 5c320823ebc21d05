import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.data.recording import lazy_recording
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.transforms.lazy import downsample, map_frames, normalise


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(50, 500, (30, 8, 10)).astype(np.uint16)


def test_map_frames_computes_when_read(frames, make_recording):
    asked = []

    def root(block):
        asked.append(len(block))
        return np.sqrt(block)

    recording = make_recording(frames, pixel_size_um=(1, 2))
    mapped = map_frames(recording, root, params={"power": 0.5})
    assert asked == [1]
    np.testing.assert_allclose(mapped[3:9:2], np.sqrt(frames[3:9:2]))
    np.testing.assert_allclose(mapped[4, 2:5], np.sqrt(frames[4, 2:5]))
    assert mapped.attrs["frame_rate"] == 10
    step = mapped.attrs["history"][-1]
    assert step["operation"] == "map_frames"
    assert step["params"]["power"] == 0.5


@given(time=st.integers(1, 7), space=st.integers(1, 5), start=st.integers(0, 4))
def test_downsample_takes_means(time, space, start):
    frames = np.random.default_rng(1).normal(size=(30, 8, 10)).astype(np.float32)
    recording = lazy_recording(
        frames, frame_rate=12, pixel_size_um=(1, 2), time_s=np.arange(30) / 12
    )
    binned = downsample(recording, time=time, space=space)
    n, h, w = 30 // time, 8 // space, 10 // space
    expected = frames[: n * time, : h * space, : w * space]
    expected = expected.reshape(n, time, h, space, w, space).mean(axis=(1, 3, 5))
    assert binned.shape == (n, h, w)
    np.testing.assert_allclose(binned, expected, atol=1e-5)
    np.testing.assert_allclose(binned[start::2], expected[start::2], atol=1e-5)
    assert binned.attrs["frame_rate"] == 12 / time
    assert binned.attrs["pixel_size_um"] == (space, 2 * space)
    assert binned.time_s[0] == pytest.approx((time - 1) / 24)


def test_downsample_volumes(make_recording):
    frames = np.random.default_rng(1).normal(size=(6, 3, 8, 10)).astype(np.float32)
    binned = downsample(make_recording(frames), time=2, space=2)
    expected = frames.reshape(3, 2, 3, 4, 2, 5, 2).mean(axis=(1, 4, 6))
    np.testing.assert_allclose(binned, expected, atol=1e-5)


@pytest.mark.parametrize("how", ["divide", "subtract", "regress"])
def test_normalise_removes_a_synchronised_signal(how, make_recording):
    rng = np.random.default_rng(2)
    scene = rng.uniform(100, 200, (8, 10))
    times = np.arange(0, 12, 0.01)
    lamp = 1 + 0.3 * np.sin(times)
    at_frames = np.interp(np.arange(100) / 10, times, lamp)
    if how == "divide":
        frames, signal = scene * at_frames[:, None, None], lamp
    elif how == "subtract":
        frames, signal = scene + 50 * at_frames[:, None, None], 50 * lamp
    else:
        gain = rng.uniform(-30, 30, (8, 10))
        frames, signal = scene + gain * at_frames[:, None, None], lamp
    recording = make_recording(frames.astype(np.float32))
    clean = normalise(recording, signal, times, how=how)
    assert clean.std("frame").max() < 0.01
    assert recording.std("frame").max() > 1
    np.testing.assert_allclose(clean.mean("frame"), frames.mean(axis=0), rtol=0.05)


def test_signals_that_do_not_fit(frames, make_recording):
    recording = make_recording(frames)
    with pytest.raises(ParameterError, match="there are 30 frames"):
        normalise(recording, np.ones(29))
    with pytest.raises(ParameterError, match="must cover them"):
        normalise(recording, np.ones(10), np.arange(10) / 10)
    with pytest.raises(ParameterError, match="times must increase"):
        normalise(recording, np.ones(3), [0, 0, 5])
    with pytest.raises(ParameterError, match="only by values above 0"):
        normalise(recording, np.linspace(-1, 1, 30))
    with pytest.raises(ParameterError, match="never changes"):
        normalise(recording, np.ones(30), how="regress")
    with pytest.raises(ParameterError, match="NaN"):
        normalise(recording, np.full(30, np.nan))
    with pytest.raises(ParameterError, match="expected divide"):
        normalise(recording, np.ones(30), how="add")
    with pytest.raises(ParameterError, match="1 to 8 pixels"):
        downsample(recording, space=9)
