"""Video files (``.avi``, ``.mp4``, ``.mkv``) through PyAV, decoded when indexed."""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from napari_mesmerize.errors import MissingExtraError, ReadError, reading
from napari_mesmerize.io.items import (
    Item,
    RecordingInfo,
    check_file,
    kind_of,
    positive,
)

_REMEDY = "If recording or a copy stopped early, copy it again."
_MOST_OF_FFMPEG = 2**31  # bytes that it takes at once, whatever is free
INDEX_BYTES = 2**28  # smaller files are gone through once for exact times
MAX_FRAMES = 10**8
_AHEAD = 40  # decoding so many frames costs less than a seek
_REORDERED = 4  # a frame is stored at most so many places before it is shown


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(
            "Reading videos needs PyAV: pip install 'napari-mesmerize[video]'."
        ) from error
    return av


def scan(path: Path, *, exact: bool = False) -> list[Item]:
    """Return the video streams of a file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    exact : bool, optional
        Go through large files too, for the exact number of frames and their times.
        Default: files of up to 256 MB, or without an index of their own.

    Raises
    ------
    MissingExtraError
        If PyAV is not installed.
    ReadError
        If it is no video, or damaged.
    """
    size = check_file(path)
    av = _av()
    items = []
    with _reading(path), av.open(str(path)) as container:
        for number, stream in enumerate(container.streams.video):
            items.append(_item(path, container, stream, number, exact, size))
        tags = dict(container.metadata)
    if not items:
        raise ReadError(f"{path.name} has no video stream. Tags: {tags}.")
    return items


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Translate FFmpeg's errors; of absurd sizes it says that memory ran out."""
    av = _av()
    with reading(path, "video", remedy=_REMEDY):
        try:
            yield
        except av.error.FFmpegError as error:
            full = isinstance(error, MemoryError)
            if full and psutil.virtual_memory().available < _MOST_OF_FFMPEG:
                raise
            if isinstance(error, PermissionError | FileNotFoundError):
                raise
            why = "it claims more than any video has" if full else error.strerror
            raise ReadError(
                f"{path.name} can not be read as video: {why}. {_REMEDY}"
            ) from error


def _item(
    path: Path, container: Any, stream: Any, number: int, exact: bool, size: int
) -> Item:
    if stream.codec_context is None or stream.format is None:
        raise ReadError(
            f"{path.name} does not say how its pixels are stored; it is damaged, or of "
            "a codec that FFmpeg does not know. Convert it to .avi or .mp4."
        )
    rate = positive(stream.average_rate) or positive(stream.guessed_rate)
    stamps, sure = _time_stamps(container, stream, rate, exact or size <= INDEX_BYTES)
    context = stream.codec_context
    dtype, bits = _pixel_type(stream)
    shape = (len(stamps), int(context.height or 0), int(context.width or 0))
    problem = ""
    if 0 in shape:
        problem = f"it has {shape[0]} frames of {shape[1]} x {shape[2]} pixels"
    base = float(stream.time_base or 0)
    seconds = (stamps - stamps[0]) * base if len(stamps) else np.empty(0)
    variable = _varies(seconds, base)
    if variable and len(seconds) > 1:
        rate = positive(1 / np.median(np.diff(seconds)))
    notes = []
    if not sure:
        notes.append(
            f"The file has no complete index; {shape[0]} frames are an estimate from "
            "its duration. exact=True counts them."
        )
    info = RecordingInfo(
        f"video-{number}",
        path.stem,
        shape,
        dtype.name,
        kind="other" if problem else kind_of(shape),
        frame_rate=rate,
        origin=None,
        problem=problem,
    )
    meta = {
        "codec": context.codec.name,
        "pixel_format": stream.format.name if stream.format else None,
        "bits": bits,
        "average_rate": rate,
        "tags": dict(container.metadata) | dict(stream.metadata),
    }
    return Item(
        info,
        lambda: VideoFrames(path, number, shape, dtype, stamps),
        lambda: seconds if variable else None,
        meta,
        tuple(notes),
    )


def _pixel_type(stream: Any) -> tuple[np.dtype[Any], int]:
    bits = max((part.bits for part in stream.format.components), default=8)
    return (np.dtype(np.uint16), bits) if bits > 8 else (np.dtype(np.uint8), bits)


def _time_stamps(
    container: Any, stream: Any, rate: float | None, walk: bool
) -> tuple[NDArray[np.int64], bool]:
    """Return the time stamp of each frame in the stream's base, and if it is sure."""
    entries = [entry.timestamp for entry in getattr(stream, "index_entries", ())]
    start = int(stream.start_time or 0)
    if entries and len(entries) == stream.frames:
        steps = np.diff(np.asarray(entries, np.int64))
        if steps.size == 0 or (steps == steps[0]).all():
            step = int(steps[0]) if steps.size else 1
            start = _first_shown(container, stream, start)
            return start + step * np.arange(len(entries), dtype=np.int64), True
    if walk:
        stamps = [
            packet.pts if packet.pts is not None else packet.dts
            for packet in container.demux(stream)
            if packet.size
        ]
        known = np.array([s for s in stamps if s is not None], np.int64)
        if len(known) == len(stamps):
            return np.unique(known), True
        return np.arange(len(stamps), dtype=np.int64), True
    seconds = float(stream.duration * stream.time_base) if stream.duration else 0.0
    seconds = seconds or (container.duration or 0) / 1e6
    n_frames = int(stream.frames or round(seconds * (rate or 0)))
    if not 0 <= n_frames <= MAX_FRAMES:
        raise ReadError(f"Its header claims {n_frames} frames.")
    ticks = 1 / (float(stream.time_base) * rate) if rate and stream.time_base else 1.0
    stamps_at = np.round(start + ticks * np.arange(n_frames)).astype(np.int64)
    return stamps_at, bool(stream.frames)


def _first_shown(container: Any, stream: Any, start: int) -> int:
    """Return the time stamp of the first frame; later where frames are reordered."""
    if not stream.codec_context.has_b_frames:
        return start
    for picture in container.decode(stream):
        return start if picture.pts is None else int(picture.pts)
    return start


def _varies(seconds: NDArray[np.float64], base: float) -> bool:
    """Return whether intervals differ by more than the time stamps' rounding."""
    steps = np.diff(seconds)
    return bool(steps.size) and float(np.ptp(steps)) > 2.5 * base


class VideoFrames:
    """Frames of a video stream.

    Decoding goes on where it stopped; other places are found from the key frame before
    them. One lock serves all threads.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    number : int
        Which video stream.
    shape : tuple of int
        (n_frames, height, width).
    dtype : numpy.dtype
        uint8, or uint16 for deeper pixels.
    stamps : numpy.ndarray
        Time stamp of each frame, in the stream's time base.
    """

    def __init__(
        self,
        path: Path,
        number: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        stamps: NDArray[np.int64],
    ) -> None:
        self._path = path
        self._number = number
        self._stamps = stamps
        self._lock = threading.Lock()
        self._container: Any = None
        self._decoder: Iterator[tuple[int, Any]] = iter(())
        self._next: int | None = None
        self.shape = shape
        self.dtype = dtype

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        wanted = range(*frames.indices(self.shape[0]))
        out = np.empty((len(wanted), *self.shape[1:]), self.dtype)
        with self._lock:
            try:
                with _reading(self._path):
                    for i, frame in enumerate(wanted):
                        out[i] = self._read(frame)
            except BaseException:
                self._next = None
                raise
        return out

    def _read(self, frame: int) -> NDArray[Any]:
        if self._next is None or not 0 <= frame - self._next <= _AHEAD:
            self._seek(frame)
        number, picture = self._decode_to(frame)
        for back in (_AHEAD, frame):
            if number > frame:  # the seek went too far
                self._seek(max(0, frame - back))
                number, picture = self._decode_to(frame)
        if number == frame:
            return self._grey(picture)
        raise ReadError(
            f"the video breaks off: frame {frame} of {self.shape[0]} is not in it. "
            "Recording may have stopped early; convert the file, or read fewer frames."
        )

    def _decode_to(self, frame: int) -> tuple[int, Any]:
        """Return the frame, or the first one after it, with its number; -1 if none."""
        for number, picture in self._decoder:
            self._next = number + 1
            if number >= frame:
                return number, picture
        return -1, None

    def _seek(self, frame: int) -> None:
        if self._container is None:
            self._container = _av().open(str(self._path))
            weakref.finalize(self, self._container.close)
            self._container.streams.video[self._number].thread_type = "AUTO"
        stream = self._container.streams.video[self._number]
        if "avi" in self._container.format.name and stream.codec_context.has_b_frames:
            frame = max(0, frame - _REORDERED)  # its index is in the stored order
        place = int(self._stamps[frame])
        if frame == 0:
            place = min(place, int(stream.start_time or 0))
        self._container.seek(place, stream=stream, backward=True, any_frame=False)
        self._decoder = self._decode(stream)

    def _decode(self, stream: Any) -> Iterator[tuple[int, Any]]:
        last = -1
        for picture in self._container.decode(stream):
            stamp = picture.pts if picture.pts is not None else picture.dts
            if stamp is None:
                number = last + 1
            else:
                number = int(np.searchsorted(self._stamps, stamp))
                if number and (
                    number == len(self._stamps)
                    or stamp - self._stamps[number - 1] < self._stamps[number] - stamp
                ):
                    number -= 1
            last = number
            yield number, picture

    def _grey(self, picture: Any) -> NDArray[Any]:
        name = picture.format.name
        if (picture.height, picture.width) != self.shape[1:]:
            raise ReadError(
                f"a frame has {picture.height} x {picture.width} pixels, expected "
                f"{self.shape[1]} x {self.shape[2]}"
            )
        if name.startswith("gray"):
            order = ">" if name.endswith("be") else "<"
            stored = np.dtype(f"{order}u{self.dtype.itemsize}")
            plane = picture.planes[0]
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            rows = rows[: picture.height, : picture.width * stored.itemsize]
            return np.ascontiguousarray(rows).view(stored)
        if name.startswith(("rgb", "bgr", "gbr")) and self.dtype == np.uint8:
            return np.asarray(picture.to_ndarray(format="rgb24")[..., 1])
        target = "gray" if self.dtype == np.uint8 else "gray16le"
        return np.asarray(picture.to_ndarray(format=target))
