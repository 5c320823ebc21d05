"""Cases, floors and scores that the benchmarks of the motion correction share.

A floor is the CPU time of one forward and one inverse single-precision FFT over the
whole movie, one worker, measured in the same run: seconds depend on the machine, floors
hardly do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import fft

from napari_mesmerize.motion import MotionResult, PiecewiseParams, RigidParams
from napari_mesmerize.simulation.scores import field_error, shift_error
from napari_mesmerize.simulation.simulate import PRESETS, Simulation, simulate

PARAMS = {"rigid": RigidParams, "piecewise": PiecewiseParams}


@dataclass(frozen=True)
class Case:
    """A movie, how it is corrected, and what must be reached.

    ``light`` scales the photons; ``target`` is (error, inner error, floors), px, with
    infinity where nothing is asked.
    """

    preset: str
    engine: str
    movie: str = ""
    target: tuple[float, float, float] = (np.inf, np.inf, np.inf)
    light: float = 1.0

    @property
    def name(self) -> str:
        """What the table says."""
        movie = self.movie or self.engine
        light = "" if self.light == 1 else f", light x {self.light:g}"
        return f"{self.preset} {movie} by {self.engine}{light}"

    def simulate(self, seed: int) -> Simulation:
        """Make the movie."""
        preset = PRESETS[self.preset]
        photons = {name: preset[name] * self.light for name in ("bg", "cell_f0", "amp")}
        return simulate(self.preset, self.movie or self.engine, seed, **photons)


INF = np.inf
CASES = [
    Case("2p-small", "rigid", target=(0.050, INF, 5)),
    Case("1p-small", "rigid", target=(0.032, INF, 5)),
    Case("2p-medium", "rigid", target=(0.028, INF, 3.5)),
    Case("1p-medium", "rigid", target=(0.014, INF, 3.5)),
    Case("2p-small", "piecewise", target=(0.095, 0.080, 11)),
    Case("1p-small", "piecewise", target=(0.075, 0.058, 11)),
    Case("2p-medium", "piecewise", target=(0.085, 0.070, 9)),
    Case("1p-medium", "piecewise", target=(0.060, 0.045, 9)),
    Case("3d-small", "rigid", target=(0.055, INF, 7)),
]
MORE = [
    Case("2p-small", "rigid", "none", target=(0.005, INF, INF)),
    Case("1p-small", "rigid", "none", target=(0.005, INF, INF)),
    Case("2p-small", "piecewise", "none", target=(0.005, INF, INF)),
    Case("1p-small", "piecewise", "none", target=(0.005, INF, INF)),
    Case("2p-small", "piecewise", "rigid"),
    Case("1p-small", "piecewise", "rigid"),
    *(
        Case(preset, engine, light=light)
        for light in (0.5, 0.25, 0.125)
        for preset in ("2p-small", "1p-small")
        for engine in ("rigid", "piecewise")
    ),
]


def cpu_seconds() -> float:
    """Return user and system time of this process, all threads."""
    import resource  # Windows has none

    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def cpu_of(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds that ``work`` takes, and its result."""
    start = cpu_seconds()
    result = work()
    return cpu_seconds() - start, result


def fft_floor(movie: np.ndarray, batch: int = 100) -> float:
    """Return the CPU seconds of one floor."""
    planes = movie.reshape(-1, *movie.shape[-2:])
    start = cpu_seconds()
    for k in range(0, len(planes), batch):
        some = planes[k : k + batch].astype(np.float32)
        fft.irfft2(fft.rfft2(some, workers=1), s=some.shape[1:], workers=1)
    return cpu_seconds() - start


def score(result: MotionResult, truth: Any) -> tuple[float, float]:
    """Return the error and the error amid the image, px, up to constants."""
    volumetric = result.shifts.shape[1] == 3
    if result.field is None or volumetric:
        return shift_error(result.shifts, truth.shifts)["rmse"], np.nan
    if truth.field.size:
        found = field_error(result.field, *result.patch_centers, truth)
        return found["rmse"], found["inner"]["rmse"]
    wrong = result.field + truth.shifts[:, None, None]
    wrong = (wrong - np.median(wrong, axis=0))[:, 1:-1, 1:-1]
    return float(np.sqrt((wrong**2).sum(axis=-1).mean())), np.nan
