"""Inscopix ``.isxd`` event sets, GPIO and IMU signals: tables, and event sets back."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_mesmerize.data.epochs import make_epochs
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.io.inscopix.container import (
    EVENTS,
    GPIO,
    IMU,
    Footer,
    read_footer,
    write_container,
)
from napari_mesmerize.io.inscopix.timing import Timing, moment, ratio, timing_of

_PACKET = np.dtype([("us", "<u8"), ("channel", "<u8"), ("value", "<f4")])


def read_gpio(path: str | Path) -> pd.DataFrame:
    """Read the channels of a GPIO or IMU file.

    Parameters
    ----------
    path : path
        The ``.isxd`` file.

    Returns
    -------
    pandas.DataFrame
        One row per sample: ``channel`` (categorical, of all channels), ``time_s`` since
        the start, ``value`` (float32), ``offset_us`` (uint64, exactly as stored).
        ``attrs`` has ``date``, ``duration_s`` and ``channels``.

    Raises
    ------
    ReadError
        If it is no such file, or damaged.
    """
    footer = read_footer(path)
    footer.expect(GPIO, IMU)
    return _table(footer, "channel", "value")


def read_event_set(path: str | Path) -> pd.DataFrame:
    """Read an Inscopix event set.

    Parameters
    ----------
    path : path
        The ``.isxd`` file.

    Returns
    -------
    pandas.DataFrame
        A row an event: ``cell`` (categorical; cells without events are categories too),
        ``time_s`` since the start, ``amplitude`` (float32), ``offset_us`` (uint64,
        exactly as stored). ``attrs`` has ``cells``, ``n_samples``, ``frame_rate``,
        ``date`` and ``duration_s``.

    Raises
    ------
    ReadError
        If it is no event set, or damaged.
    """
    footer = read_footer(path)
    footer.expect(EVENTS)
    return _table(footer, "cell", "amplitude")


def _table(footer: Footer, who: str, what: str) -> pd.DataFrame:
    names = footer.texts("channel list")
    counts = footer.integers("numSamples")
    n_packets = footer.n_bytes // _PACKET.itemsize
    if counts:
        if len(counts) != len(names) or min(counts) < 0:
            raise footer.error(("numSamples",), counts, f"{len(names)} counts")
        n_packets = sum(counts)
        footer.expect_bytes(n_packets * _PACKET.itemsize, f"{n_packets} samples")
    packets = footer.array(_PACKET, (n_packets,)) if n_packets else np.empty(0, _PACKET)
    channels = np.array(packets["channel"])
    if channels.size and int(channels.max()) >= len(names):
        raise footer.error(
            ("channel list",), names, f"at least {int(channels.max()) + 1} channels"
        )
    labels = _distinct(names)
    table = pd.DataFrame(
        {
            who: pd.Categorical.from_codes(
                channels.astype(np.int64), dtype=pd.CategoricalDtype(labels)
            ),
            "time_s": packets["us"] / 1e6,
            what: np.array(packets["value"], np.float32),
            "offset_us": np.array(packets["us"], np.uint64),
        }
    )
    table.attrs.update({f"{who}s": labels}, **_facts(footer))
    return table


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names of which none comes twice."""
    seen: dict[str, None] = {}
    for name in names:
        label, number = name, 2
        while label in seen:
            label, number = f"{name} ({number})", number + 1
        seen[label] = None
    return list(seen)


def _facts(footer: Footer) -> dict[str, Any]:
    """Return start, duration, and what the first channel says of its sampling."""
    moments = footer.get("global times")
    facts: dict[str, Any] = {"date": None, "duration_s": None}
    if isinstance(moments, list) and len(moments) == 2:
        ends = [
            Footer(footer.path, {"type": 0, "at": at}, 0).ratio("at", "secsSinceEpoch")
            for at in moments
        ]
        offset = moments[0].get("utcOffset") if isinstance(moments[0], dict) else 0
        facts |= _span(ends, offset if type(offset) is int else 0)
    steps = footer.get("signalSteps")
    if isinstance(steps, list) and steps:
        step = Footer(footer.path, {"type": 0, "step": steps[0]}, 0).ratio("step")
        if step and step > 0:
            facts["frame_rate"] = float(1 / step)
            if facts["duration_s"] is not None:
                facts["n_samples"] = round(facts["duration_s"] / float(step))
    return facts


def _span(ends: list[Fraction | None], utc_offset: int) -> dict[str, Any]:
    first, last = ends
    if first is None or last is None or last < first:
        return {}
    timing = Timing(1, Fraction(1), first, utc_offset)
    return {"date": timing.date, "duration_s": float(last - first)}


def signal_epochs(
    signals: pd.DataFrame,
    channel: str,
    stimulus_type: str,
    *,
    name: str | None = None,
    threshold: float = 0.5,
) -> pd.DataFrame:
    """Return stimulus epochs: where a GPIO channel lies above a threshold.

    Parameters
    ----------
    signals : pandas.DataFrame
        As from :func:`read_gpio`. A value holds until the next.
    channel : str
        Name of the channel.
    stimulus_type, name : str
        For all epochs; the default name is the channel's.
    threshold : float, optional
        In the channel's unit.

    Returns
    -------
    pandas.DataFrame
        See :func:`~napari_mesmerize.data.epochs.make_epochs`.

    Raises
    ------
    ParameterError
        If there is no such channel.
    """
    known = list(signals["channel"].cat.categories)
    if channel not in known:
        raise ParameterError(f"There is no channel '{channel}'; there are {known}.")
    rows = signals[signals["channel"] == channel].sort_values("time_s", kind="stable")
    times = rows["time_s"].to_numpy()
    high = np.concatenate([[False], rows["value"].to_numpy() > threshold, [False]])
    edges = np.flatnonzero(high[1:] != high[:-1])
    end = signals.attrs.get("duration_s") or signals["time_s"].max()
    bounds = np.append(times, end)[edges].reshape(-1, 2)
    label = name or channel
    return make_epochs(
        (stimulus_type, label, float(a), float(b)) for a, b in bounds if b > a
    )


def event_traces(
    events: pd.DataFrame, n_frames: int, frame_rate: float
) -> NDArray[np.float32]:
    """Return events as traces: the amplitude at the frame of each event, otherwise 0.

    Parameters
    ----------
    events : pandas.DataFrame
        As from :func:`read_event_set`.
    n_frames : int
        Length of the traces; later events are left out.
    frame_rate : float
        Hz.

    Returns
    -------
    numpy.ndarray
        Shape (n_cells, n_frames), float32; events in one frame are added.
    """
    cells = events["cell"].cat.codes.to_numpy()
    frames = np.floor(events["time_s"].to_numpy() * frame_rate + 1e-6).astype(np.int64)
    inside = (frames >= 0) & (frames < n_frames)
    traces = np.zeros((len(events["cell"].cat.categories), n_frames), np.float32)
    values = events["amplitude"].to_numpy(np.float32)
    np.add.at(traces, (cells[inside], frames[inside]), values[inside])
    return traces


def write_event_set(
    events: pd.DataFrame,
    path: str | Path,
    *,
    n_samples: int | None = None,
    frame_rate: float | None = None,
    cells: Sequence[str] | None = None,
    date: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write an Inscopix event set.

    Parameters
    ----------
    events : pandas.DataFrame
        Columns ``cell`` and ``amplitude``, and ``offset_us`` (exact) or ``time_s``.
    path : path
        The file to write.
    n_samples, frame_rate, date : optional
        Length, Hz and start of the recording; default as in ``events.attrs``.
    cells : sequence of str, optional
        Names of all cells, also those without events; default the categories of
        ``cell``, otherwise the names in the order in which they come.
    overwrite : bool, optional
        Whether a file that is there may be replaced.

    Raises
    ------
    ParameterError
        If a column, the length or the rate is missing, or a cell is not in ``cells``.
    WriteError
        If the file is there already or can not be written; no half file stays.
    """
    n_samples = n_samples or events.attrs.get("n_samples")
    frame_rate = frame_rate or events.attrs.get("frame_rate")
    date = date or events.attrs.get("date")
    if n_samples is None or frame_rate is None:
        raise ParameterError(
            "An event set needs the length and the rate of its recording: give "
            "n_samples=... and frame_rate=... (Hz)."
        )
    timing = timing_of(int(n_samples), frame_rate, date)
    names = list(cells) if cells is not None else _names(events)
    packets = _packets(events, names)
    content = _content(packets, names, timing)
    return write_container(path, [packets], content, overwrite=overwrite)


def _content(packets: NDArray[Any], names: list[str], timing: Timing) -> dict[str, Any]:
    """Return the footer of an event set."""
    counts = np.bincount(packets["channel"].astype(np.int64), minlength=len(names))
    first = np.searchsorted(packets["channel"], np.arange(len(names)))
    offsets = [
        int(packets["us"][i]) if n else 0 for i, n in zip(first, counts, strict=True)
    ]
    stop = timing.start + timing.n_samples * timing.period
    return {
        "channel list": names,
        "extraProperties": None,
        "fileType": 1,
        "fileVersion": 2,
        "global times": [
            moment(timing.start, timing.utc_offset),
            moment(stop, timing.utc_offset),
        ],
        "metrics": None,
        "numSamples": counts.tolist(),
        "signalSteps": [ratio(timing.period)] * len(names),
        "signalTypes": [0] * len(names),
        "startOffsets": offsets,
        "type": EVENTS,
    }


def _names(events: pd.DataFrame) -> list[str]:
    if "cell" in events and isinstance(events["cell"].dtype, pd.CategoricalDtype):
        return [str(name) for name in events["cell"].cat.categories]
    return [str(name) for name in dict.fromkeys(events.get("cell", ()))]


def _packets(events: pd.DataFrame, names: list[str]) -> NDArray[Any]:
    """Return the events as they are stored: cell after cell, each in order of time."""
    timed = "offset_us" if "offset_us" in events else "time_s"
    missing = [c for c in ("cell", "amplitude", timed) if c not in events]
    if missing:
        raise ParameterError(
            f"The events have no column '{missing[0]}'; expected cell, amplitude and "
            "offset_us or time_s."
        )
    place = {name: i for i, name in enumerate(names)}
    unknown = [str(c) for c in events["cell"].unique() if str(c) not in place]
    if unknown or len(place) != len(names):
        raise ParameterError(
            f"Cells must have names of their own that are among cells=...; "
            f"{unknown[0] if unknown else 'one'} "
            + ("is not there." if unknown else "comes twice.")
        )
    times = events[timed].to_numpy()
    micros = times if timed == "offset_us" else np.rint(times * 1e6)
    if len(times) and (not np.isfinite(times.astype(float)).all() or times.min() < 0):
        raise ParameterError("Events must have times of 0 s or later.")
    packets = np.empty(len(events), _PACKET)
    packets["us"] = micros.astype(np.uint64)
    packets["channel"] = [place[str(cell)] for cell in events["cell"]]
    packets["value"] = events["amplitude"].to_numpy(np.float32)
    return packets[np.lexsort((packets["us"], packets["channel"]))]
