"""The frames that make the template: chosen, prepared, and kept where memory allows."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.motion.params import Settings
from napari_mesmerize.motion.resample.canvas import CanvasSums, canvas_shape
from napari_mesmerize.motion.source import Schedule, Source
from napari_mesmerize.motion.template.contrast import (
    Gain,
    estimate_gain,
    local_contrast,
)

_GAIN_FRAMES = 20
_GROUPS = 4  # of units, summed one after the other
_ENOUGH = 20  # frames that tell what they have in common
_MEDIAN_OF_NOISE = 0.4549  # of a squared standard normal number

T = TypeVar("T")
Frames = NDArray[np.float32]


@dataclass
class Subset:
    """Frames spread over a recording, as local contrast.

    Attributes
    ----------
    source : Source
        Where they are read.
    chosen : numpy.ndarray
        Their indices, ascending; only usable frames.
    gain : Gain
        Intensity scale of the recording.
    settings : Settings
        Width of the filter.
    schedule : Schedule
        Workers and memory: the frames are kept if they fill less than half of it,
        otherwise read again each time.
    """

    source: Source
    chosen: NDArray[np.intp]
    gain: Gain
    settings: Settings
    schedule: Schedule
    _kept: dict[int, tuple[Frames, Frames]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.chosen)

    def map(self, function: Callable[[Frames, Frames, slice], T]) -> list[T]:
        """Return ``function(frames, binned, place)`` for consecutive units of frames.

        ``place`` is where the unit lies among the chosen frames.
        """
        return self.schedule.map_units(
            lambda place: function(*self._unit(place), place), len(self)
        )

    def accumulate(
        self, add: Callable[[Frames, slice, CanvasSums], None]
    ) -> tuple[CanvasSums, CanvasSums]:
        """Return canvas sums that ``add(frames, place, sums)`` made of both halves.

        The frames are summed in a fixed number of groups, so that the number of workers
        does not change the rounding.
        """
        units = self.schedule.units(len(self))
        shape = canvas_shape(self.settings.frame_shape, self.settings.pads)
        parts = [part for unit in units for part in _halved(unit, len(units) == 1)]

        def work(group: list[tuple[slice, slice]]) -> CanvasSums:
            sums = CanvasSums(shape)
            for unit, part in group:
                frames = self._unit(unit)[0]
                inside = slice(part.start - unit.start, part.stop - unit.start)
                add(frames[inside], part, sums)
            return sums

        groups = [parts[k::_GROUPS] for k in range(min(_GROUPS, len(parts)))]
        first, second, *others = self.schedule.map(work, groups)
        for k, sums in enumerate(others):
            (second if k % 2 else first).add(sums)
        return first, second

    def common_structure(self, region: Frames | None = None) -> float:
        """Return how strong the mean of the frames is, in what noise alone makes it.

        About 1 where the frames have no structure in common, less where their mean was
        subtracted; infinite of a few frames, which do not tell.

        Parameters
        ----------
        region : numpy.ndarray, optional
            Share of binned pixels that is compared, (y, x).
        """
        n_frames = len(self)
        if n_frames < _ENOUGH:
            return np.inf
        parts = self.map(
            lambda _, binned, __: (
                binned.sum(axis=0, dtype=np.float64),
                np.square(binned).sum(axis=0, dtype=np.float64),
            )
        )
        mean, squares = (sum(part[k] for part in parts) / n_frames for k in (0, 1))
        variance = (squares - mean**2) * n_frames / (n_frames - 1)
        seen = variance > 0
        if region is not None:
            seen &= region > 0.5
        if not seen.any():
            return np.inf
        power = float(np.median(mean[seen] ** 2 / variance[seen]))
        return n_frames * power / _MEDIAN_OF_NOISE

    def _unit(self, place: slice) -> tuple[Frames, Frames]:
        unit = self._kept.get(place.start)
        if unit is None:
            volumes, _ = self.source.read(self.chosen[place])
            unit = local_contrast(volumes, self.settings.filter_sigma, self.gain)
            volume = int(np.prod(self.source.padded_shape))
            if 5 * volume * len(self) <= self.schedule.max_memory // 2:
                self._kept[place.start] = unit
        return unit


def _halved(unit: slice, needed: bool) -> list[tuple[slice, slice]]:
    """Return a unit with its parts: itself, or two halves."""
    if not needed:
        return [(unit, unit)]
    middle = (unit.start + unit.stop) // 2
    return [
        (unit, slice(unit.start, middle)),
        (unit, slice(middle, unit.stop)),
    ]


def choose_frames(n_frames: int, n_wanted: int) -> NDArray[np.intp]:
    """Return ``n_wanted`` frames, or all there are, evenly spread."""
    wanted = np.linspace(0, n_frames - 1, min(n_wanted, n_frames))
    return np.unique(wanted.astype(np.intp))


def usable_frames(
    source: Source, chosen: NDArray[np.intp], schedule: Schedule
) -> NDArray[np.bool_]:
    """Tell which frames have pixels that are finite and not all the same."""

    def check(place: slice) -> NDArray[np.bool_]:
        volumes, usable = source.read(chosen[place])
        flat = volumes.reshape(len(volumes), -1)
        varied: NDArray[np.bool_] = usable & (flat.max(axis=1) > flat.min(axis=1))
        return varied

    return np.concatenate(schedule.map_units(check, len(chosen)))


def make_subset(source: Source, settings: Settings, schedule: Schedule) -> Subset:
    """Choose the frames that make the template and estimate the intensity scale.

    Raises
    ------
    ParameterError
        If fewer than two frames have any structure.
    """
    chosen = choose_frames(source.n_frames, settings.template_frames)
    chosen = chosen[usable_frames(source, chosen, schedule)]
    if len(chosen) < 2:
        raise ParameterError(
            f"Only {len(chosen)} of the frames looked at have finite pixels that are "
            "not all the same; motion correction needs at least 2 such frames. Check "
            "that the right channel was opened."
        )
    some = chosen[choose_frames(len(chosen), _GAIN_FRAMES)]
    volumes, _ = source.read(some)
    gain = estimate_gain(volumes, settings.filter_sigma)
    if gain is None:
        raise ParameterError(
            "The frames looked at have no structure: every pixel has the same value. "
            "There is nothing to align; check that the right channel was opened."
        )
    return Subset(source, chosen, gain, settings, schedule)
