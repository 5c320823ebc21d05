"""Signals that were recorded with a movie: voltages, curves, GPIO."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from napari_mesmerize.data.epochs import make_epochs
from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.femtonics.mes_voltages import Voltage
from napari_mesmerize.progress import Progress


def is_signal_file(path: str | Path) -> bool:
    """Say whether a file holds signals only: GPIO or IMU of Inscopix."""
    from napari_mesmerize.io.inscopix import container as isxd

    if Path(path).suffix.lower() != ".isxd" or Path(path).is_dir():
        return False
    try:
        return isxd.read_footer(path).type in (isxd.GPIO, isxd.IMU)
    except ReadError:
        return False


def read_signals(
    path: str,
    selection: str | None,
    date: str | None,
    *,
    quiet: bool = False,
    progress: Progress,
) -> dict[str, Voltage]:
    """Return the signals in a file by name; times count from the first frame.

    Parameters
    ----------
    path : str
        A ``.mes`` or ``.mesc`` file, or GPIO or IMU signals (``.isxd``).
    selection : str, optional
        The recording in it that they belong to.
    date : str, optional
        Start of the movie, ISO 8601: signals of a file of their own, whose start is
        known too, are moved to the movie's clock.
    quiet : bool, optional
        Return nothing where there are no signals, instead of an error.
    progress : Progress
        Reports that it reads.

    Raises
    ------
    ReadError
        If the file holds no signals.
    """
    found: dict[str, Voltage] = {}
    for _ in progress(range(1), desc="Reading signals", total=1):
        try:
            found = _read(Path(path), selection, date)
        except ReadError:
            if not quiet:
                raise
    return found


def _read(path: Path, selection: str | None, date: str | None) -> dict[str, Voltage]:
    suffix = path.suffix.lower()
    if suffix == ".mes":
        from napari_mesmerize.io.femtonics.mes_voltages import read_voltages

        return read_voltages(path, selection)
    if suffix == ".mesc":
        return _curves(path, selection)
    if suffix == ".isxd":
        return _gpio(path, date)
    raise ReadError(
        f"{path.name} holds no signals that can be read; expected a .mes or .mesc file "
        "with recorded voltages, an Inscopix GPIO file (.isxd), or a table of epochs "
        "(.csv)."
    )


def _curves(path: Path, selection: str | None) -> dict[str, Voltage]:
    from napari_mesmerize.io.femtonics.mesc_curves import read_curves

    if selection is None:
        raise ReadError(
            f"{path.name} holds several units; open the recording of one of them first."
        )
    found = {}
    for name, curve in read_curves(path, selection).items():
        if curve.x_unit not in ("", "ms", "s", "us", "µs") or not len(curve.y):
            continue
        times, values = curve.time_s, curve.y
        stepped = curve.stop is not None
        if curve.stop is not None:  # runs: the last one ends somewhere
            scale = times[-1] / curve.x[-1] if curve.x[-1] else 1e-3
            times = np.append(times, curve.stop * scale)
            values = np.append(values, values[-1])
        found[name] = Voltage(name, times, values, stepped, curve.y_unit or "V")
    if not found:
        raise ReadError(f"{path.name}, {selection} has no curves over time.")
    return found


def _gpio(path: Path, date: str | None) -> dict[str, Voltage]:
    from napari_mesmerize.io.inscopix.events import read_signals as read

    table = read(path)
    offset = _seconds_between(table.attrs.get("date"), date)
    end = float(table.attrs.get("duration_s") or table["time_s"].max())
    found = {}
    for name, rows in table.groupby("channel", observed=True, sort=False):
        rows = rows.sort_values("time_s", kind="stable")
        times = np.append(rows["time_s"].to_numpy(), end) - offset
        values = rows["value"].to_numpy(np.float64)
        found[str(name)] = Voltage(
            str(name), times, np.append(values, values[-1]), True, ""
        )
    if not found:
        raise ReadError(f"{path.name} holds channels, but no samples.")
    return found


def _seconds_between(first: str | None, second: str | None) -> float:
    """Return how much later the second date is; 0 where either is unknown."""
    try:
        start, stop = (datetime.fromisoformat(str(date)) for date in (first, second))
        return (stop - start).total_seconds()
    except (TypeError, ValueError):
        return 0.0


def moved(signal: Voltage, by_s: float) -> Voltage:
    """Return a signal that comes so much later."""
    return replace(signal, time_s=signal.time_s + by_s) if by_s else signal


def step_line(signal: Voltage) -> tuple[Any, Any]:
    """Return x and y of the line that draws a signal."""
    if not signal.stepped:
        return signal.time_s, signal.volts
    return np.repeat(signal.time_s, 2)[1:], np.repeat(signal.volts, 2)[:-1]


def read_epoch_table(path: str) -> pd.DataFrame:
    """Read epochs from a table: stimulus_type, name, start_s, stop_s and colour.

    Raises
    ------
    ReadError
        If it is no such table.
    """
    from napari_mesmerize.errors import ParameterError

    try:
        return make_epochs(pd.read_csv(path, sep=None, engine="python"))
    except (OSError, ValueError, ParameterError) as error:
        raise ReadError(
            f"{Path(path).name} is no table of epochs: {error} Expected a first line "
            "with the names stimulus_type, name, start_s, stop_s."
        ) from error


def with_epochs(
    known: pd.DataFrame | None, new: pd.DataFrame, replacing: str | None = None
) -> pd.DataFrame:
    """Return epochs with others added; ``replacing`` is the type that goes before."""
    types = {replacing} if replacing else set(new["stimulus_type"])
    if known is None or not len(known):
        return make_epochs(new)
    kept = known[~known["stimulus_type"].isin(types)]
    return make_epochs(pd.concat([kept, new], ignore_index=True))


def duration_s(recording: xr.DataArray) -> float | None:
    """Return the end of a recording in seconds, where its frame rate is known."""
    rate = recording.attrs.get("frame_rate")
    if not rate:
        return None
    if "time_s" in recording.coords:
        return float(recording.coords["time_s"][-1]) + 1 / float(rate)
    return recording.sizes["frame"] / float(rate)


def describe_epochs(epochs: pd.DataFrame | None) -> str:
    """Return what epochs there are, as rich text, a line a stimulus type."""
    if epochs is None or not len(epochs):
        return "None yet."
    lines = []
    for kind, rows in epochs.groupby("stimulus_type", sort=False):
        parts = [
            f'<span style="color:{group["colour"].iat[0]}">■</span> {name} × '
            f"{len(group)}"
            for name, group in rows.groupby("name", sort=False)
        ]
        lines.append(f"<b>{kind}</b>: " + ", ".join(parts))
    return "<br>".join(lines)


def n_changes(signal: Voltage) -> int:
    """Return how often a signal of a few levels changes; 0 for one that varies."""
    levels = signal.levels()
    return len(signal.volts) if signal.stepped and 1 < len(levels) < 20 else 0


def n_times(signal: Voltage, level: float, tolerance: float) -> int:
    """Return how often a signal comes to a level."""
    values = signal.volts[:-1] if signal.stepped else signal.volts
    there = np.abs(values - level) <= tolerance
    return int(there[:1].sum() + (there[1:] & ~there[:-1]).sum())
