"""Moving frames back by shifts and fields in PyTorch; pixels as of the loops."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mesmerize.motion.kernels.torch_loops import put
from napari_mesmerize.motion.kernels.weights import PHASES, weight_table

Array = NDArray[Any]


def blend_depth(volumes: Tensor, moves: Array) -> Tensor:
    """Return volumes (n, z, y, x) resampled at z + move (n,), cubic, nearest border."""
    whole = np.floor(moves).astype(int)
    weights = weight_table("cubic")[np.rint((moves - whole) * PHASES).astype(int)]
    depth, device = volumes.shape[1], str(volumes.device)
    frame = torch.arange(len(volumes), device=volumes.device)[:, None]
    out = torch.zeros_like(volumes)
    for k in range(4):
        planes = np.clip(np.arange(depth) + whole[:, None] - 1 + k, 0, depth - 1)
        weight = put(weights[:, k].astype(np.float32), device)
        out += weight[:, None, None, None] * volumes[frame, put(planes, device)]
    return out


def shift_by_kernel(volumes: Tensor, moves: Array, kernel: str) -> Tensor:
    """Resample volumes (n, z, y, x) at their pixels plus ``moves`` (n, 2), px."""
    table = weight_table(kernel)
    for axis in (0, 1):
        whole = np.floor(moves[:, axis]).astype(int)
        phase = ((moves[:, axis] - whole) * PHASES + 0.5).astype(int)
        volumes = _mix(volumes, whole, table[phase], axis + 2)
    return volumes


def _mix(volumes: Tensor, whole: Array, weights: Array, axis: int) -> Tensor:
    """Weigh neighbours along an axis, other weights (n, taps) for each frame."""
    length, reach = volumes.shape[axis], weights.shape[1] // 2
    shape = [len(volumes), 1, 1, 1]
    shape[axis] = length
    out = torch.zeros_like(volumes)
    for k in range(weights.shape[1]):
        places = np.arange(length) + (whole + 1 - reach + k)[:, None]
        index = put(np.clip(places, 0, length - 1), str(volumes.device))
        index = index.reshape(shape).expand(volumes.shape)
        weight = put(weights[:, k].astype(np.float32), str(volumes.device))
        out += weight[:, None, None, None] * torch.gather(volumes, axis, index)
    return out


def shift_by_fourier(
    volumes: Tensor, moves: Array, axes: tuple[Any, Any], still: float
) -> Tensor:
    """Resample volumes (n, z, y, x) at their pixels plus ``moves`` (n, 2), px.

    ``axes`` say how rows and columns are continued, so that nothing wraps.
    """
    height, width = volumes.shape[-2:]
    whole = np.rint(moves).astype(np.intp)
    rest = (moves - whole).astype(np.float32)
    if (np.abs(rest) > still).any():
        wide = volumes
        for axis, continued in zip((3, 2), axes[::-1], strict=True):
            wide = _continued(wide, continued, axis)
        phases = []
        for column, (continued, frequency) in enumerate(
            zip(axes, (torch.fft.fftfreq, torch.fft.rfftfreq), strict=True)
        ):
            turn = 2 * torch.pi * frequency(continued.length, device=volumes.device)
            angle = put(rest[:, column], str(volumes.device))[:, None] * turn
            phases.append(torch.exp(1j * angle))
        spectrum = torch.fft.rfft2(wide)
        spectrum = spectrum * phases[0][:, None, :, None] * phases[1][:, None, None]
        volumes = torch.fft.irfft2(spectrum, s=wide.shape[-2:])[..., :height, :width]
    for axis, move in ((2, whole[:, 0]), (3, whole[:, 1])):
        if move.any():
            volumes = _mix(volumes, move, np.tile([1.0, 0.0], (len(move), 1)), axis)
    return volumes


def _continued(planes: Tensor, continued: Any, axis: int) -> Tensor:
    """Close the gap at the end of an axis by two blended mirror images."""
    places, weight = continued.continuation()
    device = str(planes.device)
    first, second = (
        planes.index_select(axis, put(each.astype(np.int64), device)) for each in places
    )
    shape = [1, 1, 1, 1]
    shape[axis] = len(weight)
    share = put(weight, device).reshape(shape)
    return torch.cat([planes, share * first + (1 - share) * second], dim=axis)


def warp_volumes(
    volumes: Tensor, moves: NDArray[np.float32], spacing: int, kernel: str
) -> Tensor:
    """Resample volumes through moves (n, z, ny, nx, 3) given every ``spacing`` px."""
    depth, height, width = volumes.shape[1:]
    device = str(volumes.device)
    field = put(moves, device).movedim(-1, 0)  # (3, n, z, ny, nx)
    along_y = put(_linear_basis(height, moves.shape[2], spacing), device)
    along_x = put(_linear_basis(width, moves.shape[3], spacing), device)
    z, y, x = along_y @ field @ along_x.T
    grid = [torch.arange(size, device=device) for size in (depth, height, width)]
    z = (z + grid[0][:, None, None]).clamp(0, depth - 1)
    y = (y + grid[1][:, None]).clamp(0, height - 1)
    x = (x + grid[2]).clamp(0, width - 1)
    flat = volumes.reshape(len(volumes), -1)
    if depth == 1:
        return _sampled(flat, torch.zeros_like(y).long(), y, x, volumes.shape, kernel)
    plane = z.long().clamp(max=depth - 2)
    part = z - plane
    upper, lower = (
        _sampled(flat, plane + k, y, x, volumes.shape, kernel) for k in (0, 1)
    )
    return upper + part * (lower - upper)


def _linear_basis(length: int, count: int, spacing: int) -> NDArray[np.float32]:
    place = np.arange(length) / spacing
    basis = np.maximum(1 - np.abs(place[:, None] - np.arange(count)), 0)
    out: NDArray[np.float32] = basis.astype(np.float32)
    return out


def _sampled(
    flat: Tensor, plane: Tensor, y: Tensor, x: Tensor, shape: Any, kernel: str
) -> Tensor:
    """Sample planes at places (n, z, y, x), nearest border."""
    _, _, height, width = shape
    top, left = y.long(), x.long()
    rows, columns = (_taps(place - place.long(), kernel) for place in (y, x))
    reach = len(rows) // 2
    out = torch.zeros_like(y)
    for m, row in enumerate(rows):
        at = (top + 1 - reach + m).clamp(0, height - 1)
        line = torch.zeros_like(y)
        for n, column in enumerate(columns):
            to = (left + 1 - reach + n).clamp(0, width - 1)
            index = (plane * height + at) * width + to
            values = torch.gather(flat, 1, index.reshape(len(flat), -1))
            line += column * values.reshape(y.shape)
        out += row * line
    return out


def _taps(part: Tensor, kernel: str) -> list[Tensor]:
    """Return the weight of each neighbour of places that lie ``part`` behind one."""
    if kernel == "cubic":
        first = ((1 - 0.5 * part) * part - 0.5) * part
        second = (1.5 * part - 2.5) * part * part + 1
        last = (0.5 * part - 0.5) * part * part
        return [first, second, 1 - first - second - last, last]
    table = put(weight_table(kernel), str(part.device))
    weights = table[(part * PHASES + 0.5).long()]
    return list(weights.movedim(-1, 0))
