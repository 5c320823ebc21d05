"""Many files as one recording: what each holds, opened when it is needed."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.data.frames import mapped_frames
from napari_mesmerize.data.recording import Frames
from napari_mesmerize.errors import ReadError, reading
from napari_mesmerize.io.items import Item, RecordingInfo, choose
from napari_mesmerize.io.paths import JoinedFrames
from napari_mesmerize.io.readers import scan_file

MAX_OPEN = 32
"""Files of a series that are open at the same time."""
_ALIKE = 16


class Part(NamedTuple):
    """One file of a series."""

    path: Path
    info: RecordingInfo
    times: NDArray[np.float64] | None
    notes: tuple[str, ...]


def parts_of(files: Sequence[Path], first: Item, options: dict[str, Any]) -> list[Part]:
    """Return what each file holds of the recording that ``first`` is in the first file.

    Many files of one size, uncompressed and without time stamps, are taken to hold the
    same; each is looked at when it is read.

    Raises
    ------
    ReadError
        If a file does not hold it, or damaged.
    """
    selection = first.info.selection
    times = _times(first)
    parts = [Part(files[0], first.info, times, first.notes)]
    sizes = {file.stat().st_size for file in files if file.is_file()}
    bare = len(sizes) == 1 and sizes.pop() > first.info.n_bytes
    if len(files) > _ALIKE and bare and times is None:
        return [parts[0]._replace(path=file) for file in files]
    for file in files[1:]:
        item = choose(scan_file(file, options), selection, file)
        parts.append(Part(file, item.info, _times(item), item.notes))
    return parts


def _times(item: Item) -> NDArray[np.float64] | None:
    times = item.times()
    return None if times is None else np.asarray(times, np.float64)


class _OpenFiles:
    """The files of a series that were read last, kept open."""

    def __init__(
        self, parts: Sequence[Part], selection: str, options: dict[str, Any]
    ) -> None:
        self._parts = parts
        self._selection = selection
        self._options = options
        self._lock = threading.Lock()
        self._open: OrderedDict[int, Frames] = OrderedDict()

    def frames(self, number: int) -> Frames:
        with self._lock:
            if number in self._open:
                self._open.move_to_end(number)
                return self._open[number]
            part = self._parts[number]
            item = choose(
                scan_file(part.path, self._options), self._selection, part.path
            )
            frames = _frames_of(item, part.path)
            if tuple(frames.shape) != part.info.shape:
                raise ReadError(
                    f"{part.path.name} has shape {tuple(frames.shape)}, expected "
                    f"{part.info.shape} as the files before it. Take it out of the "
                    "list or folder."
                )
            self._open[number] = frames
            while len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
            return frames


class _PartFrames:
    """Frames of one file of a series."""

    def __init__(self, files: _OpenFiles, number: int, info: RecordingInfo) -> None:
        self._files = files
        self._number = number
        self.shape = info.shape
        self.dtype = np.dtype(info.dtype)

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        return self._files.frames(self._number)[frames]


def _frames_of(item: Item, path: Path) -> Frames:
    """Return the lazy frames of a recording; an error names the file."""
    try:
        with reading(path, "a recording"):
            return item.frames()
    except ReadError as error:
        if path.name in str(error):
            raise
        raise ReadError(f"{path.name}: {error}") from error


class FileFrames:
    """Frames of one or more files, named when reading fails.

    Copies share the open files; a pickle names them and opens them again.

    Parameters
    ----------
    first : Item
        The recording in the first file.
    parts : sequence of Part
        All files.
    options : dict
        Options of the reader.

    Raises
    ------
    ReadError
        If the files' frames differ in shape or type.
    """

    def __init__(
        self, first: Item, parts: Sequence[Part], options: dict[str, Any]
    ) -> None:
        self._parts = list(parts)
        self._origin = ([part.path for part in parts], first.info.selection, options)
        self._reading = reading(parts[0].path, "frames")
        self._frames: Frames
        if len(parts) == 1:
            self._frames = _frames_of(first, parts[0].path)
        else:
            files = _OpenFiles(self._parts, first.info.selection, options)
            self._frames = JoinedFrames(
                [_PartFrames(files, i, part.info) for i, part in enumerate(parts)],
                [part.path.name for part in parts],
            )
        self.shape = tuple(int(size) for size in self._frames.shape)
        self.dtype = np.dtype(self._frames.dtype)

    @property
    def mapped(self) -> NDArray[Any] | None:
        """All frames, where they lie bare in one file."""
        return mapped_frames(self._frames)

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        try:
            with self._reading:
                return self._frames[frames]
        except ReadError as error:
            files = self._origin[0]
            more = f" (and {len(files) - 1} more)" if files[1:] else ""
            raise ReadError(
                f"Frames {frames.start} to {frames.stop} of {files[0].name}{more}: "
                f"{error}"
            ) from error

    def __deepcopy__(self, memo: dict[int, Any]) -> "FileFrames":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return open_frames, self._origin


def open_frames(
    files: Sequence[Path], selection: str | int | None, options: dict[str, Any]
) -> FileFrames:
    """Open the frames of a recording in one or more files."""
    first = choose(scan_file(files[0], options), selection, files[0])
    return FileFrames(first, parts_of(files, first, options), options)
