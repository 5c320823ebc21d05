"""Recordings with known truth: two-photon, one-photon and volumetric, with motion.

Deterministic: the same preset, motion, seed and options give the same recording. The
scene (cells, activity, background) does not depend on the motion, so that recordings of
one seed show the same tissue.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.simulation.truth import Truth

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = [
    "MOTIONS",
    "PRESETS",
    "SAMPLES",
    "Simulation",
    "Truth",
    "make_stimulus_epochs",
    "sample_recording",
    "simulate",
]

_TWO_PHOTON: dict[str, Any] = {
    "kind": "2p",
    "fps": 15.0,
    "radius": 4.6,
    "min_dist": 1.55,
    "bg": 9.0,
    "cell_f0": 5.0,
    "amp": 2.6,
    "amp_sigma": 0.65,
    "tau_rise": 0.07,
    "tau_decay": 0.55,
    "burst_rate": 0.12,
    "burst_size": 2.5,
    "annulus": 0.7,
    "psf": 0.8,
    "neuropil": 0.22,
    "n_bg": 8,
    "oof_frac": 0.4,
    "oof_sigma": 5.0,
    "oof_amp": 0.35,
    "bleach": 0.12,
    "drift": 0.02,
    "gain": 28.0,
    "read_noise": 18.0,
    "offset": 200.0,
    "vignette": 0.25,
    "max_shift": 6.0,
    "field_std": 0.9,
}
_ONE_PHOTON: dict[str, Any] = {
    **_TWO_PHOTON,
    "kind": "1p",
    "fps": 20.0,
    "radius": 5.6,
    "min_dist": 1.7,
    "bg": 420.0,
    "cell_f0": 12.0,
    "amp": 14.0,
    "amp_sigma": 0.5,
    "tau_rise": 0.08,
    "tau_decay": 0.6,
    "burst_rate": 0.10,
    "burst_size": 3.0,
    "annulus": 0.0,
    "psf": 1.9,
    "neuropil": 0.07,
    "n_bg": 12,
    "oof_frac": 0.8,
    "oof_sigma": 11.0,
    "oof_amp": 0.6,
    "bleach": 0.10,
    "drift": 0.015,
    "gain": 1.6,
    "read_noise": 5.0,
    "offset": 40.0,
    "vignette": 0.75,
}
PRESETS: dict[str, dict[str, Any]] = {
    "2p-small": {**_TWO_PHOTON, "shape": (1000, 128, 128), "n_cells": 60},
    "2p-medium": {
        **_TWO_PHOTON,
        "shape": (2000, 256, 256),
        "n_cells": 150,
        "max_shift": 8.0,
    },
    "2p-large": {
        **_TWO_PHOTON,
        "shape": (3000, 512, 512),
        "n_cells": 400,
        "max_shift": 8.0,
    },
    "1p-small": {**_ONE_PHOTON, "shape": (1000, 128, 128), "n_cells": 40},
    "1p-medium": {
        **_ONE_PHOTON,
        "shape": (2000, 256, 256),
        "n_cells": 130,
        "max_shift": 8.0,
    },
    "3d-small": {
        **_TWO_PHOTON,
        "shape": (400, 10, 96, 96),
        "n_cells": 60,
        "fps": 5.0,
        "amp": 4.0,
        "max_shift": 4.0,
    },
}
MOTIONS = ("none", "rigid", "piecewise")
SAMPLES: dict[str, dict[str, Any]] = {
    "two-photon": {"preset": "2p-small", "motion": "rigid", "seed": 1},
    "two-photon, bending": {"preset": "2p-small", "motion": "piecewise", "seed": 1},
    "one-photon": {"preset": "1p-small", "motion": "rigid", "seed": 1},
    "volume": {
        "preset": "3d-small",
        "motion": "rigid",
        "seed": 1,
        "shape": (200, 10, 96, 96),
    },
}
_SEED = 20261120


class Simulation(NamedTuple):
    """A simulated recording and its truth."""

    recording: "xr.DataArray"
    truth: Truth


def simulate(
    preset: str = "2p-small",
    motion: str = "none",
    seed: int = 0,
    *,
    overlap: bool = False,
    workers: int = 2,
    out: NDArray[np.uint16] | None = None,
    **override: Any,
) -> Simulation:
    """Make a recording whose cells, activity and motion are known.

    Parameters
    ----------
    preset : str, optional
        Name in ``PRESETS``.
    motion : {"none", "rigid", "piecewise"}, optional
        How the scene moves.
    seed : int, optional
        Seed of all random numbers.
    overlap : bool, optional
        Let cells lie closer together.
    workers : int, optional
        Threads that render. Does not change the result.
    out : numpy.ndarray, optional
        Where to put the frames, such as a memory map: uint16, of the preset's shape.
    **override
        Any parameter of the preset: ``shape``, ``n_cells``, ``fps``, ``amp``, ...

    Returns
    -------
    Simulation
        ``recording`` (uint16) and ``truth``.

    Raises
    ------
    ParameterError
        If a name is unknown, or the recording is too short (2 s) or too small.

    Notes
    -----
    Use it to try parameters and to measure an engine: the truth is known. The small
    presets take a few seconds; give ``shape`` and ``n_cells`` for something smaller. A
    simulation is cleaner than most real tissue, so a good score here is necessary but
    not sufficient.

    Examples
    --------
    >>> from napari_mesmerize import simulate
    >>> recording, truth = simulate(
    ...     "2p-small", motion="rigid", seed=1, shape=(60, 48, 48), n_cells=4
    ... )
    >>> recording.shape, recording.attrs["frame_rate"]
    ((60, 48, 48), 15.0)
    >>> truth.shifts.shape, truth.traces.shape[1]
    ((60, 2), 60)
    """
    from napari_mesmerize.data.recording import lazy_recording
    from napari_mesmerize.history import StepTimer
    from napari_mesmerize.simulation.movement import draw_motion
    from napari_mesmerize.simulation.scene import make_scene, make_truth, render

    p = _parameters(preset, motion, override)
    used = {key: list(v) if isinstance(v, tuple) else v for key, v in p.items()}
    used |= {
        "preset": preset,
        "motion": motion,
        "seed": int(seed),
        "overlap": bool(overlap),
    }
    if out is None:
        out = np.empty(p["shape"], np.uint16)
    elif out.shape != tuple(p["shape"]) or out.dtype != np.uint16:
        raise ParameterError(
            f"out has shape {out.shape} and dtype {out.dtype}; this recording needs "
            f"shape {tuple(p['shape'])} and uint16."
        )
    timer = StepTimer("simulate", used, seed=int(seed))
    seeds = np.random.SeedSequence([int(seed), _SEED]).spawn(5)
    space, act, back, move = (np.random.default_rng(s) for s in seeds[:4])
    scene = make_scene(space, act, back, p, overlap)
    drawn = draw_motion(move, motion, p, out.shape[0], out.shape[1:])
    render(scene, drawn, seeds[4], out, workers)
    recording = lazy_recording(
        out,
        name=f"{preset}, motion {motion}, seed {seed}",
        frame_rate=p["fps"],
        origin="simulation",
        source={"uri": f"simulation:{preset}/{motion}/{seed}"},
        meta=used,
        history=timer.extend([]),
    )
    return Simulation(recording, make_truth(scene, drawn, used))


def _parameters(preset: str, motion: str, override: dict[str, Any]) -> dict[str, Any]:
    if preset not in PRESETS:
        raise ParameterError(
            f"'{preset}' is no preset; choose one of {', '.join(PRESETS)}."
        )
    if motion not in MOTIONS:
        raise ParameterError(
            f"motion='{motion}' is unknown; choose one of {', '.join(MOTIONS)}."
        )
    unknown = sorted(set(override) - set(PRESETS[preset]))
    if unknown:
        raise ParameterError(
            f"{', '.join(unknown)}: no such parameter of a simulation; known are "
            f"{', '.join(PRESETS[preset])}."
        )
    p = {**PRESETS[preset], **override}
    shape, ndim = tuple(int(n) for n in p["shape"]), len(PRESETS[preset]["shape"])
    duration = shape[0] / p["fps"] if p["fps"] > 0 else 0.0
    smallest = (1,) * (ndim - 3) + (16, 16)
    if len(shape) != ndim or duration < 2 or min(shape) < 1:
        raise ParameterError(
            f"shape={shape} at {p['fps']} frames a second can not be simulated; "
            f"'{preset}' needs {ndim} axes and 2 s ({2 * p['fps']:.0f} frames) or more."
        )
    if any(n < low for n, low in zip(shape[1:], smallest, strict=True)):
        raise ParameterError(
            f"Frames of shape {shape[1:]} are too small for cells; use at least "
            f"{smallest}."
        )
    if p["n_cells"] < 1:
        raise ParameterError(f"n_cells={p['n_cells']}; use at least 1.")
    return {**p, "shape": shape}


def sample_recording(name: str) -> Simulation:
    """Make one of the sample recordings named in ``SAMPLES``.

    Raises
    ------
    ParameterError
        If there is no sample of this name.
    """
    if name not in SAMPLES:
        raise ParameterError(
            f"'{name}' is no sample recording; choose one of {', '.join(SAMPLES)}."
        )
    return simulate(**SAMPLES[name])


def make_stimulus_epochs(
    duration_s: float,
    *,
    names: tuple[str, ...] = ("left", "right"),
    stimulus_type: str = "grating",
    first_s: float = 4.0,
    on_s: float = 4.0,
    off_s: float = 6.0,
) -> "pd.DataFrame":
    """Make epochs that alternate between stimuli, for samples and demonstrations.

    The activity of simulated cells does not follow them.

    Parameters
    ----------
    duration_s : float
        End of the recording; no epoch lasts longer.
    names : tuple of str, optional
        Stimuli, in turn.
    stimulus_type : str, optional
        Type of all of them.
    first_s, on_s, off_s : float, optional
        Start of the first epoch, length of each, and pause after it, seconds.

    Returns
    -------
    pandas.DataFrame
        Epochs, as :func:`~napari_mesmerize.data.epochs.make_epochs` makes them.

    Notes
    -----
    Use it to fill plots and docks in a demonstration. Do not look for responses in a
    simulation with these epochs: there are none. For real stimuli use
    :func:`~napari_mesmerize.data.epochs.make_epochs`.

    Examples
    --------
    >>> from napari_mesmerize.simulation import make_stimulus_epochs
    >>> epochs = make_stimulus_epochs(30.0)
    >>> epochs["name"].tolist(), epochs["start_s"].tolist()
    (['left', 'right', 'left'], [4.0, 14.0, 24.0])
    """
    from napari_mesmerize.data.epochs import make_epochs

    n = max(0, int((duration_s - first_s + off_s) // (on_s + off_s)))
    rows = []
    for i in range(n):
        start = first_s + i * (on_s + off_s)
        rows.append((stimulus_type, names[i % len(names)], start, start + on_s))
    return make_epochs(rows)
