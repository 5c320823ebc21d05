"""The loops over pixels that estimate motion, in PyTorch; results as of the loops.

Each function does what the compiled one of the same name does, on tensors (n, z, y, x);
only :mod:`napari_mesmerize.motion.kernels.device` says when.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Array = NDArray[Any]


def put(frames: Array, device: str) -> Tensor:
    """Return an array as a tensor on a device."""
    return torch.from_numpy(np.ascontiguousarray(frames)).to(device)


def count_cards() -> int:
    """Return how many CUDA cards there are."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def kept_on(owner: Any, name: str, arrays: Any, like: Tensor) -> Any:
    """Return tensors made once of an object's arrays, on the device of ``like``."""
    known = owner.__dict__.setdefault("_on_device", {})
    key = (name, str(like.device))
    if key not in known:
        known[key] = tuple(put(array, str(like.device)) for array in arrays())
    return known[key]


def local_contrast(
    frames: Tensor, half_kernel: Array, black: float, least: float
) -> tuple[Tensor, Tensor]:
    """Return the local contrast of frames, and the same binned 2 x 2."""
    height, width = frames.shape[-2:]
    planes = frames.reshape(-1, 1, height, width)
    even = functional.pad(planes, (0, width % 2, 0, height % 2), mode="replicate")
    binned = functional.avg_pool2d(even, 2)
    kernel = put(np.concatenate([half_kernel[:0:-1], half_kernel]), str(frames.device))
    reach = len(half_kernel) - 1
    low = functional.pad(binned, (0, 0, reach, reach), mode="replicate")
    low = functional.conv2d(low, kernel[None, None, :, None])
    low = functional.pad(low, (reach, reach, 0, 0), mode="replicate")
    low = functional.conv2d(low, kernel[None, None, None, :])
    full = functional.interpolate(low, scale_factor=2, mode="bilinear")
    full = full[..., :height, :width]
    contrast = (planes - full) / torch.clamp(full - black, min=least)
    small = (binned - low) / torch.clamp(low - black, min=least)
    return contrast.reshape(frames.shape), small.reshape(
        *frames.shape[:2], *small.shape[-2:]
    )


def without_structure(binned: Tensor) -> Array:
    """Tell which frames have the same value everywhere."""
    flat = binned.reshape(len(binned), -1)
    same: Array = (flat.amax(dim=1) == flat.amin(dim=1)).cpu().numpy()
    return same


def project_planes(binned: Tensor) -> Any:
    """Return binned volumes as their mean over planes, (n, y, x)."""
    return binned.mean(dim=1)


def coarse_evidence(
    binned: Tensor, template: Any, wide: Sequence[int]
) -> NDArray[np.float32]:
    """Return the log likelihood of binned shifts, (n, 2 ry + 1, 2 rx + 1)."""
    planes = functional.avg_pool2d(binned, 2) if template.binning == 4 else binned
    window, conjugate = kept_on(
        template, "coarse", lambda: (template.window, template.spectrum), binned
    )
    spectrum = torch.fft.rfft2(planes * window) * conjugate
    score = torch.fft.irfft2(spectrum, s=planes.shape[1:])
    rows, columns = (torch.arange(-limit, limit + 1) for limit in wide)
    part = score[:, rows][:, :, columns]
    variance = (planes * planes).mean(dim=(1, 2)).clamp(min=1e-30)
    evidence: NDArray[np.float32] = (part / variance[:, None, None]).cpu().numpy()
    return evidence


def _of_blocks(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return what blocks (n, z, by, bx) say of each of their pixels, (n, z, y, x)."""
    return values[:, :, rows][:, :, :, columns]


def _edges(length: int, size: int, count: int, border: int) -> tuple[Array, Array]:
    """Return the first and last + 1 pixel that each block compares."""
    first = np.arange(count) * size
    last = np.append(first[1:], length)
    return np.maximum(first, border), np.minimum(last, length - border)


def _spread(owners: Array, count: int, used: Array, like: Tensor) -> Tensor:
    """Return a matrix (count, length) that sums the used pixels of each block."""
    matrix = (owners == np.arange(count)[:, None]) * used
    return put(matrix.astype(np.float32), str(like.device))


def _places(template: Any, moves: Tensor, edges: list[Tensor]) -> tuple[Any, ...]:
    """Return where blocks find the template.

    Parameters
    ----------
    template : Template
        With tables of sub-pixel phases.
    moves : torch.Tensor
        Displacements (n, z, by, bx, 3).
    edges : list of torch.Tensor
        First and last + 1 row, then column, of each block.

    Returns
    -------
    start, weighed : torch.Tensor
        Index of a block's origin in the ravelled tables and weights, 0 if not valid.
    valid : torch.Tensor
        The block lies within the canvas.
    rest : list of torch.Tensor
        What the nearest phase leaves of the displacements, (z, y, x).
    """
    tables, pads = template.tables, template.settings.pads
    phases = tables.shape[:3]
    n_z, n_y, n_x = tables.shape[4:]
    step = [torch.floor(moves[..., k] * phases[k] + 0.5) for k in range(3)]
    rest = [moves[..., k] - step[k] / phases[k] for k in range(3)]
    whole = [torch.div(step[k], phases[k], rounding_mode="floor") for k in range(3)]
    phase = [(step[k] - phases[k] * whole[k]).long() for k in range(3)]
    planes = torch.arange(moves.shape[1], device=moves.device)[None, :, None, None]
    plane = near = planes + pads[0]
    if tables.shape[3] == 4:
        plane = plane - whole[0].long()
        near = near - torch.floor(moves[..., 0] + 0.5).long()
    to_y, to_x = pads[1] - whole[1].long(), pads[2] - whole[2].long()
    top, bottom, left, right = edges
    valid = (to_y + top[:, None] >= 0) & (to_y + bottom[:, None] <= n_y)
    valid &= (to_x + left >= 0) & (to_x + right <= n_x)
    valid &= (plane >= 0) & (plane < n_z) & (near >= 0) & (near < n_z)
    canvas = n_z * n_y * n_x
    table = (phase[0] * phases[1] + phase[1]) * phases[2] + phase[2]
    at = to_y * n_x + to_x
    start = table * tables.shape[3] * canvas + plane * n_y * n_x + at
    weighed = near * n_y * n_x + at
    return torch.where(valid, start, 0), torch.where(valid, weighed, 0), valid, rest


def block_gradients(
    template: Any, frames: Tensor, displacements: Array, limit: float
) -> tuple[Array, Array]:
    """Return minus the gradient of each block, (..., 3), and what it was muted to."""
    settings, tables = template.settings, template.tables
    image, roots = kept_on(
        template, "fit", lambda: (tables.ravel(), template.root_weights.ravel()), frames
    )
    height, width = frames.shape[2:]
    moves = put(displacements.astype(np.float32), str(frames.device))
    volumetric = tables.shape[3] == 4
    counts = displacements.shape[2:4]
    sizes, border = settings.block_size, settings.border
    top, bottom = _edges(height, sizes[0], counts[0], border)
    left, right = _edges(width, sizes[1], counts[1], border)
    edges = [put(edge, str(frames.device)) for edge in (top, bottom, left, right)]
    start, weighed, valid, rest = _places(template, moves, edges)
    n_x, canvas = tables.shape[6], int(np.prod(tables.shape[4:]))
    owners = [
        np.minimum(np.arange(length) // size, count - 1)
        for length, size, count in zip((height, width), sizes, counts, strict=True)
    ]
    rows, columns = (put(owner, str(frames.device)) for owner in owners)
    pixel = torch.arange(height, device=frames.device)[:, None] * n_x
    pixel = pixel + torch.arange(width, device=frames.device)
    index = _of_blocks(start, rows, columns) + pixel
    root = roots[(_of_blocks(weighed, rows, columns) + pixel).clamp(max=canvas - 1)]
    root = root * _of_blocks(valid, rows, columns)
    index = index.clamp(max=image.numel() - tables.shape[3] * canvas + canvas - 1)
    channels = {1: 1, 2: 2} | ({0: 3} if volumetric else {})
    slopes = {axis: image[index + k * canvas] for axis, k in channels.items()}
    gap = frames - image[index]
    for axis, slope in slopes.items():
        gap = gap + _of_blocks(rest[axis], rows, columns) * slope
    gap = gap * root
    inside = [
        (np.arange(length) >= border) & (np.arange(length) < length - border)
        for length in (height, width)
    ]
    sum_rows, sum_columns = (
        _spread(owner, count, used, frames)
        for owner, count, used in zip(owners, counts, inside, strict=True)
    )

    def summed(values: Tensor) -> Tensor:
        return sum_rows @ (values @ sum_columns.T)

    number = np.maximum((bottom - top)[:, None] * (right - left), 1)
    squares = summed(gap * gap) / put(number.astype(np.float32), str(frames.device))
    clip = settings.residual_clip
    pull = gap.clamp(-clip, clip) * root
    kept = torch.clamp(limit / squares.clamp(min=1e-30), max=1) ** 2
    out = torch.zeros(moves.shape, device=frames.device)
    for axis, slope in slopes.items():
        out[..., axis] = -summed(slope * pull) * kept
    return out.cpu().numpy(), kept.cpu().numpy()


def strip_sums(
    correlator: Any, binned: Tensor, moves: Array, blocks: tuple[int, int]
) -> Array:
    """Return what correlates strips of frames with smoothed tables, (n, k, 6)."""
    tables, known = correlator.tables, correlator.known
    values, shares = kept_on(
        correlator, "correlate", lambda: (tables.ravel(), known.ravel()), binned
    )
    n_frames, depth, height, width = binned.shape
    n_z, n_y, n_x = tables.shape[4:]
    move = put(np.ascontiguousarray(moves, np.float32), str(binned.device))
    rows = torch.arange(height, device=binned.device)
    columns = torch.arange(width, device=binned.device)
    planes = torch.arange(depth, device=binned.device)[None, :, None, None]
    plane = planes + correlator.pads[0] - torch.floor(move[..., 0] + 0.5).long()
    steps = [torch.floor(2 * move[..., k] + 0.5).long() for k in (1, 2)]
    halves = [torch.div(step, 2, rounding_mode="floor") for step in steps]
    to = [correlator.pads[k + 1] - halves[k] for k in (0, 1)]
    odd = [shift % 2 for shift in to]
    base = [torch.div(shift, 2, rounding_mode="floor") for shift in to]
    phase = (steps[0] % 2) * 2 + steps[1] % 2
    parity = odd[0] * 2 + odd[1]
    expand = [
        _of_blocks(each, rows // blocks[0], columns // blocks[1])
        for each in (plane, base[0], base[1], phase, parity)
    ]
    y, x = expand[1] + rows[:, None], expand[2] + columns
    inside = (expand[0] >= 0) & (expand[0] < n_z)
    inside &= (y >= 0) & (y < n_y) & (x >= 0) & (x < n_x)
    place = (expand[0] * n_y + y) * n_x + x
    canvas = n_z * n_y * n_x
    first = torch.where(inside, expand[4] * canvas + place, 0)
    second = torch.where(inside, (expand[3] * 4 + expand[4]) * canvas + place, 0)
    share = shares[first] * inside
    value, other = binned * share, values[second] * inside
    strips = rows // blocks[0]
    sums = []
    for each in (share, value, other, value * value, other * other, value * other):
        lines = each.sum(dim=(1, 3), dtype=torch.float64)
        strip = torch.zeros(
            (n_frames, -(-height // blocks[0])), dtype=torch.float64, device=each.device
        )
        sums.append(strip.index_add_(1, strips, lines))
    found: Array = torch.stack(sums, dim=-1).cpu().numpy()
    return found
