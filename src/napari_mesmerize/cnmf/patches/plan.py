"""Cut a field into overlapping patches, and estimate the memory that one needs."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from napari_mesmerize.cnmf.params import Params
from napari_mesmerize.cnmf.search.detection import decimation
from napari_mesmerize.cnmf.settings import FloatArray, Settings
from napari_mesmerize.cnmf.sums import scatter_frames
from napari_mesmerize.compute.memory import reading_slices
from napari_mesmerize.data.recording import image_shape
from napari_mesmerize.errors import ParameterError

LARGEST_WHOLE = 192  # pixels; wider fields are cut
CORES = (128, 96, 72, 56)  # pixels, about; what patches own, the largest that fits
MOST_BYTES = 2 * 2**30  # that a patch of a size chosen here needs
MARGIN_RADII = 3.0
_AT_FULL_RATE = ("greedy_roi", "corr_pnr")  # need the movie twice more
_SPARE = 60 * 2**20  # bytes: code, images, cells


@dataclass(frozen=True)
class Patch:
    """A rectangle of one plane; components whose centroid lies in the core are its own.

    ``outer`` and ``core`` are (y0, y1, x0, x1) in the whole image; ``plane`` is 0 in
    recordings without planes.
    """

    plane: int
    outer: tuple[int, int, int, int]
    core: tuple[int, int, int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Return (height, width) of the outer rectangle."""
        y0, y1, x0, x1 = self.outer
        return y1 - y0, x1 - x0


def _cuts(size: int, core: int, margin: int) -> list[tuple[int, int, int, int]]:
    """Return (outer start, outer stop, core start, core stop) along one axis."""
    n = max(1, round(size / core))
    edges = [size * i // n for i in range(n + 1)]
    return [
        (max(0, a - margin), min(size, b + margin), a, b)
        for a, b in itertools.pairwise(edges)
    ]


def plan_patches(
    shape: tuple[int, ...], settings: Settings, params: Params, n_frames: int = 0
) -> list[Patch]:
    """Return the patches of an image of ``shape``, plane by plane.

    The plan depends on the recording's size and the parameters alone: memory and
    workers do not change it. Long recordings (``n_frames``) get smaller patches.
    """
    height, width = shape[-2:]
    smallest = math.ceil(4 * settings.radius)
    if 0 < params.patch_size < smallest:
        raise ParameterError(
            f"patch_size={params.patch_size} px does not hold a cell of diameter "
            f"{2 * settings.radius:.3g} px and its surroundings; give at least "
            f"{smallest} px, or 0 to let it be chosen."
        )
    if params.patch_size:
        return _cut(shape, params.patch_size, settings, params)
    widest = max(height, width)
    sizes = [size for size in CORES if smallest <= size < widest] or [smallest]
    if widest <= LARGEST_WHOLE:
        sizes.insert(0, widest)
    for size in sizes:
        patches = _cut(shape, size, settings, params)
        if largest_memory(patches, n_frames, settings, params) <= MOST_BYTES:
            break
    return patches


def _cut(
    shape: tuple[int, ...], size: int, settings: Settings, params: Params
) -> list[Patch]:
    """Return patches that own about ``size`` pixels each way."""
    n_planes = shape[0] if len(shape) == 3 else 1
    margin = math.ceil(params.patch_overlap / 2) or math.ceil(
        MARGIN_RADII * settings.radius
    )
    return [
        Patch(plane, (oy0, oy1, ox0, ox1), (cy0, cy1, cx0, cx1))
        for plane in range(n_planes)
        for oy0, oy1, cy0, cy1 in _cuts(shape[-2], size, margin)
        for ox0, ox1, cx0, cx1 in _cuts(shape[-1], size, margin)
    ]


def largest_memory(
    patches: list[Patch], n_frames: int, settings: Settings, params: Params
) -> int:
    """Return the bytes that the largest patch needs."""
    return max(patch_memory(patch, n_frames, settings, params) for patch in patches)


def patch_memory(
    patch: Patch, n_frames: int, settings: Settings, params: Params
) -> int:
    """Return the bytes that one patch needs while it is worked on."""
    pixels = math.prod(patch.shape)
    movie = 4 * pixels * n_frames
    filtered = movie / decimation(settings)
    modes = 30 * max(1.0, pixels / 128**2)
    chunk = 64 * 4 * pixels * 5
    blocks = 4 * n_frames * (pixels / max(settings.radius, 1) ** 2)
    loadings = 4 * 4 * pixels * modes
    working = 2.8 * movie if params.method_init in _AT_FULL_RATE else 2 * filtered
    if params.spatial_downsampling * params.temporal_downsampling > 1:
        few = params.spatial_downsampling**2 * params.temporal_downsampling
        working = (movie + working) / few
    if params.background == "ring":
        places = 4 * pixels / max(settings.radius, 2) ** 2
        blocks += 3 * places * (n_frames + places)
    return int(movie + working + chunk + 3 * blocks + loadings + _SPARE)


def read_rows(recording: xr.DataArray, patch: Patch) -> FloatArray:
    """Read a patch as pixel-major float32, shape (n_pixels, n_frames)."""
    y0, y1, x0, x1 = patch.outer
    part = recording
    if len(image_shape(recording)) == 3:
        part = part[:, patch.plane]
    n_frames = recording.sizes["frame"]
    out = np.empty(((y1 - y0) * (x1 - x0), n_frames), np.float32)
    for frames in reading_slices(recording):
        block = np.ascontiguousarray(part[frames, y0:y1, x0:x1].to_numpy())
        scatter_frames(block.reshape(len(block), -1), frames.start, out)
    return out


def usable_pixels(
    patch: Patch, shape: tuple[int, ...], border: tuple[int, int, int, int]
) -> NDArray[np.bool_]:
    """Return which pixels of a patch lie inside the border; shape (n_pixels,).

    ``border`` is (top, bottom, left, right) in pixels of the whole image.
    """
    y0, y1, x0, x1 = patch.outer
    rows, columns = np.mgrid[y0:y1, x0:x1]
    inside = (rows >= border[0]) & (rows < shape[-2] - border[1])
    inside &= (columns >= border[2]) & (columns < shape[-1] - border[3])
    return np.asarray(inside.ravel())
