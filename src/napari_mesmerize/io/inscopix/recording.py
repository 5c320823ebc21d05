"""Inscopix ``.isxd`` movies and images."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.inscopix.container import (
    IMAGE,
    MOVIE,
    READS,
    TITLES,
    Footer,
    read_footer,
)
from napari_mesmerize.io.inscopix.frames import (
    MAX_STAMPS,
    RGB,
    Layout,
    StoredFrames,
    clock_period_s,
    time_stamps,
)
from napari_mesmerize.io.inscopix.timing import Timing, read_timing
from napari_mesmerize.io.items import Item, RecordingInfo, Series, kind_of

_COLOURS = ("red", "green", "blue")
_ACQUISITION = {
    "Animal ID": "animal.id",
    "Animal Species": "animal.species",
    "Animal Sex": "animal.sex",
    "Animal Date of Birth": "animal.dob",
    "Animal Weight": "animal.weight",
    "Animal Description": "animal.description",
    "Microscope Type": "microscope.type",
    "Microscope Serial Number": "microscope.serial",
    "Microscope Focus": "microscope.focus",
    "Microscope Gain": "microscope.gain",
    "Microscope EX LED 1 Power (mw/mm^2)": "microscope.led.exPower",
    "Microscope EX LED 2 Power (mw/mm^2)": "microscope.led.ogPower",
    "Exposure Time (ms)": "microscope.exp",
    "Probe Type": "probe.type",
    "Probe Diameter (mm)": "probe.diameter",
    "Probe Length (mm)": "probe.length",
    "Probe Pitch": "probe.pitch",
    "Probe Rotation (degrees)": "probe.rotation",
    "Probe Flip": "probe.flip",
    "Experimenter Name": "personnel.name",
    "Session Name": "name",
    "Acquisition SW Version": "producer.version",
}


def scan(path: Path) -> list[Item]:
    """Return the movie or image in an ``.isxd`` file; reads its footer only.

    Samples that were dropped, cropped or left blank are not in the file and not in the
    recording: they are gaps in its times, and listed in ``meta["missing"]``.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    ReadError
        If it is no ``.isxd`` file, or damaged.
    """
    footer = read_footer(path)
    if footer.type not in (MOVIE, IMAGE):
        return [_no_movie(footer)]
    timing = read_timing(footer)
    layout = Layout(footer, timing)
    samples = timing.valid_samples()
    period = clock_period_s(layout, timing, samples)
    info = RecordingInfo(
        selection="movie" if footer.type == MOVIE else "image",
        name=path.stem,
        shape=(layout.n_frames, *layout.image_shape),
        dtype=str(layout.dtype.newbyteorder("=")),
        kind=kind_of((layout.n_frames, *layout.image_shape)),
        frame_rate=None
        if footer.type == IMAGE
        else (timing.rate if period is None else 1 / period),
        pixel_size_um=footer.pixel_size_um(),
        date=timing.date,
        origin=_origin(footer),
    )

    def times() -> NDArray[np.float64] | None:
        return _times(layout, timing, samples)

    meta = _meta(footer, timing)
    if layout.code != RGB:
        return [Item(info, lambda: StoredFrames(layout), times, meta)]
    ask = (
        f"{path.name} is a coloured movie. A recording has one value per pixel: choose "
        "selection='red', 'green' or 'blue'."
    )
    return [
        Item(
            RecordingInfo(**vars(info) | {"selection": colour, "channel": colour}),
            lambda c=c: StoredFrames(layout, c),  # type: ignore[misc]
            times,
            meta,
            ask=ask,
        )
        for c, colour in enumerate(_COLOURS)
    ]


def _no_movie(footer: Footer) -> Item:
    """Return the item that says what the file holds instead of a movie."""
    title = TITLES[footer.type]
    reader = READS.get(footer.type)
    advice = f"; read it with napari_mesmerize.io.{reader}" if reader else ""
    info = RecordingInfo(
        selection=title.rpartition(" ")[2],
        name=footer.path.stem,
        shape=(0, 0, 0),
        dtype="float32",
        kind="other",
        problem=f"it holds {title}, no movie{advice}",
    )

    def refuse() -> StoredFrames:
        raise ReadError(f"{footer.path.name} holds {title}, no movie.")

    return Item(info, refuse)


def _times(
    layout: Layout, timing: Timing, samples: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Return frame times in seconds since sample 0 where they are not plain multiples.

    Real time stamps where frames have them; otherwise samples times period where some
    are missing; otherwise None.
    """
    stamps = time_stamps(layout, timing, limit=MAX_STAMPS)
    if stamps is not None:
        first = int(samples[0]) * float(timing.period)
        return np.asarray((stamps - stamps[0]) / 1e6 + first)
    if len(samples) == timing.n_samples:
        return None
    times = samples * timing.period.numerator / timing.period.denominator
    return np.asarray(times, np.float64)


def _origin(footer: Footer) -> str:
    microscope = footer.get("extraProperties", "microscope", "type")
    if isinstance(microscope, str) and microscope:
        return f"Inscopix {microscope}"
    writer = footer.get("writer")
    return writer if isinstance(writer, str) and writer else "Inscopix"


def _meta(footer: Footer, timing: Timing) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "isxd": dict(footer.content),
        "n_samples": timing.n_samples,
        "missing": timing.missing(),
    }
    acquisition = {
        title: footer.get("extraProperties", *place.split("."))
        for title, place in _ACQUISITION.items()
    }
    known = {k: v for k, v in acquisition.items() if v is not None}
    return meta | ({"acquisition_info": known} if known else {})


def read_time_stamps(path: str | Path) -> NDArray[np.int64]:
    """Read the counter in the header of every frame of a movie.

    ``read_recording`` reads some thousand of them at most and interpolates the rest.

    Returns
    -------
    numpy.ndarray
        Shape (n_frames,), microseconds since the microscope was switched on.

    Raises
    ------
    ReadError
        If it is no such movie, or its frames have no headers.
    """
    footer = read_footer(path)
    footer.expect(MOVIE)
    timing = read_timing(footer)
    stamps = time_stamps(Layout(footer, timing), timing)
    if stamps is None:
        raise ReadError(
            f"{footer.path.name} has no time stamps: its frames have no headers, or "
            "the counter in them stands still."
        )
    return stamps


def join(files: Sequence[Path], items: Sequence[Item]) -> Series:
    """Put the files of one series in the order of their start, with the gaps between.

    Files that do not say when they start, and images, stay in the order given.

    Parameters
    ----------
    files, items : sequence
        Files, and the movie in each.

    Returns
    -------
    Series
        Its times count from the start of the first file.

    Raises
    ------
    ReadError
        If a file has another rate, or overlaps with one before it.
    """
    for path, item in zip(files, items, strict=True):
        if item.info.problem:
            raise ReadError(f"{path.name}: {item.info.problem}.")
    if any(item.info.date is None or not item.info.frame_rate for item in items):
        return Series(list(files))
    parts = sorted(
        ((_start(item), path, item) for path, item in zip(files, items, strict=True)),
        key=lambda part: part[0],
    )
    began, first_path, first = parts[0]
    rate = first.info.frame_rate or 0.0
    stamps = []
    for start, path, item in parts:
        mine = item.info.frame_rate or 0.0
        if abs(mine - rate) > 0.01 * rate:
            raise ReadError(
                f"{path.name} has {mine:.6g} Hz, {first_path.name} {rate:.6g} Hz; "
                "files of one series must agree."
            )
        times = item.times()
        within = np.arange(item.info.n_frames) / mine if times is None else times
        stamps.append(np.asarray(within, np.float64) + (start - began))
    joined = np.concatenate(stamps)
    back = np.flatnonzero(np.diff(joined) <= 0)
    if back.size:
        raise ReadError(
            f"The files overlap in time at {joined[back[0]]:.3f} s; is one given "
            "twice? " + ", ".join(path.name for _, path, _ in parts)
        )
    missing = {path.name: item.meta.get("missing") for _, path, item in parts}
    return Series([path for _, path, _ in parts], joined, {"missing_by_file": missing})


def _start(item: Item) -> float:
    """Return when a movie starts, seconds since 1970."""
    return datetime.fromisoformat(item.info.date or "").timestamp()
