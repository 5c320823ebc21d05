"""Frames without common structure stay where they are, and the user is told."""

import warnings

import numpy as np
import pytest

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.motion import (
    MotionWarning,
    PiecewiseParams,
    RigidParams,
    correct_motion,
)
from napari_mesmerize.simulation.simulate import PRESETS, simulate


def noise(shape=(120, 60, 64)):
    return np.random.default_rng(0).poisson(100, shape).astype(np.uint16)


def relative_to_mean(recording):
    values = recording.to_numpy().astype(np.float64)
    return values / values.mean(axis=0) - 1


@pytest.mark.parametrize("params", [RigidParams(), PiecewiseParams()])
@pytest.mark.parametrize("kind", ["noise", "volumes", "dF/F still", "dF/F moving"])
def test_nothing_is_moved(rigid_2p, still_2p, kind, params):
    frames = {
        "noise": noise,
        "volumes": lambda: noise((40, 5, 40, 44)),
        "dF/F still": lambda: relative_to_mean(still_2p.recording),
        "dF/F moving": lambda: relative_to_mean(rigid_2p.recording),
    }[kind]()
    with pytest.warns(MotionWarning, match="nothing but noise"):
        result = correct_motion(as_recording(frames), params)
    assert not result.quality.registered
    assert not result.quality.summary()["registered"]
    assert not result.shifts.any()
    if result.field is not None:
        assert not result.field.any()
    np.testing.assert_allclose(
        result.recording[:3].to_numpy(), frames[:3], atol=1e-4 * frames.std()
    )


def test_it_is_the_same_when_stored_and_resumed(tmp_path):
    with pytest.warns(MotionWarning):
        result = correct_motion(as_recording(noise()), out=tmp_path / "out.zarr")
    assert not result.quality.registered


def test_a_template_of_the_user_is_followed(rigid_2p):
    first = correct_motion(rigid_2p.recording)
    with warnings.catch_warnings():
        warnings.simplefilter("error", MotionWarning)
        result = correct_motion(
            as_recording(noise((40, 96, 96))), template=first.template
        )
    assert result.quality.registered


@pytest.mark.parametrize("light", [1, 1 / 32])
def test_dim_recordings_are_registered_all_the_same(light):
    photons = {
        name: PRESETS["2p-small"][name] * light for name in ("bg", "cell_f0", "amp")
    }
    movie = simulate(
        "2p-small", "rigid", seed=4, shape=(200, 96, 96), n_cells=30, **photons
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", MotionWarning)
        assert correct_motion(movie.recording).quality.registered
