"""Recordings in Neurodata Without Borders files; no NWB library is needed to read."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.data.recording import Frames
from napari_mesmerize.errors import MissingExtraError, ReadError
from napari_mesmerize.io.blocks.arrays import array_items
from napari_mesmerize.io.hdf5 import (
    StoredArray,
    check_heaps,
    check_name,
    open_hdf5,
    plain,
    read_whole,
)
from napari_mesmerize.io.items import (
    Item,
    RecordingInfo,
    check_file,
    iso_date,
    positive,
)
from napari_mesmerize.io.ome_xml import length_um
from napari_mesmerize.io.times import even_times, rate_of_times

_SERIES = ("TwoPhotonSeries", "OnePhotonSeries")
_UNITS = {"meters": "m", "meter": "m", "micrometers": "um", "microns": "um"}
_UNITS |= {"millimeters": "mm", "nanometers": "nm"}


def scan(path: Path, *, axes: str | None = None) -> list[Item]:
    """Return the image series in an NWB file, photon series first.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    axes : str, optional
        A letter per axis. Default ``TXY`` and ``TXYZ``, as the format demands; files
        by some writers are ``TYX``.

    Raises
    ------
    ReadError
        If it is no HDF5 file, damaged, or holds no images.
    """
    check_file(path)
    check_heaps(path)
    with open_hdf5(path) as file:
        series = sorted(_series(file), key=lambda group: _kind(group) not in _SERIES)
        items = [item for group in series for item in _listed(path, file, group, axes)]
    if not items:
        raise ReadError(
            f"{path.name} holds no TwoPhotonSeries, OnePhotonSeries or other "
            "ImageSeries of frames; expected a recording in it."
        )
    return items


def _kind(group: Any) -> str:
    return str(plain(group.attrs.get("neurodata_type", "")))


def _series(file: Any) -> Iterator[Any]:
    """Yield the groups that hold frames."""
    found: list[Any] = []

    def visit(_: str, member: Any) -> None:
        if not isinstance(member, h5py.Group):
            return
        data = member.get("data")
        frames = isinstance(data, h5py.Dataset) and 3 <= data.ndim <= 4
        if _kind(member) in _SERIES or (_kind(member).endswith("Series") and frames):
            check_name(member)
            found.append(member)

    file.visititems(visit)
    yield from found


def _listed(path: Path, file: Any, group: Any, axes: str | None) -> list[Item]:
    """Return the items of a series; one that says why it can not be read."""
    try:
        return _items(path, file, group, axes)
    except (ReadError, MissingExtraError) as error:
        return [_unreadable(group, str(error))]


def _unreadable(group: Any, problem: str) -> Item:
    name = group.name.strip("/")
    info = RecordingInfo(name, name, (), "uint8", "other", problem=problem)
    return Item(info, _no_frames)


def _items(path: Path, file: Any, group: Any, axes: str | None) -> list[Item]:
    name = group.name.strip("/")
    data = group.get("data")
    outside = group.get("external_file")
    if outside is not None or not isinstance(data, h5py.Dataset) or not data.size:
        files = [] if outside is None else [plain(f) for f in np.ravel(outside[()])]
        return [_linked(path, file, group, [str(name) for name in files])]
    letters = axes.upper() if axes else {3: "TXY", 4: "TXYZ"}[data.ndim]
    if len(letters) != data.ndim or len(set(letters)) != data.ndim:
        letters = {3: "TXY", 4: "TXYZ"}[data.ndim]
    plane = group.get("imaging_plane")
    times, rate = _times(path, group)
    if rate is None and isinstance(plane, h5py.Group):
        rate = positive(_value(plane, "imaging_rate"))
    size, step = _spacing(group, plane)
    convert = _conversion(data)
    items = array_items(
        data,
        name=f"{path.stem} {name.rpartition('/')[2]}",
        axes=letters,
        selection=name,
        opener=partial(StoredArray, path, data.name),
        times=times,
        meta=_meta(file, group, plane) | {"conversion": convert},
        frame_rate=rate,
        pixel_size_um=size,
        z_step_um=step if data.ndim == 4 else None,
        date=iso_date(_value(file, "session_start_time")),
        origin=_device(file, plane) or "NWB",
    )
    return items


def _linked(path: Path, file: Any, group: Any, files: list[str]) -> Item:
    """Return the item of a series whose frames are in another file, if it is there."""
    if not files:
        return _unreadable(group, "it has no frames")
    beside = path.parent / files[0]
    itself = beside.suffix.lower() == path.suffix.lower()
    if len(files) > 1 or itself or not beside.exists():
        problem = f"its frames are in other files; open {', '.join(files)}"
        return _unreadable(group, problem)
    from napari_mesmerize.io.readers import scan_file

    found = scan_file(beside, {})[0]
    if found.info.problem:
        return _unreadable(group, f"{beside.name}: {found.info.problem}")
    times, rate = _times(path, group)
    plane = group.get("imaging_plane")
    size, step = _spacing(group, plane)
    known = {
        "frame_rate": rate,
        "pixel_size_um": size,
        "z_step_um": step if len(found.info.shape) == 4 else None,
        "date": iso_date(_value(file, "session_start_time")),
    }
    name = group.name.strip("/")
    info = replace(
        found.info,
        selection=name,
        name=f"{path.stem} {name.rpartition('/')[2]}",
        **_known(known),
    )
    meta = {**found.meta, **_meta(file, group, plane), "external_file": str(beside)}
    stamped = "timestamps" in group
    return replace(found, info=info, meta=meta, times=times if stamped else found.times)


def _no_frames() -> Frames:
    raise ReadError("there are no frames in this file")


def _value(group: Any, name: str) -> Any:
    data = group.get(name)
    if not isinstance(data, h5py.Dataset) or data.size is None or data.size > 1000:
        return None
    return plain(data[()])


def _times(path: Path, group: Any) -> tuple[Any, float | None]:
    """Return a function that returns the time stamps, and the frame rate."""
    stamps = group.get("timestamps")
    if isinstance(stamps, h5py.Dataset) and stamps.ndim == 1:
        head = np.asarray(stamps[:1000], np.float64)
        name = stamps.name

        def read() -> NDArray[np.float64]:
            with open_hdf5(path) as file:
                return np.asarray(read_whole(file[name]), np.float64)

        return read, rate_of_times(head)
    start = group.get("starting_time")
    rate, first, n_frames = None, 0.0, len(group["data"])
    if isinstance(start, h5py.Dataset):
        rate = positive(plain(start.attrs.get("rate")))
        known = _value(group, "starting_time")
        first = float(known) if isinstance(known, int | float) else 0.0
    return lambda: even_times(n_frames, rate, first), rate


def _spacing(group: Any, plane: Any) -> tuple[tuple[float, float] | None, float | None]:
    """Return (pixel size (y, x), z step), micrometres."""
    spacing = plane.get("grid_spacing") if isinstance(plane, h5py.Group) else None
    if not isinstance(spacing, h5py.Dataset) or spacing.ndim != 1:
        return None, None
    unit = str(plain(spacing.attrs.get("unit", "meters")))
    lengths = [length_um(v, _UNITS.get(unit, unit)) for v in spacing[:3]]
    if len(lengths) < 2 or lengths[0] is None or lengths[1] is None:
        return None, None
    return (lengths[1], lengths[0]), lengths[2] if len(lengths) > 2 else None


def _conversion(data: Any) -> dict[str, Any]:
    """Return factor, offset and unit of the values; they are kept as stored."""
    names = ("conversion", "offset", "unit", "resolution")
    return {n: plain(data.attrs[n]) for n in names if n in data.attrs}


def _meta(file: Any, group: Any, plane: Any) -> dict[str, Any]:
    meta: dict[str, Any] = {"neurodata_type": _kind(group)}
    for name in ("session_description", "identifier", "session_id"):
        meta[name] = _value(file, name)
    general = file.get("general")
    for name in ("institution", "lab", "experimenter", "session_id", "keywords"):
        value = _value(general, name) if isinstance(general, h5py.Group) else None
        if value is not None:
            meta[name] = value
    subject = file.get("general/subject")
    if isinstance(subject, h5py.Group):
        meta["subject"] = {name: _value(subject, name) for name in subject}
    if isinstance(plane, h5py.Group):
        meta["imaging_plane"] = {name: _value(plane, name) for name in plane}
    return _known(meta)


def _known(meta: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in meta.items() if value is not None}


def _device(file: Any, plane: Any) -> str | None:
    """Return the name of the microscope (a link does not tell it)."""
    device = plane.get("device") if isinstance(plane, h5py.Group) else None
    devices = file.get("general/devices")
    if not isinstance(device, h5py.Group) or not isinstance(devices, h5py.Group):
        return None
    return next((name for name in devices if devices[name] == device), None)
