"""Voltages recorded in Femtonics ``.mes`` files."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_mesmerize.data.signals import Signal
from napari_mesmerize.errors import ReadError
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


def read_voltages(path: str | Path, selection: str | None = None) -> dict[str, Signal]:
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
    dict of str to Signal
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


def voltages_of(record: Record) -> dict[str, Signal]:
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
        found[name] = Signal(
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
