"""Leica ``.lif`` files: several images, each with time, depth and channels."""

import threading
import weakref
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import MissingExtraError, ReadError, reading
from napari_mesmerize.io.blocks.arrays import array_items
from napari_mesmerize.io.items import Item, check_file, positive
from napari_mesmerize.io.times import rate_of_times

_AXES = frozenset("TCZYX")


def _liffile() -> Any:
    try:
        import liffile
    except ImportError as error:
        raise MissingExtraError(
            "Reading .lif files needs liffile: pip install 'napari-mesmerize[leica]'."
        ) from error
    return liffile


def scan(path: Path) -> list[Item]:
    """Return the images in a ``.lif`` file, one per channel.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Raises
    ------
    MissingExtraError
        If liffile is not installed.
    ReadError
        If it is no such file, damaged, or holds no image.
    """
    _check_head(path)
    liffile = _liffile()
    with reading(path, "a Leica file"), liffile.LifFile(path) as file:
        items = [
            item
            for number, image in enumerate(file.images)
            for item in _items(path, file, image, number)
        ]
    if not items:
        raise ReadError(f"{path.name} holds no image.")
    return items


def _check_head(path: Path) -> None:
    """Refuse a file whose description claims to be longer than the file."""
    size = check_file(path)
    with path.open("rb") as stream:
        head = stream.read(13)
    n_bytes = 2 * int.from_bytes(head[9:], "little")
    if head[:1] == b"\x70" and n_bytes > size:
        raise ReadError(
            f"{path.name} is damaged: its description claims {n_bytes} bytes of a file "
            f"of {size}. Copy it again from where it was recorded."
        )


class _Facts:
    """Shape and type of an image; what the file says of its axes."""

    def __init__(self, image: Any) -> None:
        self.sizes = dict(image.sizes)
        self.axes = "".join(self.sizes)
        self.shape = tuple(self.sizes.values())
        self.dtype = np.dtype(image.dtype)
        self.coords = {
            name: np.asarray(values, np.float64)
            for name, values in image.coords.items()
            if name in "TZYX"
        }

    def step(self, name: str) -> float | None:
        """Return the distance of neighbours along an axis (metres, seconds)."""
        values = self.coords.get(name)
        if values is None or len(values) < 2:
            return None
        return positive(abs(values[-1] - values[0]) / (len(values) - 1))


def _items(path: Path, file: Any, image: Any, number: int) -> list[Item]:
    problem = ""
    try:
        with reading(path, "a Leica image"):
            facts = _Facts(image)
    except ReadError as error:
        return array_items(
            np.empty((0, 0, 0), np.uint8),
            name=str(image.name),
            axes="TYX",
            selection=f"image-{number}",
            problem=str(error),
        )
    others = [name for name in facts.axes if name not in _AXES]
    if others or not {"Y", "X"} <= set(facts.axes):
        problem = (
            f"it has axes {facts.axes} ({', '.join(others)}); expected time, channels, "
            "depth, rows and columns"
        )
    size = facts.sizes.get("M", 1) or 1
    if problem:
        return array_items(
            np.empty((0, 0, 0), facts.dtype),
            name=f"{path.stem} {image.name} ({size} tiles)" if size > 1 else image.name,
            axes="TYX",
            selection=f"image-{number}",
            problem=problem,
        )
    end = image.memory_block.offset + image.memory_block.size
    if end > path.stat().st_size:
        problem = "its pixels lie beyond the end of the file, which was cut short"
    y, x, z = (facts.step(name) for name in "YXZ")
    times = _times(image, facts)
    interval = facts.step("T")
    rate = rate_of_times(times) or (1 / interval if interval else None)
    return array_items(
        facts,
        name=f"{path.stem} {image.name}",
        axes=facts.axes,
        selection=f"image-{number}",
        opener=partial(_Image, path, number),
        times=lambda: times,
        meta={"lif": {"name": image.name, "sizes": facts.sizes}},
        problem=problem,
        frame_rate=rate,
        pixel_size_um=(1e6 * y, 1e6 * x) if y and x else None,
        z_step_um=1e6 * z if z and "Z" in facts.axes else None,
        date=_date(file),
        origin="Leica LAS X",
    )


def _date(file: Any) -> str | None:
    try:
        return str(file.datetime.isoformat()) if file.datetime else None
    except (AttributeError, ValueError):
        return None


def _times(image: Any, facts: _Facts) -> NDArray[np.float64] | None:
    """Return the time stamps of frames in seconds, the first one 0."""
    n_frames = facts.sizes.get("T", 1)
    try:
        stamps = image.timestamps
    except (ValueError, KeyError):
        return None
    if n_frames < 2 or stamps is None or len(stamps) == 0 or len(stamps) % n_frames:
        return None
    first = np.asarray(stamps).reshape(n_frames, -1)[:, 0]
    seconds = (first - first[0]) / np.timedelta64(1, "s")
    return np.asarray(seconds, np.float64) if (np.diff(seconds) > 0).all() else None


class _Image:
    """An image of an open file; mapped where its pixels lie in one piece."""

    def __init__(self, path: Path, number: int) -> None:
        self._file = _liffile().LifFile(path)
        weakref.finalize(self, self._file.close)
        self._image = self._file.images[number]
        self._lock = threading.Lock()
        self._axes = "".join(self._image.sizes)
        self.shape = tuple(self._image.sizes.values())
        self.dtype = np.dtype(self._image.dtype)
        self._mapped: NDArray[Any] | None = None
        try:
            self._mapped = self._image.asarray(out="memmap")
        except (ValueError, OSError):
            self._mapped = None

    def __getitem__(self, key: tuple[Any, ...]) -> NDArray[Any]:
        if self._mapped is not None:
            return np.asarray(self._mapped[key])
        with self._lock:
            return np.asarray(self._image.asarray()[key])
