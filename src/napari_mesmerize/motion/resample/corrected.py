"""The corrected recording: a lazy view that moves frames back when they are read."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.motion.field import FieldMotion
from napari_mesmerize.motion.kernels.device import CPU, Device
from napari_mesmerize.motion.params import Border
from napari_mesmerize.motion.resample.canvas import FIELD_SPACING
from napari_mesmerize.motion.resample.shift import shift_volumes
from napari_mesmerize.motion.resample.warp import inverse_moves, outside, warp_volumes
from napari_mesmerize.motion.source import Source


@dataclass(frozen=True)
class Output:
    """How corrected pixels are stored.

    Attributes
    ----------
    interpolation : str
        ``"fourier"``, ``"cubic"``, ``"lanczos"`` or ``"linear"``.
    border : str
        ``"nearest"``, ``"nan"``, ``"minimum"`` or ``"crop"``.
    widths : tuple of int
        Widest border that a shift leaves empty: (top, bottom, left, right), px.
    dtype : str
        ``"float32"``, ``"uint16"`` or ``"uint8"``.
    scale, offset : float
        Intensity = stored * scale + offset; 1 and 0 for float32.
    """

    interpolation: str
    border: Border
    widths: tuple[int, int, int, int] = (0, 0, 0, 0)
    dtype: str = "float32"
    scale: float = 1.0
    offset: float = 0.0

    @property
    def window(self) -> tuple[slice, slice]:
        """What is kept of the rows and columns."""
        if self.border != "crop":
            return slice(None), slice(None)
        top, bottom, left, right = self.widths
        return slice(top, -bottom or None), slice(left, -right or None)


@dataclass(frozen=True)
class CorrectedFrames:
    """Frames moved back when they are indexed, ``frames[start:stop:step]``.

    Attributes
    ----------
    source : Source
        The raw recording.
    displacements : numpy.ndarray
        Shape (n_frames, 3), (z, y, x) px: how far the scene moved.
    lost : numpy.ndarray
        Shape (n_frames,): frames without usable pixels; they stay empty.
    output : Output
        Interpolation, border, pixel type.
    motion : FieldMotion or None
        Displacement fields, where they are not the same over the whole frame.
    device : Device
        Where frames are moved.
    shape, dtype
        Of the corrected frames.
    """

    source: Source
    displacements: NDArray[np.float64]
    lost: NDArray[np.bool_]
    output: Output
    motion: FieldMotion | None = None
    device: Device = CPU
    shape: tuple[int, ...] = field(init=False)
    dtype: np.dtype[Any] = field(init=False)

    def __post_init__(self) -> None:
        depth, height, width = self.source.volume_shape
        rows, columns = self.output.window
        lateral = len(range(height)[rows]), len(range(width)[columns])
        planes = (depth,) if self.source.recording.ndim == 4 else ()
        object.__setattr__(self, "shape", (self.source.n_frames, *planes, *lateral))
        object.__setattr__(self, "dtype", np.dtype(self.output.dtype))

    def __call__(
        self, source: Source, raw: NDArray[Any], frames: slice
    ) -> NDArray[Any]:
        """Return corrected frames of raw ones; a pass over a recording runs this."""
        return self.correct(raw, frames)

    def __getitem__(self, frames: slice) -> NDArray[Any]:
        wanted = range(self.shape[0])[frames]
        out = np.empty((len(wanted), *self.shape[1:]), self.dtype)
        unit = self.source.unit
        for start in range(0, len(wanted), unit):
            part = wanted[start : start + unit]
            chosen = slice(part.start, part.stop, part.step)
            out[start : start + len(part)] = self.correct(
                self.source.read_raw(chosen), chosen
            )
        return out

    def correct(self, raw: NDArray[Any], frames: slice) -> NDArray[Any]:
        """Return the corrected frames of raw ones, as stored."""
        values = self.values(raw, frames)
        if self.dtype.kind == "f":
            return values
        lost = self.lost[frames]
        values[lost] = self.output.offset
        stored = np.rint((values - self.output.offset) / self.output.scale)
        limit = np.iinfo(self.dtype).max
        whole: NDArray[Any] = np.clip(stored, 0, limit).astype(self.dtype)
        return whole

    def values(self, raw: NDArray[Any], frames: slice) -> NDArray[np.float32]:
        """Return the corrected intensities of raw frames, float32."""
        volumes, _ = self.source.fill(self.source.volumes(raw))
        volumes = self.device.put(volumes)
        displacements = self.displacements[frames]
        if self.motion is None:
            moved = shift_volumes(volumes, displacements, self.output.interpolation)
            self._fill_border(moved, displacements)
        else:
            moves = inverse_moves(self.motion[frames])
            moved = warp_volumes(volumes, moves, self.output.interpolation)
            self._fill_outside(moved, moves)
        _, height, width = self.source.volume_shape
        rows, columns = self.output.window
        moved = moved[..., :height, :width][..., rows, columns]
        moved[self.lost[frames]] = np.nan
        return moved.reshape(len(raw), *self.shape[1:])

    def _fill_border(
        self, moved: NDArray[np.float32], displacements: NDArray[np.float64]
    ) -> None:
        """Overwrite what lay outside the raw frame, in place."""
        if self.output.border not in ("nan", "minimum"):
            return
        _, height, width = self.source.volume_shape
        for volume, move in zip(moved, displacements, strict=True):
            down, right = (int(shift) for shift in np.rint(move[1:]))
            empty = np.ones((height, width), bool)
            rows = slice(max(-down, 0), max(height - max(down, 0), 0))
            columns = slice(max(-right, 0), max(width - max(right, 0), 0))
            empty[rows, columns] = False
            inside = volume[:, :height, :width]
            known = inside[:, ~empty]
            if self.output.border == "minimum" and known.size:
                inside[:, empty] = known.min()
            else:
                inside[:, empty] = np.nan

    def _fill_outside(
        self, moved: NDArray[np.float32], moves: NDArray[np.float32]
    ) -> None:
        """Overwrite what lay outside the raw frame by its field, in place."""
        if self.output.border not in ("nan", "minimum"):
            return
        _, height, width = self.source.volume_shape
        for volume, move in zip(moved, moves, strict=True):
            inside = volume[:, :height, :width]
            empty = outside(move, (height, width))
            known = inside[~empty]
            if self.output.border == "minimum" and known.size:
                inside[empty] = known.min()
            else:
                inside[empty] = np.nan


def field_border(
    motion: FieldMotion, image_shape: tuple[int, int], unit: int
) -> tuple[int, int, int, int]:
    """Return the widest border that fields leave empty: (top, bottom, left, right)."""
    height, width = image_shape
    widths = np.zeros(4, int)
    for start in range(0, len(motion), unit):
        moves = inverse_moves(motion[start : start + unit])
        y = moves[..., 1] + FIELD_SPACING * np.arange(moves.shape[2])[:, None]
        x = moves[..., 2] + FIELD_SPACING * np.arange(moves.shape[3])
        rows, columns = (height - 1) / FIELD_SPACING, (width - 1) / FIELD_SPACING
        found = [
            -y[:, :, 0].min(),
            _at(y, 2, rows).max() - (height - 1),
            -x[..., 0].min(),
            _at(x, 3, columns).max() - (width - 1),
        ]
        widths = np.maximum(widths, np.rint(found).astype(int))
    if widths[0] + widths[1] >= height or widths[2] + widths[3] >= width:
        return 0, 0, 0, 0
    top, bottom, left, right = (int(size) for size in widths)
    return top, bottom, left, right


def _at(values: NDArray[Any], axis: int, place: float) -> Any:
    """Return values at a fractional place of an axis, linear."""
    first = int(place)
    part = place - first
    low, high = (values.take(first + k, axis=axis) for k in (0, 1))
    return (1 - part) * low + part * high


def rigid_border(
    displacements: NDArray[np.float64], image_shape: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Return the widest border that shifts leave empty: (top, bottom, left, right)."""
    height, width = image_shape
    widths = []
    for axis, size in ((1, height), (2, width)):
        moves = np.rint(displacements[:, axis]).astype(int)
        before = int(np.clip(-moves.min(initial=0), 0, size))
        after = int(np.clip(moves.max(initial=0), 0, size))
        if before + after >= size:
            before, after = 0, 0
        widths += [before, after]
    return widths[0], widths[1], widths[2], widths[3]
