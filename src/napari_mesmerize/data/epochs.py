"""Stimulus epochs: a table in seconds, converted exactly to frames [start, stop)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from napari_mesmerize.data.recording import frame_times, require_frame_rate
from napari_mesmerize.errors import ParameterError

COLUMNS = ("stimulus_type", "name", "start_s", "stop_s", "colour")
TOLERANCE = 1e-6
"""Times closer to a frame than this fraction of a frame interval count as its start."""
_COLOURS = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#ccbb44",
    "#66ccee",
    "#aa3377",
    "#ee7733",
    "#009988",
)

Row = Mapping[str, Any] | Sequence[Any]


def make_epochs(rows: "pd.DataFrame | Iterable[Row]" = ()) -> pd.DataFrame:
    """Make a table of stimulus epochs.

    Parameters
    ----------
    rows : pandas.DataFrame or iterable
        A row is a mapping with the keys ``stimulus_type``, ``name``, ``start_s``,
        ``stop_s`` and, optionally, ``colour``; or a sequence in this order. Without a
        colour, each name gets one of its own.

    Returns
    -------
    pandas.DataFrame
        Columns ``stimulus_type``, ``name``, ``start_s``, ``stop_s``, ``colour``, sorted
        by type and start; index 0..n-1.

    Raises
    ------
    ParameterError
        If a row lacks a value or does not pass :func:`check_epochs`.

    Notes
    -----
    Give times in seconds, not in frames: they then hold for every camera and survive
    downsampling. If you have frame numbers, use :func:`frames_to_epochs`. Epochs of
    different types may overlap, epochs of one type may not.

    Examples
    --------
    >>> from napari_mesmerize.data.epochs import make_epochs
    >>> epochs = make_epochs([("odour", "rose", 6, 8), ("odour", "clove", 2, 4)])
    >>> epochs[["name", "start_s", "stop_s"]].to_numpy().tolist()
    [['clove', 2.0, 4.0], ['rose', 6.0, 8.0]]
    """
    if isinstance(rows, pd.DataFrame):
        rows = [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]
    records = [_record(row, number) for number, row in enumerate(rows)]
    colours = _colours_of(records)
    for record in records:
        record["colour"] = record["colour"] or colours[record["name"]]
    table = pd.DataFrame(records, columns=list(COLUMNS))
    table = table.astype({"start_s": float, "stop_s": float})
    for column in ("stimulus_type", "name", "colour"):
        table[column] = table[column].astype(object)
    table = table.sort_values(["stimulus_type", "start_s"], kind="stable")
    return check_epochs(table.reset_index(drop=True))


def with_epochs(
    known: pd.DataFrame | None, new: pd.DataFrame, replacing: str | None = None
) -> pd.DataFrame:
    """Return epochs with others added.

    Parameters
    ----------
    known : pandas.DataFrame or None
        What there is.
    new : pandas.DataFrame
        What is added; its stimulus types replace those of the same name.
    replacing : str, optional
        The only type that is replaced.

    Returns
    -------
    pandas.DataFrame
        A new table of epochs, sorted; ``known`` and ``new`` stay as they are.

    Raises
    ------
    ParameterError
        If a row does not pass :func:`check_epochs`.

    Notes
    -----
    Use this when a recording gets epochs of another stimulus, or when the levels of a
    signal were named anew. To join recordings, shift the times first.

    Examples
    --------
    >>> from napari_mesmerize.data.epochs import make_epochs, with_epochs
    >>> odours = make_epochs([("odour", "mint", 2, 5)])
    >>> light = make_epochs([("light", "on", 1, 3)])
    >>> with_epochs(odours, light)["name"].tolist()
    ['on', 'mint']
    """
    types = {replacing} if replacing else set(new["stimulus_type"])
    if known is None or not len(known):
        return make_epochs(new)
    kept = known[~known["stimulus_type"].isin(types)]
    return make_epochs(pd.concat([kept, new], ignore_index=True))


def _record(row: Row, number: int) -> dict[str, Any]:
    if isinstance(row, str) or len(row) > len(COLUMNS):
        raise ParameterError(
            f"Epoch {number} is {row!r}; expected the {len(COLUMNS)} values "
            f"{', '.join(COLUMNS)} (the last is optional)."
        )
    if not isinstance(row, Mapping):
        row = dict(zip(COLUMNS, row, strict=False))
    missing = [name for name in COLUMNS[:4] if name not in row]
    unknown = [str(name) for name in row if name not in COLUMNS]
    if missing or unknown:
        raise ParameterError(
            f"Epoch {number} has {', '.join(map(str, row)) or 'nothing'}; expected "
            f"{', '.join(COLUMNS[:4])} and, optionally, colour."
        )
    colour = row.get("colour")
    return {
        "stimulus_type": str(row["stimulus_type"]),
        "name": str(row["name"]),
        "start_s": _seconds(row["start_s"], "start_s", number),
        "stop_s": _seconds(row["stop_s"], "stop_s", number),
        "colour": colour if isinstance(colour, str) else "",
    }


def _seconds(value: Any, name: str, number: int) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"Epoch {number} has {name}={value!r}; expected seconds, a number."
        ) from error


def _colours_of(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return a colour per name: a given one, otherwise the next that is free."""
    colours = {r["name"]: r["colour"] for r in reversed(records) if r["colour"]}
    free = [c for c in _COLOURS if c not in colours.values()] or list(_COLOURS)
    for record in records:
        if record["name"] not in colours:
            colours[record["name"]] = free[0]
            free.append(free.pop(0))
    return colours


def check_epochs(epochs: pd.DataFrame, *, stop_s: float | None = None) -> pd.DataFrame:
    """Return ``epochs`` if they can be used.

    Parameters
    ----------
    epochs : pandas.DataFrame
        Columns as :func:`make_epochs` makes them.
    stop_s : float, optional
        End of the recording, seconds; epochs that start there or later are an error.

    Returns
    -------
    pandas.DataFrame
        The table itself.

    Raises
    ------
    ParameterError
        If a column is missing; if a time is negative, NaN or infinite; if an epoch does
        not last; if two epochs of one stimulus type overlap (types may overlap).

    Notes
    -----
    Use it on a table that you made or changed by hand. Give ``stop_s`` to find epochs
    that belong to a longer recording than this one.

    Examples
    --------
    >>> from napari_mesmerize.data.epochs import check_epochs, make_epochs
    >>> epochs = make_epochs([("odour", "rose", 1, 2)])
    >>> len(check_epochs(epochs, stop_s=60.0))
    1
    """
    missing = [name for name in COLUMNS if name not in epochs.columns]
    if missing:
        raise ParameterError(
            f"The epochs lack the columns {', '.join(missing)}; make them with "
            "make_epochs."
        )
    start = epochs["start_s"].to_numpy(dtype=float)
    stop = epochs["stop_s"].to_numpy(dtype=float)
    _raise_for(
        epochs, ~(np.isfinite(start) & np.isfinite(stop)), "times must be finite"
    )
    _raise_for(epochs, start < 0, "start_s must be 0 or more")
    _raise_for(epochs, stop <= start, "stop_s must be greater than start_s")
    if stop_s is not None:
        late = start >= stop_s
        _raise_for(epochs, late, f"the recording ends at {stop_s:g} s")
    for _, group in epochs.groupby("stimulus_type", sort=False):
        order = np.argsort(group["start_s"].to_numpy(), kind="stable")
        rows = group.iloc[order]
        gap = rows["start_s"].to_numpy()[1:] - rows["stop_s"].to_numpy()[:-1]
        overlapping = np.flatnonzero(gap < -1e-9)
        if overlapping.size:
            first, second = (_say(rows.iloc[overlapping[0] + i]) for i in (0, 1))
            raise ParameterError(
                f"Epochs of one stimulus type must not overlap: {first} and {second}. "
                "Shorten one, or give it another stimulus type."
            )
    return epochs


def _raise_for(epochs: pd.DataFrame, wrong: NDArray[np.bool_], expected: str) -> None:
    if wrong.any():
        row = epochs.iloc[int(np.flatnonzero(wrong)[0])]
        raise ParameterError(f"Epoch {_say(row)}: {expected}.")


def _say(row: "pd.Series[Any]") -> str:
    return f"'{row['name']}' ({row['start_s']:g} to {row['stop_s']:g} s)"


def epochs_to_frames(
    epochs: pd.DataFrame, recording: xr.DataArray | ArrayLike
) -> pd.DataFrame:
    """Return the epochs with the frames that they cover, [start, stop).

    A frame belongs to an epoch if ``start_s <= time of the frame < stop_s``; a time
    that misses a frame by rounding alone (1e-6 of a frame interval) counts as its.
    What lies outside the recording is cut off; ``start_frame == stop_frame`` says that
    the epoch covers no frame.

    Parameters
    ----------
    epochs : pandas.DataFrame
        As from :func:`make_epochs`.
    recording : xarray.DataArray or array_like
        A recording with frame rate or time stamps; or the time of each frame, seconds.

    Returns
    -------
    pandas.DataFrame
        ``epochs`` with the int64 columns ``start_frame`` and ``stop_frame``.

    Raises
    ------
    ParameterError
        If epochs or times do not fit, or the frame rate is unknown.

    Notes
    -----
    Use it just before frames are needed, and keep the epochs in seconds: frames change
    when a recording is cropped or downsampled. Give the recording whose frames you
    mean.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.data.epochs import epochs_to_frames, make_epochs
    >>> recording = as_recording(np.zeros((100, 8, 8)), frame_rate=10)
    >>> frames = epochs_to_frames(make_epochs([("odour", "rose", 2, 4)]), recording)
    >>> frames[["start_frame", "stop_frame"]].to_numpy().tolist()
    [[20, 40]]
    """
    check_epochs(epochs)
    start = epochs["start_s"].to_numpy(dtype=float)
    stop = epochs["stop_s"].to_numpy(dtype=float)
    if isinstance(recording, xr.DataArray) and "time_s" not in recording.coords:
        rate = require_frame_rate(recording, "Finding the frames of stimulus epochs")
        n_frames = recording.sizes["frame"]
        frames = [_frames_at_rate(times, rate, n_frames) for times in (start, stop)]
    else:
        times = _check_times(recording)
        frames = [_frames_at(moments, times) for moments in (start, stop)]
    return epochs.assign(start_frame=frames[0], stop_frame=frames[1])


def _frames_at_rate(
    times: NDArray[np.float64], rate: float, n_frames: int
) -> NDArray[np.int64]:
    """Return the first frame at or after each time."""
    exact = times * rate
    nearest = np.rint(exact)
    close = np.abs(exact - nearest) <= TOLERANCE
    frames = np.where(close, nearest, np.ceil(exact))
    return np.clip(frames, 0, n_frames).astype(np.int64)


def _frames_at(
    moments: NDArray[np.float64], times: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the first frame at or after each moment, by real time stamps."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    slack = TOLERANCE * step
    return np.searchsorted(times, moments - slack, side="left").astype(np.int64)


def _check_times(recording: xr.DataArray | ArrayLike) -> NDArray[np.float64]:
    if isinstance(recording, xr.DataArray):
        times = frame_times(recording)
    else:
        times = np.asarray(recording, dtype=np.float64)
    rising = times.ndim == 1 and times.size > 0 and bool((np.diff(times) > 0).all())
    if not rising or not np.isfinite(times).all():
        raise ParameterError(
            f"The times of frames (shape {times.shape}) must be finite and rise from "
            "frame to frame; repair the time stamps or use a frame rate."
        )
    return times


def frames_to_epochs(
    frames: pd.DataFrame, recording: xr.DataArray | ArrayLike
) -> pd.DataFrame:
    """Return epochs in seconds from frames; undoes :func:`epochs_to_frames`.

    Parameters
    ----------
    frames : pandas.DataFrame
        Columns ``stimulus_type``, ``name``, ``start_frame``, ``stop_frame`` ([start,
        stop)) and, where wanted, ``colour``.
    recording : xarray.DataArray or array_like
        A recording with frame rate or time stamps; or the time of each frame, seconds.

    Returns
    -------
    pandas.DataFrame
        Epochs in seconds, as :func:`make_epochs` makes them.

    Raises
    ------
    ParameterError
        If a column is missing or a frame lies outside the recording.

    Notes
    -----
    Use it once, for stimuli that were noted as frame numbers, with the recording that
    was running then. Do not use it with a downsampled copy.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from napari_mesmerize import as_recording
    >>> from napari_mesmerize.data.epochs import frames_to_epochs
    >>> recording = as_recording(np.zeros((100, 8, 8)), frame_rate=10)
    >>> frames = pd.DataFrame(
    ...     {
    ...         "stimulus_type": ["odour"],
    ...         "name": ["rose"],
    ...         "start_frame": [20],
    ...         "stop_frame": [40],
    ...     }
    ... )
    >>> frames_to_epochs(frames, recording)[["start_s", "stop_s"]].to_numpy().tolist()
    [[2.0, 4.0]]
    """
    needed = ("stimulus_type", "name", "start_frame", "stop_frame")
    missing = [name for name in needed if name not in frames.columns]
    if missing:
        raise ParameterError(
            f"The table lacks the columns {', '.join(missing)}; expected "
            f"{', '.join(needed)} and, where wanted, colour."
        )
    times = _check_times(recording)
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    if isinstance(recording, xr.DataArray) and recording.attrs.get("frame_rate"):
        step = 1.0 / float(recording.attrs["frame_rate"])
    edges = np.append(times, times[-1] + step)
    bounds = frames[["start_frame", "stop_frame"]].to_numpy()
    whole = (
        np.isfinite(bounds.astype(float)).all() and (bounds == np.rint(bounds)).all()
    )
    if not whole or (bounds < 0).any() or (bounds > len(times)).any():
        raise ParameterError(
            f"Frames of epochs must be whole numbers from 0 to {len(times)}, the "
            f"number of frames; these are {bounds.min()} to {bounds.max()}."
        )
    bounds = bounds.astype(np.int64)
    table = frames[["stimulus_type", "name"]].copy()
    table["start_s"], table["stop_s"] = edges[bounds[:, 0]], edges[bounds[:, 1]]
    if "colour" in frames:
        table["colour"] = frames["colour"]
    return make_epochs(table)
