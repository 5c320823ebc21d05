"""Fixtures that all tests share."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import squares
import xarray as xr
from hypothesis import settings

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.simulation.simulate import Simulation, simulate
from napari_mesmerize.workspace.roi_set import RoiSet

pytest_plugins = ["leaks", "pytester"]  # leaks: tests/helpers/leaks.py

settings.register_profile("mesmerize", deadline=None, max_examples=30)
settings.load_profile("mesmerize")


@pytest.fixture(scope="session")
def make_recording() -> Callable[..., xr.DataArray]:
    """Make a recording of an array; 10 Hz unless said otherwise."""

    def make(frames: Any, *, frame_rate: float | None = 10.0, **facts: Any):
        return as_recording(np.asarray(frames), frame_rate=frame_rate, **facts)

    return make


def _frozen(**keywords: Any) -> Simulation:
    """Simulate; the frames can not be written to, since many tests share them."""
    simulation = simulate(**keywords)
    simulation.recording.variable._data.array.frames.flags.writeable = False
    return simulation


@pytest.fixture(scope="session")
def small_2p() -> Simulation:
    """Two-photon, 300 frames of 64 x 64, 11 cells, without motion."""
    return _frozen(preset="2p-small", seed=1, shape=(300, 64, 64), n_cells=12)


@pytest.fixture(scope="session")
def small_2p_rigid() -> Simulation:
    """The tissue of ``small_2p``, moving as a whole by up to 6 px."""
    return _frozen(
        preset="2p-small", motion="rigid", seed=1, shape=(300, 64, 64), n_cells=12
    )


@pytest.fixture(scope="session")
def small_1p() -> Simulation:
    """One-photon, 300 frames of 64 x 64, without motion."""
    return _frozen(preset="1p-small", seed=1, shape=(300, 64, 64), n_cells=8)


@pytest.fixture(scope="session")
def small_3d() -> Simulation:
    """Volumes: 60 frames of 5 planes of 48 x 48, without motion."""
    return _frozen(preset="3d-small", seed=1, shape=(60, 5, 48, 48), n_cells=10)


@pytest.fixture
def recording() -> xr.DataArray:
    """Noise: 40 frames of 20 x 30."""
    return squares.make_recording()


@pytest.fixture
def components() -> Components:
    """Four squares; 0 and 1 overlap, 3 is rejected."""
    return squares.make_components()


@pytest.fixture
def roi_set(components, recording) -> RoiSet:
    """The four squares as a set of ROIs that can be curated."""
    return RoiSet(components, recording=recording, tag_columns=("cell_type",))
