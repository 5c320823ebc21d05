"""What UCLA Miniscope software writes beside its videos: rate, date, time stamps."""

import csv
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.items import positive

_TIMES = ("timeStamps.csv", "timestamps.csv", "timestamp.dat", "timeStamps.dat")


def find_times(folder: Path) -> Path | None:
    """Return the file of time stamps in a folder, if there is one."""
    return next((folder / n for n in _TIMES if (folder / n).is_file()), None)


def read_times(path: Path, camera: int | None = None) -> NDArray[np.float64]:
    """Return the time stamps of frames in seconds, the first one 0.

    Parameters
    ----------
    path : pathlib.Path
        ``timeStamps.csv`` (frame number, ms, buffer) or ``timestamp.dat`` (camera,
        frame number, ms, buffer).
    camera : int, optional
        Number of the camera in a ``.dat`` file; default the one with the most frames.

    Raises
    ------
    ReadError
        If it is neither.
    """
    try:
        text = path.read_text("utf-8-sig")
        rows = [r for r in csv.reader(re.sub(r"[\t;]", ",", text).splitlines()) if r]
        table = np.array([[float(v) for v in row[:4] if v.strip()] for row in rows[1:]])
        if table.ndim != 2 or table.shape[1] < 2:
            raise ValueError(f"it has {table.shape} values")
    except (OSError, ValueError) as error:
        raise ReadError(
            f"{path.name} can not be read as time stamps: {error}. Expected a header "
            "line and rows of frame number and milliseconds."
        ) from error
    if path.suffix == ".dat":
        cameras, counts = np.unique(table[:, 0], return_counts=True)
        camera = int(cameras[counts.argmax()]) if camera is None else camera
        table = table[table[:, 0] == camera][:, 1:]
    times = table[:, 1] / 1000
    return np.asarray(times - times[0] if len(times) else times, np.float64)


def read_facts(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (facts, raw metadata) of ``metaData.json`` in a folder and its parent."""
    facts: dict[str, Any] = {}
    raw: dict[str, Any] = {}
    for place in (folder.parent, folder):
        path = place / "metaData.json"
        try:
            content = json.loads(path.read_text("utf-8-sig"))
        except (OSError, ValueError):
            continue
        if not isinstance(content, dict):
            continue
        raw |= content
        rate = re.match(r"[\d.]+", str(content.get("frameRate", "")))
        if rate and positive(rate.group()):
            facts["frame_rate"] = positive(rate.group())
        if content.get("deviceType") or "frameRate" in content:
            facts["origin"] = str(content.get("deviceType") or "Miniscope")
        date = _start(content.get("recordingStartTime"))
        if date:
            facts["date"] = date
    return facts, raw


def _start(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None
    names = ("year", "month", "day", "hour", "minute", "second", "msec")
    try:
        *parts, milliseconds = (int(value.get(name, 0)) for name in names)
        return datetime(*parts, milliseconds * 1000).isoformat()  # type: ignore[arg-type,call-arg]
    except (TypeError, ValueError):
        return None
