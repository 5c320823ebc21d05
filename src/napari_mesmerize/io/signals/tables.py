"""Tables of signals (CSV, HDF5) with their time stamps, and tables of epochs."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_mesmerize.data.epochs import make_epochs
from napari_mesmerize.data.signals import Signal
from napari_mesmerize.errors import ParameterError, ReadError, reading
from napari_mesmerize.io.items import check_file

_TIME_NAMES = ("time_s", "time", "t", "times", "timestamps", "time_stamp", "seconds")
_TEXT = (".csv", ".tsv", ".txt", ".dat")
_HDF5 = (".h5", ".hdf5", ".hdf")
SUFFIXES = (*_TEXT, *_HDF5)
_EPOCHS = {"stimulus_type", "name", "start_s", "stop_s"}
_PANDAS = frozenset({"pandas", "csv"})
_NUMBERS = (
    "Expected a line of names and rows of numbers; a table of epochs has the columns "
    "stimulus_type, name, start_s and stop_s."
)

Columns = dict[str, NDArray[np.float64]]


def read_table(
    path: Path, *, time: str = "", frame_rate: float | None = None
) -> dict[str, Signal]:
    """Read the signals in a table of text, or in an HDF5 file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    time : str, optional
        Column or data set of seconds; default the one with a usual name.
    frame_rate : float, optional
        Hz, where there are no time stamps.

    Returns
    -------
    dict of str to Signal
        By column, or by path of the data set. Data sets of HDF5 that have another
        length than their time stamps are left out.

    Raises
    ------
    ReadError
        If it can not be read, or it is not known when values were taken.
    """
    check_file(path)
    columns = _from_hdf5(path) if path.suffix.lower() in _HDF5 else _from_text(path)
    if time and time not in columns:
        names = ", ".join(columns) or "nothing"
        raise ReadError(f"{path.name} has no '{time}'; it has {names}.")
    clocks = {time} if time else {name for name in columns if _is_clock(name)}
    found = {}
    for name, values in columns.items():
        clock = time or _clock_of(name, clocks)
        if name in clocks or (clock and len(columns[clock]) != len(values)):
            continue
        if clock:
            times = columns[clock]
            _check_times(path, clock, times)
        elif frame_rate:
            times = np.arange(len(values)) / frame_rate
        else:
            raise ReadError(
                f"{path.name} has no time stamps for '{name}'; name their column with "
                "time=..., or give frame_rate=... if it has one value a frame. A "
                f"column called {', '.join(_TIME_NAMES)} is taken by itself."
            )
        found[name] = Signal(name, times, values, stepped=False, unit="")
    if columns and not found:
        raise ReadError(
            f"{path.name} has nothing but time stamps, or values of other lengths: "
            + ", ".join(f"{name} ({len(v)})" for name, v in columns.items())
            + "."
        )
    return found


def _is_clock(name: str) -> bool:
    return name.rpartition("/")[2].strip().lower() in _TIME_NAMES


def _clock_of(name: str, clocks: set[str]) -> str:
    """Return the time stamps of a data set: in its group, or in one above it."""
    group = name
    while group:
        group = group.rpartition("/")[0]
        inside = [clock for clock in clocks if clock.rpartition("/")[0] == group]
        if inside:
            return min(inside, key=lambda c: _TIME_NAMES.index(_last(c)))
    return ""


def _last(name: str) -> str:
    return name.rpartition("/")[2].strip().lower()


def _check_times(path: Path, name: str, times: NDArray[np.float64]) -> None:
    back = np.flatnonzero(~(np.diff(times) >= 0))
    if back.size or not np.isfinite(times[:1]).all():
        row = int(back[0]) + 1 if back.size else 0
        raise ReadError(
            f"{path.name}: the time stamps '{name}' do not rise at value {row} "
            f"({times[row]:g} s); expected seconds from the first to the last sample."
        )


def _from_text(path: Path) -> Columns:
    table = _read_csv(path)
    numbers = {}
    for name in table:
        values = pd.to_numeric(table[name], errors="coerce")
        wrong = np.flatnonzero(values.isna() & table[name].notna())
        if wrong.size:
            text = table[name].iloc[wrong[0]]
            raise ReadError(
                f"{path.name}: '{text}' in row {wrong[0] + 1} of column '{name}' is no "
                f"number. {_NUMBERS}"
            )
        numbers[str(name).strip()] = values.to_numpy(np.float64)
    return numbers


def _read_csv(path: Path) -> pd.DataFrame:
    """Read a table of text, whatever separates its columns."""
    single = not any(mark in _first_line(path).strip() for mark in ",;\t |")
    with reading(path, "a table", remedy=_NUMBERS, libraries=_PANDAS):
        return pd.read_csv(
            path, sep="," if single else None, engine="python", encoding="utf-8-sig"
        )


def _first_line(path: Path) -> str:
    with reading(path, "a table"), path.open("rb") as stream:
        return stream.readline(10_000).decode("utf-8", "replace")


def _from_hdf5(path: Path) -> Columns:
    import h5py

    from napari_mesmerize.io.hdf5 import open_hdf5, read_whole

    found: Columns = {}

    def visit(name: str, member: Any) -> None:
        if not isinstance(member, h5py.Dataset) or member.ndim != 1:
            return
        if member.dtype.names:
            whole = read_whole(member)
            for field in member.dtype.names:
                if whole[field].ndim == 1 and whole[field].dtype.kind in "buif":
                    found[f"{name}/{field}"] = whole[field].astype(np.float64)
        elif member.dtype.kind in "buif":
            found[str(name)] = read_whole(member).astype(np.float64)

    with open_hdf5(path) as file, reading(path, "signals in HDF5"):
        file.visititems(visit)
    return found


def is_epoch_table(path: str | Path) -> bool:
    """Say whether a file is a table of epochs, by the names in its first line.

    Parameters
    ----------
    path : path
        Any file that is there.

    Returns
    -------
    bool
        Whether :func:`read_epochs` can be tried.

    Notes
    -----
    Use this to tell tables of epochs from tables of signals, which have the same
    suffixes. Only the first line is read.

    Examples
    --------
    >>> from napari_mesmerize.io.signals import is_epoch_table
    >>> is_epoch_table("movie.tif")
    False
    """
    path = Path(path)
    if path.suffix.lower() not in _TEXT:
        return False
    head = _first_line(path)
    return all(name in head for name in _EPOCHS)


def read_epochs(path: str | Path) -> pd.DataFrame:
    r"""Read epochs from a table of text.

    Parameters
    ----------
    path : path
        A table with the columns ``stimulus_type``, ``name``, ``start_s``, ``stop_s``
        and, where wanted, ``colour``.

    Returns
    -------
    pandas.DataFrame
        See :func:`~napari_mesmerize.data.epochs.make_epochs`.

    Raises
    ------
    ReadError
        If it is no such table.

    Notes
    -----
    Use this where another program wrote when which stimulus was shown. Where a voltage
    was recorded instead, use :func:`read_signals` and name its levels.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from napari_mesmerize.io.signals import read_epochs
    >>> path = Path(tempfile.mkdtemp()) / "stimuli.csv"
    >>> _ = path.write_text("stimulus_type,name,start_s,stop_s\nodour,mint,2,5\n")
    >>> read_epochs(path)[["name", "start_s", "stop_s"]]
       name  start_s  stop_s
    0  mint      2.0     5.0
    """
    path = Path(path)
    check_file(path)
    table = _read_csv(path)
    try:
        return make_epochs(table)
    except ParameterError as error:
        raise ReadError(
            f"{path.name} is no table of epochs: {error} Expected a first line with "
            "the names stimulus_type, name, start_s, stop_s."
        ) from error
