"""Corrected pixels: interpolation, border, type, other channels."""

import numpy as np
import pytest

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.motion import (
    PiecewiseParams,
    RigidParams,
    apply_motion,
    correct_motion,
)

ENGINES = [RigidParams, PiecewiseParams]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_border_rules(rigid_2p, engine):
    recording = rigid_2p.recording[:80]
    nearest = correct_motion(recording, engine()).recording.to_numpy()
    result = correct_motion(recording, engine(border="nan"))
    nan = result.recording.to_numpy()
    known = np.isfinite(nan)
    assert 0.9 < known.mean() < 1
    np.testing.assert_array_equal(nan[known], nearest[known])
    top, bottom, left, right = result.quality.border
    inner = nan[:, top : 96 - bottom, left : 96 - right]
    assert np.isfinite(inner).mean() > 0.999
    assert max(result.quality.border) >= 1

    minimum = correct_motion(recording, engine(border="minimum")).recording.to_numpy()
    lowest = np.nanmin(nan, axis=(1, 2))
    for frame, mask, low in zip(minimum, known, lowest, strict=True):
        assert (frame[~mask] == low).all()

    crop = correct_motion(recording, engine(border="crop")).recording
    assert crop.shape == inner.shape
    np.testing.assert_array_equal(
        crop.to_numpy(), nearest[:, top : 96 - bottom, left : 96 - right]
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["uint16", "uint8"])
def test_integers_are_scaled_so_that_nothing_is_clipped(rigid_2p, engine, dtype):
    recording = rigid_2p.recording[:80]
    exact = correct_motion(recording, engine()).recording.to_numpy()
    stored = correct_motion(recording, engine(output_dtype=dtype)).recording
    assert stored.dtype == dtype
    meta = stored.attrs["meta"]
    scale, offset = meta["intensity_scale"], meta["intensity_offset"]
    values = stored.to_numpy() * scale + offset
    assert np.abs(values - exact).max() <= 0.51 * scale
    assert stored.to_numpy().max() == np.iinfo(dtype).max


def test_fourier_keeps_what_short_kernels_blur(rigid_2p):
    recording = rigid_2p.recording[:120]
    spread = {}
    for kind in ("fourier", "lanczos", "cubic", "linear"):
        params = RigidParams(interpolation=kind)
        frames = correct_motion(recording, params).recording.to_numpy()
        spread[kind] = np.abs(np.diff(frames[:, 10:-10, 10:-10], axis=0)).mean()
    assert spread["fourier"] > spread["lanczos"] > spread["cubic"] > spread["linear"]


@pytest.mark.parametrize("kind", ["lanczos", "linear"])
def test_other_kernels_follow_fields(piecewise_2p, kind):
    recording = piecewise_2p.recording[:60]
    cubic = correct_motion(recording, PiecewiseParams()).recording.to_numpy()
    params = PiecewiseParams(interpolation=kind)
    other = correct_motion(recording, params).recording.to_numpy()
    means = np.stack([cubic.mean(axis=0), other.mean(axis=0)])[:, 8:-8, 8:-8]
    assert np.corrcoef(means.reshape(2, -1))[0, 1] > 0.98


@pytest.mark.parametrize("engine", ENGINES)
def test_other_channels_move_with_the_one_that_registers(rigid_2p, engine, tmp_path):
    recording = rigid_2p.recording[:80]
    result = correct_motion(recording, engine(output_dtype="uint16"))
    other = as_recording(recording.to_numpy().astype(np.float32) * 2 + 5)
    expected = correct_motion(recording, engine()).recording.to_numpy() * 2 + 5
    moved = apply_motion(other, result)
    np.testing.assert_allclose(moved.to_numpy(), expected, rtol=1e-4, atol=0.02)
    assert moved.attrs["history"][-1]["operation"] == "apply_motion"
    assert moved.attrs["history"][-1]["inputs"][1] == result.history[-1]["id"]
    stored = apply_motion(other, result, out=tmp_path / "green.zarr")
    np.testing.assert_array_equal(stored.to_numpy(), moved.to_numpy())


def test_the_corrected_recording_is_lazy(rigid_2p):
    class Counting:
        def __init__(self, frames):
            self.frames, self.shape, self.dtype = frames, frames.shape, frames.dtype
            self.read = 0

        def __getitem__(self, frames):
            out = self.frames[frames]
            self.read += len(out)
            return out

    frames = Counting(rigid_2p.recording[:100].to_numpy())
    corrected = correct_motion(as_recording(frames)).recording
    frames.read = 0
    one = corrected[17].to_numpy()
    assert frames.read == 1
    np.testing.assert_array_equal(one, corrected[10:20].to_numpy()[7])


def test_volumes_keep_their_axes(make_moved, tmp_path):
    recording, _ = make_moved((5, 40, 44), 12)
    for engine in ENGINES:
        out = tmp_path / f"{engine.__name__}.zarr"
        result = correct_motion(recording, engine(cell_diameter=8), out=out)
        assert result.recording.dims == ("frame", "z", "y", "x")
        assert result.template.shape == (5, 40, 44)
    z, y, x = result.patch_centers
    assert result.field.shape == (12, len(z), len(y), len(x), 3)
