"""Read the signals in a file, and list them, whatever its format."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_mesmerize.data.signals import MAX_LEVELS, Signal, count_levels
from napari_mesmerize.errors import ReadError, reading
from napari_mesmerize.io.items import check_file
from napari_mesmerize.io.signals.tables import SUFFIXES as TABLES
from napari_mesmerize.io.signals.tables import read_table
from napari_mesmerize.progress import Progress, silent


@dataclass(frozen=True)
class SignalInfo:
    """What a signal in a file is.

    Attributes
    ----------
    name : str
        Its key in what :func:`read_signals` returns.
    selection : str
        What to give as ``selection`` to :func:`read_signals`; empty where the file has
        one set of signals.
    unit : str
        Empty where the file says nothing.
    n_samples : int
        Samples; of a signal that is stored as levels, levels.
    rate : float or None
        Samples a second, Hz; None where they are not even.
    duration_s : float
        From the first sample to the last.
    levels : tuple of float
        The distinct levels; empty for a signal that varies all the time.
    """

    name: str
    selection: str
    unit: str
    n_samples: int
    rate: float | None
    duration_s: float
    levels: tuple[float, ...]

    @classmethod
    def of(cls, signal: Signal, selection: str = "") -> "SignalInfo":
        """Return what a signal is."""
        few = count_levels(signal) < MAX_LEVELS
        levels = tuple(signal.levels()) if few else ()
        return cls(
            signal.name,
            selection,
            signal.unit,
            signal.n_samples,
            signal.rate,
            signal.duration_s,
            levels,
        )

    def describe(self) -> str:
        """Return the facts in a line."""
        parts = [f"{self.n_samples} {'samples' if self.rate else 'values'}"]
        parts += [f"{self.rate:.4g} Hz"] if self.rate else []
        parts += [f"{self.duration_s:.4g} s"]
        unit = f" {self.unit}" if self.unit else ""
        levels = ", ".join(f"{level:g}" for level in self.levels)
        parts += [f"levels {levels}{unit}" if levels else f"varies{unit}"]
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-safe."""
        return asdict(self) | {"levels": list(self.levels)}


def is_signal_file(path: str | Path) -> bool:
    """Say whether a file holds signals only: GPIO or IMU of Inscopix.

    Parameters
    ----------
    path : path
        Any file; a missing or damaged one holds none.

    Returns
    -------
    bool
        Whether :func:`read_signals` reads it, and no recording is in it.

    Notes
    -----
    Use this to decide what to do with a file that a user drops. Files of Femtonics hold
    signals and recordings; for those it is false, and :func:`list_signals` lists them.

    Examples
    --------
    >>> from napari_mesmerize.io.signals import is_signal_file
    >>> is_signal_file("movie.tif")
    False
    """
    from napari_mesmerize.io.inscopix import container as isxd

    if Path(path).suffix.lower() != ".isxd" or Path(path).is_dir():
        return False
    try:
        return isxd.read_footer(path).type in (isxd.GPIO, isxd.IMU)
    except ReadError:
        return False


def read_signals(
    path: str | Path,
    selection: str | None = None,
    *,
    date: str | None = None,
    frame_rate: float | None = None,
    time: str = "",
    progress: Progress = silent,
) -> dict[str, Signal]:
    r"""Read the signals that were recorded with a movie.

    Parameters
    ----------
    path : path
        Femtonics ``.mes`` (voltages) or ``.mesc`` (curves), Inscopix GPIO or IMU
        (``.isxd``), a table (``.csv``, ``.tsv``, ``.txt``) or HDF5 (``.h5``).
    selection : str, optional
        The recording in the file that they belong to, such as ``Df0001/pmtUG``; default
        the first one with signals.
    date : str, optional
        Start of the movie, ISO 8601. Signals of a file of their own that says when it
        began are moved to the movie's clock.
    frame_rate : float, optional
        Hz, for tables without time stamps: they have a value a frame.
    time : str, optional
        Column or data set of seconds in a table; default the one with a usual name
        (``time_s``, ``time``, ``t``, ...).
    progress : Progress, optional
        Reports that it reads; ``tqdm`` fits.

    Returns
    -------
    dict of str to Signal
        By name, in the order of the file; times count from the first frame.

    Raises
    ------
    ReadError
        If the file holds no signals, has no such selection, or is damaged.

    Notes
    -----
    Use this to turn a recorded voltage into stimulus epochs, or to compare a signal
    with a movie (:func:`~napari_mesmerize.transforms.normalise`). A table that already
    lists epochs is read by :func:`read_epochs`; results (traces of cells, event sets)
    by :func:`~napari_mesmerize.io.results.read_results`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from napari_mesmerize.io import read_signals
    >>> path = Path(tempfile.mkdtemp()) / "lamp.csv"
    >>> _ = path.write_text("time_s,lamp\n0,0\n1,5\n2,5\n3,0\n")
    >>> lamp = read_signals(path)["lamp"]
    >>> lamp.levels()
    [0.0, 5.0]
    >>> lamp.epochs({5.0: "on"}, "light")[["name", "start_s", "stop_s"]]
      name  start_s  stop_s
    0   on      1.0     3.0
    """
    path = Path(path)
    for _ in progress(range(1), desc="Reading signals", total=1):
        for _, found in _sets(path, selection, date, frame_rate, time):
            if found:
                return found
    where = f", {selection}" if selection else ""
    raise ReadError(
        f"{path.name}{where} holds no signals; expected voltages (AUXi, AUXo, Stim, "
        "Trig, ...), curves over time, channels with samples, or columns of numbers."
    )


def list_signals(
    path: str | Path, *, frame_rate: float | None = None
) -> list[SignalInfo]:
    r"""List the signals in a file.

    Parameters
    ----------
    path : path
        A file as for :func:`read_signals`.
    frame_rate : float, optional
        Hz, for tables without time stamps.

    Returns
    -------
    list of SignalInfo
        Those of all recordings in the file; empty where it has none.

    Raises
    ------
    ReadError
        If the file is damaged or of no format with signals.

    Notes
    -----
    Use this to see names, units and levels before choosing; :func:`read_signals`
    returns the values.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from napari_mesmerize.io import list_signals
    >>> path = Path(tempfile.mkdtemp()) / "lamp.csv"
    >>> _ = path.write_text("time_s,lamp\n0,0\n1,5\n2,5\n3,0\n")
    >>> [(info.name, info.n_samples) for info in list_signals(path)]
    [('lamp', 4)]
    """
    return [
        SignalInfo.of(signal, selection)
        for selection, found in _sets(Path(path), None, None, frame_rate, "")
        for signal in found.values()
    ]


def _sets(
    path: Path,
    selection: str | None,
    date: str | None,
    frame_rate: float | None,
    time: str,
) -> Iterator[tuple[str, dict[str, Signal]]]:
    """Yield the sets of signals in a file: which recording's, and by name."""
    check_file(path)
    suffix = path.suffix.lower()
    with reading(path, "signals"):
        if suffix == ".mes":
            yield from _voltages(path, selection)
        elif suffix == ".mesc":
            yield from _curves(path, selection)
        elif suffix == ".isxd":
            yield "", _gpio(path, date)
        elif suffix in TABLES:
            yield "", read_table(path, time=time, frame_rate=frame_rate)
        else:
            raise ReadError(
                f"{path.name} holds no signals that can be read; expected .mes, .mesc, "
                f".isxd (GPIO), {', '.join(TABLES)}."
            )


def _voltages(
    path: Path, selection: str | None
) -> Iterator[tuple[str, dict[str, Signal]]]:
    from napari_mesmerize.io.femtonics.mes_records import open_mat, read_records
    from napari_mesmerize.io.femtonics.mes_voltages import voltages_of

    wanted = None if selection is None else selection.partition("/")[0]
    records = [r for group in read_records(open_mat(path)) for r in group]
    if wanted is not None and wanted not in {record.group for record in records}:
        raise ReadError(f"{path.name} has no record '{wanted}'.")
    done = set()
    for record in records:
        if wanted in (None, record.group) and record.group not in done:
            found = voltages_of(record)
            done |= {record.group} if found else set()
            yield record.group, found


def _curves(
    path: Path, selection: str | None
) -> Iterator[tuple[str, dict[str, Signal]]]:
    from napari_mesmerize.io.femtonics.mesc import unit_names
    from napari_mesmerize.io.femtonics.mesc_attributes import seconds_per
    from napari_mesmerize.io.femtonics.mesc_curves import read_curves
    from napari_mesmerize.io.hdf5 import open_hdf5

    units: list[str | None] = [selection]
    if selection is None:
        with open_hdf5(path) as file:
            units = list(unit_names(file))
    for unit in units:
        found = {}
        for name, curve in read_curves(path, unit or "").items():
            seconds = seconds_per(curve.x_unit)
            if seconds is None or not len(curve.y):
                continue
            x, values, stepped = curve.x, curve.y, curve.stop is not None
            if curve.stop is not None:  # runs: the last one ends somewhere
                x, values = np.append(x, curve.stop), np.append(values, values[-1])
            unit_name = curve.y_unit or "V"
            found[name] = Signal(name, x * seconds, values, stepped, unit_name)
        yield unit or "", found


def _gpio(path: Path, date: str | None) -> dict[str, Signal]:
    from napari_mesmerize.io.inscopix.events import read_gpio

    table = read_gpio(path)
    offset = _seconds_between(table.attrs.get("date"), date)
    end = float(table.attrs.get("duration_s") or table["time_s"].max())
    found = {}
    for name, rows in table.groupby("channel", observed=True, sort=False):
        rows = rows.sort_values("time_s", kind="stable")
        times = np.append(rows["time_s"].to_numpy(), end) - offset
        values = rows["value"].to_numpy(np.float64)
        found[str(name)] = Signal(
            str(name), times, np.append(values, values[-1]), True, ""
        )
    return found


def _seconds_between(first: str | None, second: str | None) -> float:
    """Return how much later the second date is; 0 where either is unknown."""
    try:
        start, stop = (datetime.fromisoformat(str(date)) for date in (first, second))
        return (stop - start).total_seconds()
    except (TypeError, ValueError):
        return 0.0
