"""Signals that were recorded beside frames: CSV and HDF5, with their time stamps."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_mesmerize.errors import ReadError, reading
from napari_mesmerize.io.hdf5 import open_hdf5, read_whole
from napari_mesmerize.io.items import check_file

_TIME_NAMES = ("time_s", "time", "t", "times", "timestamps", "time_stamp", "seconds")
_TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".dat")
_HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf")


def read_signal(
    path: str | Path, *, value: str = "", time: str = ""
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Read a signal and its time stamps.

    Parameters
    ----------
    path : path
        A ``.csv``, ``.tsv`` or ``.txt`` table with a header line, or an HDF5 file.
    value : str, optional
        Column or data set; needed where there are several.
    time : str, optional
        Column or data set of seconds; default the one with a usual name (``time_s``,
        ``time``, ``t``, ...), if there is one.

    Returns
    -------
    signal : numpy.ndarray
        Shape (n,).
    times : numpy.ndarray or None
        Shape (n,), seconds; None where there are none.

    Raises
    ------
    ReadError
        If the file can not be read, or the names do not say which column is meant.
    """
    path = Path(path)
    check_file(path)
    suffix = path.suffix.lower()
    if suffix in _HDF5_SUFFIXES:
        table = _from_hdf5(path)
    elif suffix in _TEXT_SUFFIXES:
        table = _from_text(path)
    else:
        known = ", ".join((*_TEXT_SUFFIXES, *_HDF5_SUFFIXES))
        raise ReadError(f"{path.name} has no suffix of a table; known are {known}.")
    names = list(table)
    for name in (value, time):
        if name and name not in table:
            raise ReadError(
                f"{path.name} has no '{name}'; it has {', '.join(names) or 'nothing'}."
            )
    if not time:
        lower = {name.rpartition("/")[2].strip().lower(): name for name in names}
        time = next((lower[usual] for usual in _TIME_NAMES if usual in lower), "")
    others = [name for name in names if name != time]
    if not value:
        if len(others) != 1:
            raise ReadError(
                f"{path.name} has {len(others)} signals ({', '.join(others)}); say "
                "which with value='...'."
            )
        value = others[0]
    signal = table[value]
    times = table[time] if time else None
    if times is not None and times.shape != signal.shape:
        raise ReadError(
            f"{path.name}: '{value}' has {len(signal)} values, '{time}' {len(times)}; "
            "expected a time stamp a value."
        )
    return signal, times


def _from_text(path: Path) -> dict[str, NDArray[np.float64]]:
    try:
        table = pd.read_csv(path, sep=None, engine="python", encoding="utf-8-sig")
        return {
            str(name).strip(): pd.to_numeric(table[name]).to_numpy(np.float64)
            for name in table
        }
    except (OSError, ValueError, TypeError, pd.errors.ParserError) as error:
        raise ReadError(
            f"{path.name} can not be read as a table: {error}. Expected a line of "
            "names and rows of numbers."
        ) from error


def _from_hdf5(path: Path) -> dict[str, NDArray[np.float64]]:
    found: dict[str, NDArray[np.float64]] = {}

    def visit(name: str, member: Any) -> None:
        if isinstance(member, h5py.Dataset) and member.ndim == 1:
            if member.dtype.names:
                found.update(
                    {f"{name}/{n}": member[n].astype(float) for n in member.dtype.names}
                )
            elif member.dtype.kind in "buif":
                found[name] = read_whole(member).astype(np.float64)

    with open_hdf5(path) as file, reading(path, "signals in HDF5"):
        file.visititems(visit)
    return found
