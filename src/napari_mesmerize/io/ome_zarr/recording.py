"""Zarr folders: OME-Zarr 0.4 and 0.5, and plain arrays of frames."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr
import zarr.storage
from numpy.typing import NDArray

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.blocks.arrays import CachedBlocks, array_items, parse_axes
from napari_mesmerize.io.items import Item, check_file, iso_date, positive
from napari_mesmerize.io.ome_xml import length_um

OWN_FORMAT = "napari-mesmerize recording"
MAX_ARRAYS = 500
_LENGTHS = {"micrometer": "um", "nanometer": "nm", "millimeter": "mm", "meter": "m"}
_SECONDS = {"second": 1.0, "millisecond": 1e-3, "microsecond": 1e-6, "minute": 60.0}
_OPEN_MARKS = ("zarr.json", ".zgroup", ".zarray", ".zattrs")


def scan(path: Path, *, axes: str | None = None) -> list[Item]:
    """Return the recordings in a Zarr folder (or zip file).

    Parameters
    ----------
    path : pathlib.Path
        The folder.
    axes : str, optional
        A letter per axis. Default: what OME-Zarr says, otherwise ``TYX`` or ``TZYX``.

    Raises
    ------
    ReadError
        If it is no Zarr folder, or holds no array of frames.
    """
    if path.is_file():
        check_file(path)
    elif not any((path / mark).exists() for mark in _OPEN_MARKS):
        raise ReadError(
            f"{path.name} is a folder without Zarr's own files "
            f"({', '.join(_OPEN_MARKS)}); it was not written to the end, or is "
            "something else."
        )
    root = _root(path)
    if isinstance(root, zarr.Array):
        items = _plain(path, "", root, axes)
    elif root.attrs.get("format") == OWN_FORMAT and "frames" in root:
        items = _own(path, root)
    else:
        items = [item for name, group in _images(root) for item in
                 _ome(path, name, group, axes)]  # fmt: skip
        if not items:
            arrays = sorted(_arrays(root), key=lambda pair: -pair[1].nbytes)
            items = [i for name, a in arrays for i in _plain(path, name, a, axes)]
    if not items:
        raise ReadError(
            f"{path.name} has no array of 3 to 5 axes of numbers, which a recording is."
        )
    return items


def _own(path: Path, root: zarr.Group) -> list[Item]:
    """Return the recording that a motion correction or a project stored."""
    (item,) = _plain(path, "frames", root["frames"], None)
    facts: dict[str, Any] = dict(root.attrs)
    sizes = facts.get("pixel_size_um")
    info = replace(
        item.info,
        name=_stem(path),
        frame_rate=positive(facts.get("frame_rate")),
        pixel_size_um=tuple(sizes) if isinstance(sizes, list) else None,
        z_step_um=positive(facts.get("z_step_um")),
        date=iso_date(facts.get("date")),
        origin=str(facts["origin"]) if facts.get("origin") else None,
    )
    meta, steps = facts.get("meta"), facts.get("history")
    return [
        replace(
            item,
            info=info,
            times=partial(_times, path, "time_s", info.n_frames),
            meta=dict(meta) if isinstance(meta, Mapping) else {},
            history=tuple(dict(step) for step in steps or ()),
        )
    ]


def _arrays(group: zarr.Group) -> Iterator[tuple[str, Any]]:
    found = 0
    for name, member in group.members(max_depth=4):
        if isinstance(member, zarr.Array) and 3 <= member.ndim <= 5:
            found += 1
            if member.dtype.kind in "buif" and found <= MAX_ARRAYS:
                yield name, member


def _images(root: zarr.Group) -> Iterator[tuple[str, zarr.Group]]:
    """Yield the groups that are OME images: the root, or those below it."""
    if _multiscales(root):
        yield "", root
        return
    for name, member in root.members(max_depth=3):
        if isinstance(member, zarr.Group) and _multiscales(member):
            yield name, member


def _multiscales(group: zarr.Group) -> list[Mapping[str, Any]]:
    attributes = dict(group.attrs)
    ome = attributes.get("ome")
    source = ome if isinstance(ome, Mapping) else attributes
    found = source.get("multiscales")
    return list(found) if isinstance(found, list) else []


def _ome(path: Path, name: str, group: zarr.Group, axes: str | None) -> list[Item]:
    image = _multiscales(group)[0]
    full = image["datasets"][0]
    array = group[str(full["path"])]
    if not isinstance(array, zarr.Array):
        raise ReadError(f"{path.name} names an array '{full['path']}' it has not.")
    described = [
        axis if isinstance(axis, Mapping) else {"name": axis}
        for axis in image.get("axes", [])
    ]
    letters = "".join(str(axis.get("name", "?"))[:1].upper() for axis in described)
    letters = parse_axes(axes or letters or None, array.shape, path.name)
    scales = _scales(image, full, len(letters))
    by_letter = {
        str(axis.get("name", "?"))[:1].upper(): (str(axis.get("unit", "")), scale)
        for axis, scale in zip(described, scales, strict=False)
    }
    step_s = by_letter.get("T", ("", None))
    seconds = _SECONDS.get(step_s[0])
    rate = 1 / (step_s[1] * seconds) if step_s[1] and seconds else None
    y, x, z = (_length(by_letter.get(letter)) for letter in "YXZ")
    attributes = dict(group.attrs)
    ome = attributes.get("ome", attributes)
    omero = ome.get("omero", {}) if isinstance(ome, Mapping) else {}
    labels = omero.get("channels") if isinstance(omero, Mapping) else None
    labels = labels if isinstance(labels, list) else []
    names = tuple(
        str(label.get("label", f"channel {i}"))
        for i, label in enumerate(labels)
        if isinstance(label, Mapping)
    )
    own = attributes.get("recording")
    own = dict(own) if isinstance(own, Mapping) else {}
    said = own.get("meta")
    meta = {"ome_zarr": json.loads(json.dumps(image, default=str))}
    meta |= {"earlier_steps": own["history"]} if own.get("history") else {}
    return array_items(
        array,
        name=" ".join(part for part in (_stem(path), name) if part),
        axes=letters,
        selection=name or "image-0",
        opener=partial(_open, path, f"{name}/{full['path']}".strip("/")),
        times=partial(_times, path, f"{name}/time_s".strip("/"), array.shape[0]),
        meta=meta | (dict(said) if isinstance(said, Mapping) else {}),
        channels=names,
        frame_rate=positive(rate),
        pixel_size_um=(y, x) if y and x else None,
        z_step_um=z if "Z" in letters else None,
        date=iso_date(own.get("date")),
        origin=str(own["origin"]) if own.get("origin") else None,
    )


def _times(path: Path, name: str, n_frames: int) -> NDArray[np.float64] | None:
    """Return the time stamps that lie beside the frames, if they do."""
    root = _root(path)
    array = root.get(name) if isinstance(root, zarr.Group) else None
    if not isinstance(array, zarr.Array) or array.shape != (n_frames,):
        return None
    return np.asarray(array[:], np.float64)


def _scales(
    image: Mapping[str, Any], full: Mapping[str, Any], n_axes: int
) -> list[float | None]:
    """Return the size of a step along each axis: the product of both scales."""
    out = np.ones(n_axes)
    known = False
    for source in (full, image):
        for change in source.get("coordinateTransformations", []):
            scale = change.get("scale") if isinstance(change, Mapping) else None
            if isinstance(scale, list) and len(scale) == n_axes:
                out *= np.asarray(scale, np.float64)
                known = True
    return [positive(value) if known else None for value in out]


def _length(axis: tuple[str, float | None] | None) -> float | None:
    if axis is None or not axis[0]:
        return None
    return length_um(axis[1], _LENGTHS.get(axis[0], axis[0]))


def _plain(path: Path, name: str, array: Any, axes: str | None) -> list[Item]:
    fits = axes is None or len(axes) == array.ndim
    letters = parse_axes(axes if fits else None, array.shape, name or path.name)
    attributes = dict(array.attrs)
    sizes = attributes.get("pixel_size_um")
    pair = tuple(positive(s) for s in sizes) if isinstance(sizes, list) else ()
    return array_items(
        array,
        name=" ".join(part for part in (_stem(path), name) if part),
        axes=letters,
        selection=name,
        opener=partial(_open, path, name),
        meta={"attributes": attributes},
        frame_rate=positive(attributes.get("frame_rate") or attributes.get("fps")),
        pixel_size_um=pair if len(pair) == 2 and all(pair) else None,
        z_step_um=positive(attributes.get("z_step_um")),
        date=iso_date(attributes.get("date")),
        origin=attributes.get("origin") if attributes.get("origin") else None,
    )


def _stem(path: Path) -> str:
    return path.name.removesuffix(".zip").removesuffix(".zarr").removesuffix(".ome")


def _open(path: Path, name: str) -> Any:
    opened = _root(path)
    array = opened if isinstance(opened, zarr.Array) else opened[name]
    if not isinstance(array, zarr.Array):
        raise ReadError(f"{path.name} has no array '{name}'.")
    return CachedBlocks(array, _Array(array), array.chunks[0])


def _root(path: Path) -> Any:
    """Open a folder or a zip file."""
    if path.is_file():
        return zarr.open(zarr.storage.ZipStore(path, mode="r"), mode="r")
    return zarr.open(str(path), mode="r")


class _Array:
    """A Zarr array with the indexing that frames need."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return np.asarray(self._array[key])
