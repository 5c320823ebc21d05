"""What all readers share: the description of a recording, choosing, facts of a file."""

import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mesmerize.data.recording import PLANE_DIMS, VOLUME_DIMS, Frames
from napari_mesmerize.errors import ReadError

MAX_CHANNELS = 256
"""More are taken for damage, or for another axis."""
MAX_FRAMES = 10**8
"""More are taken for damage: an hour and a half at 20 kHz."""


class ReadWarning(UserWarning):
    """Warning about a file that was opened all the same."""


def warn(text: str) -> None:
    """Tell the user something about a file that opens nevertheless."""
    warnings.warn(text, ReadWarning, stacklevel=3)


@dataclass(frozen=True)
class RecordingInfo:
    """Description of one recording in a file, made without reading pixels.

    Attributes
    ----------
    selection : str
        What to give as ``selection`` to :func:`~napari_mesmerize.io.read_recording`.
    name : str
        Name to show.
    shape : tuple of int
        (n_frames, height, width) or (n_frames, n_planes, height, width).
    dtype : str
        Type of the pixels, as they are returned.
    kind : str
        ``movie``, ``stack`` (depth, no time), ``image`` (one frame) or ``other``.
    frame_rate : float or None
        Hz; of volumes if there are planes.
    pixel_size_um : tuple of float or None
        (y, x).
    z_step_um : float or None
        Distance of planes.
    date : str or None
        Start, ISO 8601.
    origin : str or None
        Microscope or program that wrote it.
    channel : str or None
        Name of the channel.
    problem : str
        Why it can not be opened; empty if it can.
    """

    selection: str
    name: str
    shape: tuple[int, ...]
    dtype: str
    kind: str = "movie"
    frame_rate: float | None = None
    pixel_size_um: tuple[float, float] | None = None
    z_step_um: float | None = None
    date: str | None = None
    origin: str | None = None
    channel: str | None = None
    problem: str = ""

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes."""
        return VOLUME_DIMS if len(self.shape) == 4 else PLANE_DIMS

    @property
    def n_frames(self) -> int:
        """Number of frames (volumes)."""
        return self.shape[0] if self.shape else 0

    @property
    def n_bytes(self) -> int:
        """Bytes of all pixels, uncompressed."""
        size = np.dtype(self.dtype).itemsize
        for length in self.shape:
            size *= int(length)
        return size if self.shape else 0

    @property
    def duration_s(self) -> float | None:
        """Seconds from the first frame to the end of the last; None without a rate."""
        return None if self.frame_rate is None else self.n_frames / self.frame_rate

    def to_dict(self) -> dict[str, Any]:
        """Return everything, derived facts included, JSON-safe."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain |= {
            "dims": list(self.dims),
            "shape": [int(size) for size in self.shape],
            "n_frames": self.n_frames,
            "n_bytes": self.n_bytes,
            "duration_s": self.duration_s,
        }
        if self.pixel_size_um is not None:
            plain["pixel_size_um"] = list(self.pixel_size_um)
        return plain


@dataclass(frozen=True)
class Item:
    """One recording in a file: its description, and how to get its frames.

    Attributes
    ----------
    info : RecordingInfo
        The description.
    frames : callable
        Returns the lazy frames; called once, when the recording is opened.
    times : callable
        Returns real time stamps in seconds, shape (n_frames,), or None.
    meta : mapping
        The raw metadata.
    notes : tuple of str
        Shown as warnings when the recording is opened.
    ask : str
        If not empty, why the user has to choose; raised when nothing was selected.
    history : tuple of mapping
        Steps that led to what is in the file.
    """

    info: RecordingInfo
    frames: Callable[[], Frames]
    times: Callable[[], ArrayLike | None] = lambda: None
    meta: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    ask: str = ""
    history: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Series:
    """Files that follow each other in time.

    Attributes
    ----------
    files : list of pathlib.Path
        In order.
    times : numpy.ndarray or None
        Seconds of all frames, gaps between files included; None if files say nothing.
    meta : mapping
        What is known of the files together.
    """

    files: list[Path]
    times: NDArray[np.float64] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


def choose(items: Sequence[Item], selection: str | int | None, path: Path) -> Item:
    """Return the item that is meant by ``selection``.

    Raises
    ------
    ReadError
        If there is none, if it can not be opened, or if the user has to choose.
    """
    readable = [item for item in items if not item.info.problem]
    if not items or (selection is None and not readable):
        why = "; ".join(f"{i.info.name}: {i.info.problem}" for i in items)
        raise ReadError(f"{path.name} holds no recording that opens. {why}".strip())
    if selection is None:
        if readable[0].ask:
            raise ReadError(readable[0].ask)
        if len(readable) > 1:
            warn(
                f"{path.name} holds {len(readable)} recordings; opened the first, "
                f"selection='{readable[0].info.selection}'. Others: "
                f"{_shortlist(readable[1:])}."
            )
        return readable[0]
    item = _find(items, selection)
    if item is None:
        raise ReadError(
            f"{path.name} has no recording selection={selection!r}; it has "
            f"{_shortlist(items)}."
        )
    if item.info.problem:
        raise ReadError(f"{path.name}, {item.info.selection}: {item.info.problem}")
    return item


def _find(items: Sequence[Item], selection: str | int) -> Item | None:
    if isinstance(selection, int | np.integer):
        at = int(selection)
        return items[at] if -len(items) <= at < len(items) else None
    for item in items:
        if item.info.selection == selection:
            return item
    named = [
        item
        for item in items
        if selection in (item.info.name, item.info.channel)
        or item.info.selection.endswith("/" + selection)
    ]
    if len(named) == 1:
        return named[0]
    if named:
        return None
    if selection.isdecimal() and not any(
        item.info.selection.startswith(f"{selection}/") for item in items
    ):
        return _find(items, int(selection))  # a number typed where names are text
    return _first_inside(items, selection)


def _first_inside(items: Sequence[Item], selection: str) -> Item | None:
    """Return the first channel of a unit (series, session) that is named."""
    inside = [i for i in items if i.info.selection.startswith(f"{selection}/")]
    readable = [item for item in inside if not item.info.problem] or inside
    if len(readable) > 1:
        warn(
            f"'{selection}' holds {len(readable)} recordings; opened the first, "
            f"selection='{readable[0].info.selection}'. Others: "
            f"{_shortlist(readable[1:])}."
        )
    return readable[0] if readable else None


def _shortlist(items: Sequence[Item], n: int = 12) -> str:
    names = ", ".join(
        f"'{item.info.selection}' ({' x '.join(map(str, item.info.shape))})"
        for item in items[:n]
    )
    return names + (f" and {len(items) - n} more" if len(items) > n else "")


def source_of(path: Path, selection: str | None = None) -> dict[str, Any]:
    """Return what ``attrs["source"]`` says of a file or folder."""
    try:
        status = path.stat()
    except OSError as error:
        raise ReadError(f"{path} can not be opened: {error.strerror}.") from error
    return {
        "uri": os.path.abspath(path),
        "selection": selection,
        "size": status.st_size,
        "mtime": status.st_mtime,
    }


def check_file(path: Path) -> int:
    """Return the size of a file that is there and not empty.

    Raises
    ------
    ReadError
        If it is absent, a folder, empty or not readable.
    """
    if not path.exists():
        raise ReadError(f"{path} does not exist; check the name and the folder.")
    if path.is_dir():
        raise ReadError(f"{path} is a folder, expected a file.")
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            stream.read(1)
    except OSError as error:
        raise ReadError(f"{path} can not be read: {error.strerror}.") from error
    if size == 0:
        raise ReadError(
            f"{path.name} is empty (0 bytes): nothing was written, or a copy stopped. "
            "Copy it again from where it was recorded."
        )
    return size


_COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})[_T-](\d{2})(\d{2})(\d{2})$")


def iso_date(text: Any) -> str | None:
    """Return a date as ISO 8601, or None if it is none.

    Understands ISO 8601, ``YYYYMMDD_HHMMSS`` and seconds since 1970.
    """
    if isinstance(text, int | float) and not isinstance(text, bool) and text > 0:
        try:
            return datetime.fromtimestamp(text, UTC).isoformat()
        except (OverflowError, OSError, ValueError):
            return None
    if not isinstance(text, str):
        return None
    text = text.strip()
    compact = _COMPACT_DATE.match(text)
    try:
        if compact:
            return datetime(*map(int, compact.groups())).isoformat()  # type: ignore[arg-type]
        return datetime.fromisoformat(text).isoformat()
    except ValueError:
        return None


def positive(value: Any) -> float | None:
    """Return a finite number above 0 as float, everything else as None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and number > 0 else None


def kind_of(shape: tuple[int, ...]) -> str:
    """Return ``movie``, ``stack`` or ``image`` for the shape of a recording."""
    if shape[0] > 1:
        return "movie"
    return "stack" if len(shape) == 4 and shape[1] > 1 else "image"


def native(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array in this machine's byte order, the same one if it is already."""
    if array.dtype.isnative:
        return array
    return array.astype(array.dtype.newbyteorder("="))
