"""What is known of a recording: its file's facts, and those of the files beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.facts import miniscope
from napari_mesmerize.io.facts.sidecar import MetadataFormat, find_metadata, read_facts
from napari_mesmerize.io.items import Item, positive, warn
from napari_mesmerize.io.paths import PathLike
from napari_mesmerize.io.series import Part

_VIDEOS = (".avi", ".mkv", ".mp4", ".mov")


def place_of(path: PathLike | Sequence[PathLike], files: list[Path]) -> PathLike:
    """Return the place whose metadata file counts: the folder given, or the file."""
    return path if isinstance(path, str) and len(files) > 1 else files[0]


def known_facts(
    item: Item,
    files: list[Path],
    where: PathLike,
    metadata: PathLike | bool,
    metadata_format: MetadataFormat = "",
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (facts, raw metadata) of the file and of the metadata file beside it."""
    info = item.info
    facts: dict[str, Any] = {
        "frame_rate": positive(info.frame_rate),
        "pixel_size_um": _sizes(info.pixel_size_um),
        "z_step_um": positive(info.z_step_um),
        "date": info.date,
        "origin": info.origin,
    }
    meta = dict(item.meta)
    if info.channel is not None:
        meta["channel"] = info.channel
    beside: Path | None = None
    if metadata is not False:
        said, raw = miniscope.read_facts(files[0].parent)
        if raw and files[0].suffix.lower() in _VIDEOS:
            facts |= said
            meta["miniscope"] = raw
    if metadata is True:
        beside = find_metadata(Path(where)) if Path(where).is_dir() else None
        beside = beside or find_metadata(files[0])
        beside = beside or (find_metadata(files[0].parent) if files[1:] else None)
    elif metadata is not False:
        beside = Path(metadata)
    if beside is None:
        return facts, meta
    try:
        said, content = read_facts(beside, metadata_format)
    except ReadError as error:
        if metadata is not True:
            raise
        warn(f"Nothing was taken from the metadata file beside the recording: {error}")
        return facts, meta
    stored, rate = facts["frame_rate"], said.get("frame_rate")
    if stored and rate and abs(stored - rate) > 0.01 * stored:
        warn(
            f"{files[0].name} says {stored:.6g} Hz, {beside.name} says {rate:.6g} Hz; "
            "the latter is used. With metadata=False the file's own is used."
        )
    return facts | said, meta | {"orig_meta": content, "metadata_file": beside.name}


def _sizes(sizes: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the size of a pixel if both numbers make sense."""
    known = sizes is not None and all(positive(size) for size in sizes)
    return sizes if known else None


def real_times(parts: Sequence[Part], n_frames: int) -> NDArray[np.float64] | None:
    """Return the time stamps of all files, if they have them and they go on."""
    first = parts[0].path
    stamps = miniscope.find_times(first.parent)
    if stamps is not None and first.suffix.lower() in _VIDEOS:
        measured = miniscope.read_times(stamps)
        if len(measured) == n_frames:
            return measured
        warn(
            f"{stamps.name} has {len(measured)} time stamps, but {n_frames} frames "
            "were opened; the time stamps are not used. Open all files of the folder "
            "together."
        )
    known = [part.times for part in parts if part.times is not None]
    times = np.concatenate(known) if len(known) == len(parts) else np.empty(0)
    if len(times) != n_frames:
        return None
    if len(parts) > 1 and not (np.diff(times) > 0).all():
        warn(
            f"The time stamps of {parts[1].path.name} do not go on from those of "
            f"{first.name}, so none are used. Give frame_rate=... instead."
        )
        return None
    return times
