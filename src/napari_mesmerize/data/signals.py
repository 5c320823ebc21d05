"""Signals that were recorded with a movie: their levels, and the epochs they mean."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_mesmerize.data.epochs import make_epochs
from napari_mesmerize.errors import ParameterError

LEVEL_TOLERANCE = 0.05
"""By how much a value may miss its level, in the unit of the signal."""
MAX_LEVELS = 20
"""A signal with more levels varies all the time."""


@dataclass(frozen=True)
class Signal:
    """A channel that was recorded with a movie: a voltage, a trigger, a speed.

    Attributes
    ----------
    name : str
        Such as ``AUXo3``.
    time_s : numpy.ndarray
        Shape (n,), seconds since the first frame of the movie (negative before it).
        Where ``stepped``, when a level begins; otherwise when a sample was taken.
    values : numpy.ndarray
        Shape (n,).
    stepped : bool
        Whether each value holds until the next; the last one only ends the one before.
    unit : str
        ``V`` where the file says nothing.
    """

    name: str
    time_s: NDArray[np.float64]
    values: NDArray[np.float64]
    stepped: bool
    unit: str = "V"

    def levels(self, *, tolerance: float = LEVEL_TOLERANCE) -> list[float]:
        """Return the distinct levels, see :func:`signal_levels`."""
        return signal_levels([self], tolerance=tolerance)

    def epochs(
        self,
        names: Mapping[float, str],
        stimulus_type: str,
        *,
        colours: Mapping[str, str] | None = None,
        tolerance: float = LEVEL_TOLERANCE,
        stop_s: float | None = None,
    ) -> pd.DataFrame:
        """Return stimulus epochs: where the signal has a level that was named.

        Parameters
        ----------
        names : mapping of float to str
            Level to the stimulus that it stands for; levels that are not named (the
            resting level, say) give no epochs.
        stimulus_type : str
            Such as ``odour``.
        colours : mapping of str to str, optional
            Colour of each stimulus name, ``#rrggbb``.
        tolerance : float, optional
            By how much a value may miss its level.
        stop_s : float, optional
            End of the movie; epochs are cut off there.

        Returns
        -------
        pandas.DataFrame
            See :func:`~napari_mesmerize.data.epochs.make_epochs`.

        Raises
        ------
        ParameterError
            If none of the levels that were named occurs, or two lie too near.

        Examples
        --------
        >>> import numpy as np
        >>> from napari_mesmerize.data.signals import Signal
        >>> valve = Signal("AO1", np.array([0.0, 2, 5]), np.array([0, 1.5, 0]), True)
        >>> valve.epochs({1.5: "mint"}, "odour")[["name", "start_s", "stop_s"]]
           name  start_s  stop_s
        0  mint      2.0     5.0
        """
        wanted = _check_levels(self, names, tolerance)
        edges, runs = self._runs(wanted, tolerance)
        rows = []
        for start, stop, level in zip(edges[:-1], edges[1:], runs, strict=True):
            start = max(0.0, start)
            stop = stop if stop_s is None else min(stop, stop_s)
            if level >= 0 and stop > start:
                name = str(names[wanted[level]])
                colour = (colours or {}).get(name, "")
                rows.append((stimulus_type, name, start, stop, colour))
        return make_epochs(rows)

    @property
    def rate(self) -> float | None:
        """Samples a second, Hz; None where they are not even."""
        if self.stepped or len(self.time_s) < 2:
            return None
        steps = np.diff(self.time_s)
        step = float(np.median(steps))
        even = step > 0 and float(np.abs(steps - step).max()) <= 0.01 * step
        return 1 / step if even else None

    @property
    def duration_s(self) -> float:
        """Seconds from the first sample to the last."""
        return float(self.time_s[-1] - self.time_s[0]) if len(self.time_s) else 0.0

    @property
    def n_samples(self) -> int:
        """Number of samples; where ``stepped``, of levels."""
        return max(0, len(self.values) - 1) if self.stepped else len(self.values)

    def moved(self, by_s: float) -> "Signal":
        """Return the signal as it is if it comes so much later."""
        return replace(self, time_s=self.time_s + by_s) if by_s else self

    def line(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return x and y of the line that draws the signal."""
        if not self.stepped:
            return self.time_s, self.values
        return np.repeat(self.time_s, 2)[1:], np.repeat(self.values, 2)[:-1]

    def n_changes(self) -> int:
        """Return how often a signal of a few levels changes; 0 for one that varies."""
        few = self.stepped and 1 < count_levels(self) < MAX_LEVELS
        return len(self.values) if few else 0

    def n_times(self, level: float, tolerance: float = LEVEL_TOLERANCE) -> int:
        """Return how often the signal comes to a level."""
        there = np.abs(_lasting(self) - level) <= tolerance
        return int(there[:1].sum() + (there[1:] & ~there[:-1]).sum())

    def _runs(
        self, levels: list[float], tolerance: float
    ) -> tuple[list[float], list[int]]:
        """Return the edges of runs of one level, and which each has (-1: none)."""
        if not self.stepped:
            step = np.median(np.diff(self.time_s)) if len(self.time_s) > 1 else 0.0
            values, times = self.values, np.append(self.time_s, self.time_s[-1:] + step)
        else:
            values, times = self.values[:-1], self.time_s
        if not len(values):
            return [0.0], []
        away = np.abs(values[:, None] - np.array(levels)[None])
        which = np.where(away.min(axis=1) <= tolerance, away.argmin(axis=1), -1)
        keep = np.ones(len(which), bool)
        if not self.stepped:
            keep[1:] = which[1:] != which[:-1]
        first = np.flatnonzero(keep)
        edges = [*times[first].tolist(), float(times[len(values)])]
        return edges, which[first].tolist()


def count_levels(signal: Signal, *, tolerance: float = LEVEL_TOLERANCE) -> int:
    """Return how many distinct levels a signal has, see :func:`signal_levels`."""
    values = np.sort(_lasting(signal))
    values = values[np.isfinite(values)]
    steps = np.count_nonzero(np.diff(values) > 2 * tolerance)
    return int(steps) + 1 if values.size else 0


def _lasting(signal: Signal) -> NDArray[np.float64]:
    """Return the values that last; the last one of a stepped signal only ends it."""
    return signal.values[:-1] if signal.stepped else signal.values


def signal_levels(
    signals: Iterable[Signal], *, tolerance: float = LEVEL_TOLERANCE
) -> list[float]:
    """Return the distinct levels of one channel over several records.

    Values that miss one another by no more than twice the tolerance are one level,
    whose value is rounded as far as levels stay distinct. The last value of a stepped
    channel counts for nothing: it only ends the level before.

    Parameters
    ----------
    signals : iterable of Signal
        The channel, as recorded with each movie.
    tolerance : float, optional
        In the unit of the signals.

    Returns
    -------
    list of float
        Ascending; never -0.0.
    """
    parts = [_lasting(signal) for signal in signals]
    values = np.sort(np.concatenate([*parts, np.empty(0)]))
    values = values[np.isfinite(values)]
    if not values.size:
        return []
    groups = np.split(values, np.flatnonzero(np.diff(values) > 2 * tolerance) + 1)
    middles = np.array([np.median(group) for group in groups])
    for decimals in range(1, 7):
        rounded = np.round(middles, decimals) + 0.0
        near = np.abs(rounded - middles).max() <= tolerance
        if near and len(np.unique(rounded)) == len(rounded):
            return [float(level) for level in rounded]
    return [float(level) for level in middles]


def _check_levels(
    signal: Signal, names: Mapping[float, str], tolerance: float
) -> list[float]:
    """Return the levels that were named, if they can be told apart and occur."""
    wanted = sorted(float(level) for level in names)
    if not wanted:
        raise ParameterError("No level was named; give names={1.5: 'light'}.")
    near = [a for a, b in pairwise(wanted) if b - a <= tolerance]
    there = _lasting(signal)
    absent = all((np.abs(there - level) > tolerance).all() for level in wanted)
    unit = f" {signal.unit}" if signal.unit else ""
    if near or absent:
        raise ParameterError(
            f"{signal.name} has levels {signal.levels(tolerance=tolerance)}{unit}; "
            + (
                f"none of {wanted}{unit} occurs."
                if absent
                else f"{near[0]}{unit} lies too near the next one."
            )
        )
    return wanted
