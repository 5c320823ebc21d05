"""Background, blurred cells and camera noise of a simulated recording."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.signal import lfilter

from napari_mesmerize.simulation.neurons import Column

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]


def wander(
    rng: np.random.Generator, n: int, tau: float, size: int = 1
) -> NDArray[np.float64]:
    """Return (size, n) Ornstein-Uhlenbeck noise, variance 1; ``tau`` in samples."""
    a = np.exp(-1.0 / max(tau, 1e-3))
    noise = rng.standard_normal((size, n + 200))
    return np.asarray(lfilter([np.sqrt(1 - a * a)], [1, -a], noise, axis=1)[:, 200:])


def smooth_image(
    rng: np.random.Generator, shape: tuple[int, ...], sigma: float
) -> Float:
    """Return a smooth random image with mean 0 and standard deviation 1."""
    image = gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap")
    return np.asarray((image - image.mean()) / (image.std() + 1e-12))


def blurred_cells(
    rng: np.random.Generator, n: int, p: dict[str, Any], canvas: tuple[int, ...]
) -> list[Column]:
    """Return ``n`` broad, dim cells out of focus, as pixel indices and values."""
    lateral = canvas[-2:]
    yy, xx = np.ogrid[: lateral[0], : lateral[1]]
    columns = []
    for _ in range(n):
        centre = rng.uniform(0, lateral, 2)
        sigma = p["oof_sigma"] * rng.uniform(0.8, 1.5)
        blob = np.exp(-0.5 * ((yy - centre[0]) ** 2 + (xx - centre[1]) ** 2) / sigma**2)
        if len(canvas) == 3:
            depth = np.arange(canvas[0]) - rng.uniform(0, canvas[0])
            blob = np.exp(-0.5 * (depth / 2.0) ** 2)[:, None, None] * blob
        pixels = np.flatnonzero(blob.ravel() > 0.03)
        columns.append((pixels, blob.ravel()[pixels].astype(np.float32)))
    return columns


def vignette(p: dict[str, Any], canvas: tuple[int, ...]) -> Float32:
    """Return how much of the light reaches each pixel: the optics stay in place."""
    height, width = canvas[-2:]
    yy, xx = np.mgrid[:height, :width]
    r = np.hypot((yy - height / 2) / (height / 2), (xx - width / 2) / (width / 2))
    image = (1 - p["vignette"] * np.clip(r, 0, 1.3) ** 2 / 1.69).astype(np.float32)
    return np.broadcast_to(image, canvas)


def still_background(
    rng: np.random.Generator, p: dict[str, Any], canvas: tuple[int, ...]
) -> Float32:
    """Return the textured background with dark vessels, photons."""
    lateral = canvas[-2:]
    fine = 1.0 if p["kind"] == "2p" else 2.2
    texture = (
        1
        + 0.16 * smooth_image(rng, lateral, 14)
        + 0.13 * smooth_image(rng, lateral, 3 * fine)
        + 0.12 * smooth_image(rng, lateral, fine)
    )
    area = int(lateral[0] * lateral[1])
    if p["kind"] == "2p":
        vessels = _vessels(rng, lateral, max(2, int(area / 9000)), 1.6)
    else:
        vessels = _vessels(rng, lateral, max(2, int(area / 6000)), 2.6)
    image = np.clip(texture, 0.25, None) * vessels * p["bg"]
    if p["kind"] == "1p":
        image = gaussian_filter(image, 1.5)
    if len(canvas) == 3:
        image = np.stack([image * (1 + 0.1 * np.sin(k)) for k in range(canvas[0])])
    return np.asarray(image, np.float32)


def _vessels(
    rng: np.random.Generator, shape: tuple[int, ...], n: int, width: float
) -> Float:
    """Return 1 outside dark curved lines, about 0.3 in the middle of one."""
    image = np.zeros(shape)
    height, breadth = shape
    for _ in range(n):
        y, x = rng.uniform(0, height), rng.uniform(0, breadth)
        theta = rng.uniform(0, 2 * np.pi)
        thickness = width * rng.lognormal(0, 0.4)
        line = np.zeros(shape)
        for _ in range(int(1.3 * max(height, breadth))):
            theta += rng.normal(0, 0.07)
            y, x = y + np.sin(theta), x + np.cos(theta)
            if not (0 <= y < height and 0 <= x < breadth):
                break
            line[int(y), int(x)] = 1
        line = gaussian_filter(line, thickness)
        image = np.maximum(image, line / max(line.max(), 1e-9))
    return np.asarray(1 - 0.7 * image)


def changing_background(
    rng: np.random.Generator,
    p: dict[str, Any],
    still: Float32,
    population: Float32,
    n_frames: int,
) -> tuple[Float32, Float32, Float32]:
    """Return images (n, n_pixels), their courses (n, n_frames) and the slow trend.

    Neuropil, haemodynamics and scattered light; the first course follows the mean
    activity of the cells. The trend multiplies everything: bleaching and drift.
    """
    n, rate = p["n_bg"], p["fps"]
    sigma = 18 if p["kind"] == "2p" else 24
    lateral = still.shape[-2:]
    images = np.stack(
        [smooth_image(rng, lateral, sigma * rng.uniform(0.7, 1.4)) for _ in range(n)]
    )
    images[0] = 1.0
    images[1:] = np.maximum(images[1:] + 0.3, 0)
    if still.ndim == 3:
        images = np.repeat(images[:, None], still.shape[0], 1)
    spatial = (images * still[None]).reshape(n, -1).astype(np.float32)
    slow = gaussian_filter1d(wander(rng, n_frames, 3.0 * rate, n), 0.3 * rate, axis=1)
    starts = rng.random((n, n_frames)) < 0.4 / rate
    events = starts * rng.exponential(1, (n, n_frames))
    fast = lfilter([1.0], [1, -np.exp(-1 / (0.6 * rate))], events, axis=1)
    courses = slow / slow.std() * 0.7 + fast / fast.std() * 0.7
    deviation, spread = population - population.mean(), population.std() + 1e-9
    courses[0] = 0.6 * courses[0] + 0.8 * deviation / spread
    weight = np.where(np.arange(n) == 0, 1.3, 1.0)[:, None]
    temporal = (courses * p["neuropil"] / np.sqrt(n) * weight).astype(np.float32)
    t = np.arange(n_frames)
    drift = gaussian_filter1d(wander(rng, n_frames, 10 * rate)[0], rate)
    bleaching = 1 - p["bleach"] * (1 - np.exp(-t / (0.5 * n_frames)))
    trend = bleaching * (1 + p["drift"] * drift)
    return spatial, temporal, trend.astype(np.float32)


def detect(
    rng: np.random.Generator, light: Float32, p: dict[str, Any]
) -> NDArray[np.uint16]:
    """Return the counts of a camera that sees ``light`` photons (overwritten).

    Shot noise is (sqrt(l) + z / 2)^2 - 1/4, with mean l and variance l + 1/8.
    """
    noise = rng.standard_normal(light.shape, dtype=np.float32)
    np.sqrt(np.maximum(light, 0, out=light), out=light)
    noise *= 0.5
    light += noise
    light *= light
    light -= 0.25
    light *= p["gain"]
    rng.standard_normal(light.shape, dtype=np.float32, out=noise)
    noise *= p["read_noise"]
    light += noise
    light += p["offset"]
    np.rint(light, out=light)
    return np.asarray(np.clip(light, 0, 65535).astype(np.uint16))
