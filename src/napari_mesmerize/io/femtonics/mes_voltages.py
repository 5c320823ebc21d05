"""Voltages recorded in Femtonics ``.mes`` files, and the stimulus epochs they mean."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_mesmerize.data.epochs import make_epochs
from napari_mesmerize.errors import ParameterError, ReadError
from napari_mesmerize.io.femtonics.mes_records import (
    Record,
    one_number,
    one_struct,
    open_mat,
    read_records,
)

_CHANNEL = re.compile(
    r"(?:AUXi|AUXo|Sh|Stim|AnI)\d\w*|PMT_?en\w*|Trig\w*|DIs?\d*", re.IGNORECASE
)
TOLERANCE_V = 0.05


@dataclass(frozen=True)
class Voltage:
    """A voltage channel that was recorded with a movie.

    Attributes
    ----------
    name : str
        Such as ``AUXo3``.
    time_s : numpy.ndarray
        Shape (n,), seconds since the first frame of the movie (negative before it).
        Where ``stepped``, when a level begins; otherwise when a sample was taken.
    volts : numpy.ndarray
        Shape (n,).
    stepped : bool
        Whether each value holds until the next; the last one only ends the one before.
    unit : str
        ``V`` where the file says nothing.
    """

    name: str
    time_s: NDArray[np.float64]
    volts: NDArray[np.float64]
    stepped: bool
    unit: str = "V"

    def levels(self, *, tolerance: float = TOLERANCE_V) -> list[float]:
        """Return the distinct levels, see :func:`voltage_levels`."""
        return voltage_levels([self], tolerance=tolerance)

    def epochs(
        self,
        names: Mapping[float, str],
        stimulus_type: str,
        *,
        colours: Mapping[str, str] | None = None,
        tolerance: float = TOLERANCE_V,
        stop_s: float | None = None,
    ) -> pd.DataFrame:
        """Return stimulus epochs: where the voltage has a level that was named.

        Parameters
        ----------
        names : mapping of float to str
            Level in volts to the stimulus that it stands for; levels that are not named
            (the resting level, say) give no epochs.
        stimulus_type : str
            Such as ``odour``.
        colours : mapping of str to str, optional
            Colour of each stimulus name, ``#rrggbb``.
        tolerance : float, optional
            Volts by which a value may miss its level.
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

    def _runs(
        self, levels: list[float], tolerance: float
    ) -> tuple[list[float], list[int]]:
        """Return the edges of runs of one level, and which each has (-1: none)."""
        if not self.stepped:
            step = np.median(np.diff(self.time_s)) if len(self.time_s) > 1 else 0.0
            values, times = self.volts, np.append(self.time_s, self.time_s[-1:] + step)
        else:
            values, times = self.volts[:-1], self.time_s
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


def read_voltages(path: str | Path, selection: str | None = None) -> dict[str, Voltage]:
    """Read the voltage channels that were recorded with a movie.

    Parameters
    ----------
    path : path
        The ``.mes`` file.
    selection : str, optional
        Of the movie, such as ``Df0001/pmtUG`` or ``Df0001``; default the first record
        that has voltages.

    Returns
    -------
    dict of str to Voltage
        By name, in the order of the file.

    Raises
    ------
    ReadError
        If there is no such record, or it has no voltages.
    """
    path = Path(path)
    records = [r for group in read_records(open_mat(path)) for r in group]
    if selection is not None:
        name = selection.partition("/")[0]
        records = [r for r in records if r.group == name]
        if not records:
            raise ReadError(f"{path.name} has no record '{name}'.")
    for record in records:
        found = voltages_of(record)
        if found:
            return found
    raise ReadError(
        f"{path.name}{f', {selection}' if selection else ''} has no voltage channels "
        "(AUXi, AUXo, Sh, Stim, Trig, ...)."
    )


def voltages_of(record: Record) -> dict[str, Voltage]:
    """Return the voltage channels of a record."""
    folded = record.part("FoldedFrameInfo")
    first_ms = one_number(folded.get("firstFrameStartTime")) or 0.0
    found = {}
    for name in voltage_names(record.fields):
        part = one_struct(record.fields[name])
        axis = np.asarray(part["x"], float).ravel()
        y = np.asarray(part["y"], float)
        stepped = y.ndim == 2 and y.shape[0] == 2 and y.shape[1] != 1
        ticks = y[0] if stepped else np.arange(y.size)
        unit = part.get("yunit")
        found[name] = Voltage(
            name,
            (axis[0] + ticks * axis[1] - first_ms) / 1000,
            y[1] if stepped else y.ravel(),
            stepped,
            unit if isinstance(unit, str) and unit else "V",
        )
    return found


def voltage_names(fields: Mapping[str, Any]) -> list[str]:
    """Return the fields of a record that are voltage channels with data."""
    return [
        name
        for name, value in fields.items()
        if _CHANNEL.fullmatch(name) and _has_data(one_struct(value))
    ]


def _has_data(part: Mapping[str, Any]) -> bool:
    x, y = part.get("x"), part.get("y")
    return (
        isinstance(x, np.ndarray)
        and isinstance(y, np.ndarray)
        and x.size == 2
        and y.size > 0
        and x.dtype.kind in "buif"
        and y.dtype.kind in "buif"
        and bool(np.isfinite(x).all() and np.isfinite(y).all())
    )


def voltage_levels(
    voltages: Iterable[Voltage], *, tolerance: float = TOLERANCE_V
) -> list[float]:
    """Return the distinct levels of one channel over several records.

    Values that miss one another by no more than twice the tolerance are one level,
    whose value is rounded as far as levels stay distinct. The last value of a stepped
    channel counts for nothing: it only ends the level before.

    Parameters
    ----------
    voltages : iterable of Voltage
        The channel, as recorded with each movie.
    tolerance : float, optional
        Volts.

    Returns
    -------
    list of float
        Ascending; never -0.0.
    """
    parts = [v.volts[:-1] if v.stepped else v.volts for v in voltages]
    values = np.sort(np.concatenate([*parts, np.empty(0)]))
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
    voltage: Voltage, names: Mapping[float, str], tolerance: float
) -> list[float]:
    """Return the levels that were named, if they can be told apart and occur."""
    wanted = sorted(float(level) for level in names)
    if not wanted:
        raise ParameterError("No level was named; give names={1.5: 'light'}.")
    near = [a for a, b in pairwise(wanted) if b - a <= tolerance]
    there = voltage.volts[:-1] if voltage.stepped else voltage.volts
    absent = all((np.abs(there - level) > tolerance).all() for level in wanted)
    if near or absent:
        raise ParameterError(
            f"{voltage.name} has levels {voltage.levels(tolerance=tolerance)} V; "
            + (
                f"none of {wanted} V occurs."
                if absent
                else f"{near[0]} V lies too near the next one."
            )
        )
    return wanted
