"""Frames of Inscopix ``.isxd`` movies, mapped; and the clock in their headers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.inscopix.container import Footer
from napari_mesmerize.io.inscopix.timing import Timing

DTYPES: dict[int, np.dtype[Any]] = {
    code: np.dtype(name) for code, name in enumerate(("<u2", "<f4", "u1", "u1"))
}
RGB = 3
HEADER_BYTES = 5120
MAX_STAMPS = 4096
_CLOCK_WORD, _CLOCK_BYTES = 1272, 8
_CLOCK_SINCE = (1, 1, 1)


class Layout:
    """Where the stored frames of a movie lie.

    Parameters
    ----------
    footer : Footer
        Of a movie or an image.
    timing : Timing
        Its timing; frames that are missing are not stored.

    Raises
    ------
    ReadError
        If the pixel type is unknown, or the file too short for its frames.
    """

    def __init__(self, footer: Footer, timing: Timing) -> None:
        self.footer = footer
        self.code = footer.integer("dataType")
        if self.code not in DTYPES:
            raise footer.error(("dataType",), self.code, "0, 1, 2 or 3")
        self.dtype = DTYPES[self.code]
        self.image_shape = footer.image_shape()
        self.pixel_shape = (3,) if self.code == RGB else ()
        self.headers = footer.get("hasFrameHeaderFooter") is True
        size = self.dtype.itemsize * (3 if self.code == RGB else 1)
        self.frame_bytes = self.image_shape[0] * self.image_shape[1] * size
        self.first = HEADER_BYTES if self.headers else 0
        self.stride = self.frame_bytes + 2 * self.first
        self.n_frames = timing.n_valid
        if self.n_frames < 1:
            raise ReadError(
                f"{footer.path.name} holds no frame: all {timing.n_samples} samples "
                "are dropped, cropped or blank."
            )
        footer.expect_bytes(
            self.n_frames * self.stride,
            f"{self.n_frames} frames of {self.image_shape[0]} x {self.image_shape[1]}",
        )

    def array(self) -> NDArray[Any]:
        """Return all stored frames as a view of the mapped file."""
        shape = (self.n_frames, *self.image_shape, *self.pixel_shape)
        inner = [self.dtype.itemsize]
        for length in shape[:1:-1]:
            inner.insert(0, inner[0] * length)
        return np.ndarray(
            shape,
            self.dtype,
            buffer=self.footer.data,
            offset=self.first,
            strides=(self.stride, *inner),
        )

    def clock(self, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the microsecond counter in the headers of some frames."""
        raw = bytearray()
        try:
            with self.footer.path.open("rb", buffering=0) as stream:
                for frame in frames.tolist():  # mapped, it would read ahead much more
                    stream.seek(frame * self.stride + 2 * _CLOCK_WORD)
                    raw += stream.read(2 * _CLOCK_BYTES)
        except OSError as error:
            raise ReadError(f"{self.footer.path.name}: {error}.") from error
        if len(raw) != 2 * _CLOCK_BYTES * len(frames):
            raise ReadError(f"{self.footer.path.name} has become shorter.")
        words = np.frombuffer(raw, "<u2").reshape(-1, _CLOCK_BYTES)
        found = ((words >> 4) & 0xFF).astype(np.uint64)
        shifts = np.arange(0, 8 * _CLOCK_BYTES, 8, dtype=np.uint64)
        stamps = (found << shifts).sum(axis=1, dtype=np.uint64)
        return np.asarray(stamps, np.int64)


class StoredFrames:
    """Frames of a movie, read when indexed; views of the mapped file.

    Parameters
    ----------
    layout : Layout
        Where they lie.
    channel : int
        Of a coloured movie: 0 red, 1 green, 2 blue.
    """

    def __init__(self, layout: Layout, channel: int = 0) -> None:
        frames = layout.array()
        self._frames = frames[..., channel] if layout.pixel_shape else frames
        self.shape = self._frames.shape
        self.dtype = layout.dtype.newbyteorder("=")
        self.mapped = self._frames if self._frames.dtype.isnative else None

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        block = self._frames[frames]
        return block if block.dtype.isnative else block.astype(self.dtype)


def time_stamps(
    layout: Layout, timing: Timing, *, limit: int | None = None
) -> NDArray[np.int64] | None:
    """Return the microsecond counter of each stored frame.

    Parameters
    ----------
    layout : Layout
        Where frames lie.
    timing : Timing
        Their nominal timing.
    limit : int, optional
        Read at most so many headers, evenly spread, and interpolate between them.

    Returns
    -------
    numpy.ndarray or None
        Shape (n_frames,); None if frames have no header, or the counter does not count.
    """
    if not layout.headers:
        return None
    n_frames = layout.n_frames
    if limit is None or n_frames <= limit:
        stamps = layout.clock(np.arange(n_frames))
    else:
        sample = np.unique(np.linspace(0, n_frames - 1, limit // 4).astype(np.int64))
        between = np.interp(np.arange(n_frames), sample, layout.clock(sample))
        stamps = np.rint(between).astype(np.int64)
    if stamps[0] <= 0 or (np.diff(stamps) <= 0).any():
        return None
    return stamps


def clock_period_s(
    layout: Layout, timing: Timing, samples: NDArray[np.int64]
) -> float | None:
    """Return the true period by the counters of the first and the last frame.

    None where files are too old to have it, or it is not near the nominal one.
    """
    if not layout.headers or layout.n_frames < 2 or not _has_clock(layout.footer):
        return None
    first, last = layout.clock(np.array([0, layout.n_frames - 1])).tolist()
    period = (last - first) / int(samples[-1] - samples[0]) / 1e6
    nominal = float(timing.period)
    return period if first > 0 and nominal / 2 < period < nominal * 2 else None


def _has_clock(footer: Footer) -> bool:
    """Return whether the acquisition software was new enough for the counter."""
    version = footer.get("extraProperties", "producer", "version")
    if not isinstance(version, str):
        return False
    parts = version.split("-")[0].split(".")[:3]
    if not all(part.isdecimal() and len(part) < 9 for part in parts):
        return False
    return tuple(int(part) for part in parts) >= _CLOCK_SINCE
