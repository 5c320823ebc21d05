"""Scores of components: how much each one's average image looks like the cells here."""

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.cnmf.cells import Cell, View, soft_disk, window_bounds
from napari_mesmerize.cnmf.deconvolve.deconvolution import difference_noise
from napari_mesmerize.cnmf.judge.neighbours import OWN
from napari_mesmerize.cnmf.search.detection import correlate_forward
from napari_mesmerize.cnmf.settings import (
    RMS_RADIUS,
    FloatArray,
    Settings,
    matched_kernel,
)
from napari_mesmerize.cnmf.sums import correlate_pixels

REACH = 1.9  # radii: what of the average image is compared
_LARGEST_CALIBRATION = 1.4
_SMALLEST_CALIBRATION = 0.7
_SIZES = (0.8, 0.9, 1.0, 1.12, 1.25)
_BIN = 0.2  # radii, of the profile
_FEWEST_MODELS = 5  # cells that a profile is learned from
_USUAL_LIKENESS, _USUAL_LIKENESS_ONE_PHOTON = 0.945, 0.97  # of clear round cells
_LEAST_LIKENESS = 0.6  # that a recording's cells can have
_LEAST_AMONG_ECHOES = 0.84  # ... where most clear components repeat others
_LEAST_AREA = 0.6  # of a disk, that a recording's cells can cover
_CLEAR = 30.0  # energy from which a component's likeness is known well
_CLEAR_SHARE = 0.6  # quantile of the energy above which components count as clear


def take_view(
    cell: Cell,
    residual: FloatArray,
    shape: tuple[int, int],
    valid: NDArray[np.bool_],
    settings: Settings,
    shared: float = 1.0,
) -> None:
    """Keep the component's trace-weighted average image, without background.

    The image is in noise units of the residual; its own share is included. ``shared``
    is such a unit over the noise of a pixel by itself.
    """
    height, width = shape
    reach = REACH * _LARGEST_CALIBRATION * settings.radius
    y, x = cell.centre(width)
    y0, y1, x0, x1 = window_bounds(shape, y, x, reach + 1)
    rows, columns = np.mgrid[y0:y1, x0:x1]
    distance = np.hypot(rows - y, columns - x)
    numbers = rows * width + columns
    near = (distance < reach) & valid[numbers]
    pixels = numbers[near].astype(np.int64)
    full = np.zeros(height * width, np.float32)
    full[cell.pixels] = cell.weights
    footprint = full[pixels]
    energy = max(float(cell.trace @ cell.trace), 1e-9)
    image = footprint + correlate_pixels(residual, pixels, cell.trace) / np.float32(
        energy
    )
    edge = min(y, x, height - 1 - y, width - 1 - x)
    cell.view = View(
        image,
        footprint,
        distance[near].astype(np.float32),
        1 / energy,
        1 / (energy * shared**2),
        float(edge),
    )


def calibrated_radius(cells: list[Cell], width: int, settings: Settings) -> float:
    """Return the cell radius that the stronger half of the components shows."""
    nominal = RMS_RADIUS * settings.radius
    usable = [cell for cell in cells if len(cell.pixels) >= 6]
    if len(usable) < 8:
        return settings.radius
    energy = np.array([cell.energy for cell in usable])
    radii = np.array([cell.rms_radius(width) for cell in usable])
    typical = np.median(radii[energy >= np.median(energy)])
    smallest, largest = _SMALLEST_CALIBRATION, _LARGEST_CALIBRATION
    return float(np.clip(typical, smallest * nominal, largest * nominal) / RMS_RADIUS)


def _correlation(a: FloatArray, b: FloatArray) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else 0.0


def _profile(view: View, radius: float) -> FloatArray:
    """Return the mean of the average image in rings of a fifth of the radius."""
    ring = (view.distance / (_BIN * radius)).astype(int)
    n_rings = int(REACH / _BIN) + 1
    inside = ring < n_rings
    counts = np.bincount(ring[inside], minlength=n_rings)
    sums = np.bincount(ring[inside], view.image[inside], minlength=n_rings)
    return np.asarray(sums / np.maximum(counts, 1), np.float32)


def typical_profile(views: list[View], energy: FloatArray, radius: float) -> FloatArray:
    """Return how brightness falls with distance in a typical cell of this recording.

    The median over the stronger components that resemble a disk, away from the edge; a
    soft disk where there are fewer than five.
    """
    middles = (np.arange(int(REACH / _BIN) + 1) + 0.5) * _BIN
    disk = soft_disk(middles, 1.0, 0.8 / radius)
    alike = np.array([_likeness(view, disk, radius)[0] for view in views])
    clear = alike > 0.7
    if clear.any():
        clear &= energy >= np.median(energy[alike > 0.6])
        clear &= np.array([view.edge for view in views]) > radius
    if clear.sum() < _FEWEST_MODELS:
        return disk
    profiles = np.array([_profile(views[i], radius) for i in np.flatnonzero(clear)])
    profiles /= np.maximum(profiles[:, : int(1 / _BIN)].mean(axis=1), 1e-9)[:, None]
    return np.asarray(np.median(profiles, axis=0), np.float32)


def _likeness(view: View, profile: FloatArray, radius: float) -> tuple[float, float]:
    """Return the correlation of the average image with a cell, plain and corrected.

    The best of five sizes counts. The first value is as in white noise; the second is
    what the correlation would be without noise, at most 1: the noise of the image is
    known from the trace's energy.
    """
    near = view.distance < REACH * radius
    image = view.image[near]
    if len(image) < 6:
        return 0.0, 0.0
    middles = (np.arange(len(profile)) + 0.5) * _BIN * radius
    distance = view.distance[near]
    plain = max(
        _correlation(
            image, np.interp(distance / size, middles, profile).astype(np.float32)
        )
        for size in _SIZES
    )
    seen = max(float(image.var()), 1e-12)
    variance = seen + view.noise - view.seen_noise
    signal = max(variance - view.noise, 0.3 * view.noise, 0.1 * variance)
    plain *= float(np.sqrt(seen / variance))
    return plain, min(1.0, plain * float(np.sqrt(variance / signal)))


def _relative_areas(cells: list[Cell], views: list[View], radius: float) -> FloatArray:
    """Return the area of components against that of a disk, as far as it is seen."""
    areas = [
        cell.area() / _visible_share(view, radius)
        for cell, view in zip(cells, views, strict=True)
    ]
    return np.array(areas, np.float32) / np.float32(1.4 * np.pi * radius**2)


def typical_cell(
    corrected: FloatArray,
    areas: FloatArray,
    energy: FloatArray,
    own: NDArray[np.bool_],
    usual: float,
) -> tuple[float, float]:
    """Return how much this recording's cells look like their profile, and their area.

    Cells that are long, lobed or bear dendrites look less like a round profile than
    others do, and cover less than a disk; each is to be compared with its like.

    Parameters
    ----------
    corrected, areas, energy : numpy.ndarray
        Shape (n,): likeness, relative area and energy of each component.
    own : numpy.ndarray
        Shape (n,), bool: whose activity is not that of a stronger neighbour.
    usual : float
        Likeness of clear round cells.

    Returns
    -------
    likeness, area : float
        The medians over the strongest with activity of their own; ``usual`` and 1 where
        these are few. Where most of the strongest repeat others, as when tissue moves,
        both stay near what is usual.
    """
    if not len(energy):
        return usual, 1.0
    clear = energy > max(_CLEAR**2, float(np.quantile(energy, _CLEAR_SHARE)))
    models = clear & own
    if models.sum() < _FEWEST_MODELS:
        return usual, 1.0
    likeness = float(np.median(corrected[models]))
    area = float(np.median(areas[models]))
    if 2 * models.sum() <= clear.sum():
        return min(max(likeness, _LEAST_AMONG_ECHOES), 1.0), 1.0
    return min(max(likeness, _LEAST_LIKENESS), 1.0), min(max(area, _LEAST_AREA), 1.0)


def judge(cells: list[Cell], width: int, settings: Settings, radius: float) -> None:
    """Add what each component looks like to its ``scores``.

    Parameters
    ----------
    cells : list of Cell
        ``take_view`` must have seen them; their neighbours may be noted.
    width : int
        Of the image, pixels.
    settings : Settings
        Cell size and kinetics.
    radius : float
        Of a typical cell of this recording, pixels.
    """
    views = [cell.view for cell in cells if cell.view is not None]
    energy = np.array([cell.energy for cell in cells], np.float32)
    if len(views) != len(cells):
        raise AssertionError("take_view must have seen every component")
    profile = typical_profile(views, energy, radius)
    alike = np.array([_likeness(view, profile, radius) for view in views], np.float32)
    plain, corrected = alike.reshape(-1, 2).T
    one_photon = settings.one_photon
    usual = _USUAL_LIKENESS_ONE_PHOTON if one_photon else _USUAL_LIKENESS
    own = np.array([cell.scores.get("neighbour_r", 0.0) < OWN for cell in cells], bool)
    areas = _relative_areas(cells, views, radius)
    likeness, area = typical_cell(corrected, areas, energy, own, usual)
    corrected, areas = corrected * (usual / likeness), areas / area
    kernel = matched_kernel(settings)
    for cell, view, shape, likely, size in zip(
        cells, views, plain, corrected, areas, strict=True
    ):
        matched = np.empty((1, len(cell.raw)), np.float32)
        correlate_forward(cell.raw[None], kernel, 1, matched)
        strength = float(np.sqrt(cell.weights @ cell.weights))
        noise = difference_noise(cell.raw.astype(np.float64))
        looks = {
            "snr": float(cell.trace.max(initial=0) / noise),
            "pnr": float((cell.raw.max() - np.median(cell.raw)) / noise),
            "peak_snr": float(matched.max()) * strength,
            "shape": float(shape),
            "shape_corrected": min(1.0, float(likely)),
            "r_value": _correlation(view.image, view.footprint),
            "area_px": float(cell.area()),
            "relative_area": float(size),
            "roundness": _roundness(cell, width),
            "energy": float(np.sqrt(cell.energy)),
            "detection_score": cell.peak,
        }
        cell.scores = looks | {k: v for k, v in cell.scores.items() if k not in looks}


def _visible_share(view: View, radius: float) -> float:
    """Return how much of a cell at the component's place lies on usable pixels."""
    reach = 1.2 * radius
    inside = int((view.distance < reach).sum())
    return min(1.0, max(inside / (np.pi * reach**2), 0.5))


def _roundness(cell: Cell, width: int) -> float:
    """Return the ratio of the footprint's short to its long axis, 0 to 1."""
    if len(cell.pixels) < 3:
        return 0.0
    y, x = np.divmod(cell.pixels, width)
    y0, x0 = cell.centre(width)
    total = float(cell.weights.sum())
    offsets = np.stack([y - y0, x - x0])
    covariance = (offsets * cell.weights) @ offsets.T / total
    short, long = np.linalg.eigvalsh(covariance)
    return float(np.sqrt(max(short, 0) / max(long, 1e-9)))
