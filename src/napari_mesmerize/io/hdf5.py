"""Plain HDF5 files: any data set of frames in them."""

import contextlib
import os
import re
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ReadError, reading
from napari_mesmerize.io.blocks.arrays import CachedBlocks, array_items, parse_axes
from napari_mesmerize.io.items import Item, check_file, iso_date, positive

MAX_DATASETS = 2000
CACHE_BYTES = 2**26
MAX_CACHE = 2**28
LARGE_BYTES = 2**28
_REMEDY = "If a copy stopped early, copy it again from where it was recorded."
_HEAP = b"GCOL\x01\0\0\0"
_HEAD_BYTES = 2**22
MAX_PACKING = 2000  # data sets are not compressed more than so many times
_USUAL = ("mov", "data", "images", "image", "movie", "imaging", "frames", "video")
_RATES = (
    "frame_rate",
    "fr",
    "fps",
    "rate",
    "framerate",
    "sampling_rate",
    "imaging_rate",
)


def scan(path: Path, *, axes: str | None = None, dataset: str = "") -> list[Item]:
    """Return the data sets of an HDF5 file that can be recordings.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    axes : str, optional
        A letter per axis; default ``TYX`` or ``TZYX``.
    dataset : str, optional
        Only this one. Default: all of three to five axes, usual names and large ones
        first.

    Raises
    ------
    ReadError
        If it is no HDF5 file, damaged, or has no such data set.
    """
    check_file(path)
    items = []
    with open_hdf5(path) as file:
        if dataset:
            if not isinstance(file.get(dataset), h5py.Dataset):
                names = ", ".join(data.name for data in _datasets(file))
                raise ReadError(
                    f"{path.name} has no data set '{dataset}'; it has "
                    f"{names or 'none'}."
                )
            found = [file[dataset]]
        else:
            found = [data for data in _datasets(file) if 3 <= data.ndim <= 5]
            found.sort(key=_rank)
        if not found and "estimates" in file:
            raise ReadError(
                f"{path.name} holds results of CaImAn, no recording; import them as "
                "components."
            )
        for data in found:
            wrong = axes is not None and len(axes) != data.ndim and len(found) > 1
            letters = parse_axes(None if wrong else axes, data.shape, data.name)
            items += _items(path, data, letters)
    if not items:
        raise ReadError(
            f"{path.name} has no data set of 3 to 5 axes of numbers, which a recording "
            "is (frame, y, x); name another file."
        )
    return items


def _rank(data: Any) -> tuple[bool, int]:
    name = data.name.rpartition("/")[2].lower()
    return name not in _USUAL, -int(np.prod(data.shape, dtype=object))


def _datasets(group: Any) -> Iterator[Any]:
    """Yield the data sets of numbers in a group and below, each once."""
    found: list[Any] = []

    def visit(_: str, member: Any) -> bool | None:
        if isinstance(member, h5py.Dataset) and member.dtype.kind in "buif":
            check_name(member)
            found.append(member)
        return True if len(found) >= MAX_DATASETS else None

    group.visititems(visit)
    yield from found


def _items(path: Path, data: Any, axes: str) -> list[Item]:
    name = data.name.strip("/")
    attributes = {k: plain(v) for k, v in attributes_of(data).items()}
    facts = {k.lower(): v for k, v in attributes.items()}
    around = {k.lower(): plain(v) for k, v in attributes_of(data.parent).items()}
    rate = next((positive((around | facts).get(key)) for key in _RATES
                 if (around | facts).get(key) is not None), None)  # fmt: skip
    return array_items(
        data,
        name=f"{path.stem} {name}",
        axes=axes,
        selection=name,
        opener=partial(StoredArray, path, data.name),
        meta={"attributes": around | attributes},
        frame_rate=rate,
        date=iso_date(facts.get("date") or around.get("date")),
    )


def check_name(member: Any) -> None:
    """Refuse a group or data set whose name is no text.

    Raises
    ------
    ReadError
        If it is none.
    """
    if not isinstance(member.name, str):
        raise ReadError(
            f"{Path(member.file.filename).name} is damaged: the name {member.name!r} "
            "is no text. Copy it again from where it was made."
        )


def attributes_of(member: Any) -> dict[str, Any]:
    """Return the attributes of a group or data set that have names."""
    return {
        name: value for name, value in member.attrs.items() if isinstance(name, str)
    }


def plain(value: Any) -> Any:
    """Return an attribute as Python's own value; text decoded."""
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size == 1 else value[:1000].tolist()
    if isinstance(value, np.generic):
        value = value.item()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def read_whole(data: Any) -> NDArray[Any]:
    """Return a data set as an array.

    Raises
    ------
    ReadError
        If it claims much more than the file holds.
    """
    stored = data.id.get_storage_size()
    if data.nbytes > LARGE_BYTES and data.nbytes > MAX_PACKING * (stored + 1000):
        raise ReadError(
            f"{Path(data.file.filename).name} is damaged: '{data.name}' claims "
            f"{data.nbytes} bytes and holds {stored}. Copy it again from where it was "
            "made."
        )
    return np.asarray(data[()])


def check_heaps(path: Path) -> None:
    """Refuse damaged heaps of text, in which the HDF5 library would never end.

    Those at the head of the file are looked at, where most are.

    Raises
    ------
    ReadError
        If a heap has an object of no size.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    at = head.find(_HEAP)
    while at >= 0:
        place, stop = at + 16, at + int.from_bytes(head[at + 8 : at + 16], "little")
        while place + 16 <= min(stop, len(head)):
            index, _, _, size = struct.unpack_from("<HHIQ", head, place)
            if index == size == 0:
                raise ReadError(
                    f"{path.name} is damaged: its text at byte {place} has no end. "
                    "Copy it again from where it was made."
                )
            place += 16 + -(-size // 8) * 8 if index else max(size, 16)
        at = head.find(_HEAP, at + 1)


def open_hdf5(path: Path) -> Any:
    """Open an HDF5 file for reading, also where it or its folder can not be written.

    Raises
    ------
    ReadError
        If it is no HDF5 file, damaged, or may not be read.
    """
    with reading(path, f"HDF5, which {path.suffix} files are", remedy=_REMEDY):
        try:
            return h5py.File(path, "r")
        except OSError:  # no lock to be had: a read-only share, or open elsewhere
            return h5py.File(path, "r", locking=False)


def with_cache(data: Any) -> Any:
    """Close a data set; return it opened with a cache for all chunks of an image.

    Without it, chunks of many images are unpacked anew for each image. As long as it is
    open, HDF5 gives all who open it the same cache.
    """
    if data.chunks is None:
        return data
    row = int(np.prod((data.chunks[0], *data.shape[1:]), dtype=object))
    n_bytes = min(MAX_CACHE, 2 * row * data.dtype.itemsize)
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_chunk_cache(10_007, max(n_bytes, CACHE_BYTES), 1.0)
    file, name = data.file.id, data.name.encode()
    h5py.h5i.dec_ref(data.id)
    opened = h5py.h5d.open(file, name, access)
    return h5py.Dataset(opened, readonly=True)  # which asks for its shape only once


class StoredArray:
    """A data set of an HDF5 file; mapped where it lies bare in the file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    name : str
        Path of the data set.
    convert : callable, optional
        Applied to what is read.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        convert: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    ) -> None:
        self._file = open_hdf5(path)
        data = self._file[name]
        self._convert = convert
        self.shape = tuple(data.shape)
        self.dtype = data.dtype
        if convert is not None:
            self.dtype = convert(np.zeros(1, self.dtype)).dtype
        self._mapped = _map(path, data)
        self._stored = self._mapped if self._mapped is not None else unpacked(data)

    @property
    def mapped(self) -> NDArray[Any] | None:
        """The data set, where it lies bare in the file."""
        return self._mapped if self._convert is None else None

    def __getitem__(self, key: Any) -> NDArray[Any]:
        block: NDArray[Any] = self._stored[key]
        return block if self._convert is None else self._convert(block)


def unpacked(data: Any) -> Any:
    """Return what reads a data set that HDF5 has to decode; safe in threads as h5py is.

    Blocks of several frames are kept decoded, from which a frame is a view.
    """
    length = data.chunks[0] if data.chunks else 1
    blocks = CachedBlocks(data, data, length, kept_bytes=CACHE_BYTES)
    return blocks if blocks.keeps else with_cache(data)


def _map(path: Path, data: Any) -> NDArray[Any] | None:
    """Return a data set that lies in one piece, uncompressed, as a memory map."""
    bare = data.chunks is None and not data.external and not data.is_virtual
    offset = data.id.get_offset() if bare else None
    if offset is None or data.file.userblock_size or not data.size:
        return None
    if offset + data.nbytes > path.stat().st_size:
        raise ReadError(
            f"{path.name} is cut short: '{data.name}' should end at byte "
            f"{offset + data.nbytes}. Copy it again from where it was recorded."
        )
    return np.asarray(np.memmap(path, data.dtype, "r", offset, data.shape))


@contextlib.contextmanager
def writing_hdf5() -> Iterator[None]:
    """Turn the HDF5 library's errors in writing into those of the system."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        number = re.search(r"errno = (\d+)", str(error))
        if number is None:
            raise
        code = int(number[1])
        raise OSError(code, os.strerror(code)) from error
