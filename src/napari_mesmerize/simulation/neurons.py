"""Cells of a simulated recording: where they lie, how they look, when they fire."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import gaussian_filter
from scipy.signal import lfilter

Float = NDArray[np.float64]
Column = tuple[NDArray[np.int64], NDArray[np.float32]]


def place(
    rng: np.random.Generator,
    n: int,
    low: Float,
    high: Float,
    min_dist: float,
    tries: int = 4000,
) -> Float:
    """Return up to ``n`` points of the box ``low``..``high``, ``min_dist`` apart.

    Where they do not fit, the distance shrinks slowly.
    """
    points = np.zeros((n, len(low)))
    found = 0
    for attempt in range(tries):
        if found == n:
            break
        for point in rng.uniform(low, high, (64, len(low))):
            if found == n:
                break
            squared = ((points[:found] - point) ** 2).sum(1)
            if not found or squared.min() >= min_dist * min_dist:
                points[found] = point
                found += 1
        if attempt % 50 == 49:
            min_dist *= 0.97
    return points[:found]


def activity(
    rng: np.random.Generator, n: int, p: dict[str, Any], n_frames: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32], Float]:
    """Return spikes (n, n_frames), transients of unit amplitude and (rise, decay) s."""
    dt = 1.0 / p["fps"]
    spikes = np.zeros((n, n_frames), np.uint8)
    rate = p["burst_rate"] * rng.lognormal(0, 0.5, n)
    for i in range(n):
        times: list[float] = []
        while len(times) < 3:  # every cell fires at least three times
            times = _bursts(rng, rate[i], p["burst_size"], n_frames * dt)
            times = [s for s in times if s < n_frames * dt - 0.5 * dt]
            rate[i] *= 1.25
        np.add.at(spikes[i], (np.array(times) / dt).astype(int), 1)
    rise = p["tau_rise"] * rng.lognormal(0, 0.15, n)
    decay = p["tau_decay"] * rng.lognormal(0, 0.18, n)
    tau = np.stack([rise, decay], 1)
    traces = np.zeros((n, n_frames), np.float32)
    impulse = np.eye(1, 200)[0]
    for i in range(n):
        r, d = np.exp(-dt / tau[i, 0]), np.exp(-dt / tau[i, 1])
        variation = np.clip(1 + 0.15 * rng.standard_normal(n_frames), 0.5, 1.5)
        filters = [1.0], [1.0, -(r + d), r * d]
        trace = lfilter(*filters, spikes[i] * variation)
        traces[i] = trace / lfilter(*filters, impulse).max()
    return spikes, traces, tau


def _bursts(
    rng: np.random.Generator, rate: float, burst_size: float, duration_s: float
) -> list[float]:
    times: list[float] = []
    t = 0.0
    while True:
        t += rng.exponential(1.0 / rate) + 0.3
        if t >= duration_s:
            return times
        size = 1 + rng.poisson(burst_size - 1)
        intervals = 0.012 + rng.exponential(0.05, size)  # 12 ms refractory
        times += list(t + np.cumsum(intervals))


def soma(
    rng: np.random.Generator,
    p: dict[str, Any],
    centre: Float,
    shape: tuple[int, ...],
    radius: float,
) -> Column:
    """Return pixel indices and values of one cell body on a 2-D canvas."""
    reach = int(np.ceil(radius * 1.9 + 3 * p["psf"])) + 1
    cy, cx = centre
    y0, x0 = round(cy), round(cx)
    yy, xx = np.mgrid[y0 - reach : y0 + reach + 1, x0 - reach : x0 + reach + 1].astype(
        float
    )
    dy, dx = yy - cy, xx - cx
    theta = np.arctan2(dy, dx)
    eccentricity, angle = rng.uniform(0, 0.22), rng.uniform(0, 2 * np.pi)
    outline = radius * (1 + eccentricity * np.cos(2 * (theta - angle)))
    for k in (3, 4):
        wobble = 0.05 * rng.standard_normal()
        outline *= 1 + wobble * np.cos(k * (theta - rng.uniform(0, 2 * np.pi)))
    r = np.hypot(dy, dx)
    body: Float = 1 / (1 + np.exp((r - outline) / 0.45))
    if rng.random() < p["annulus"]:  # dark nucleus, a bit off centre
        oy, ox = rng.normal(0, 0.1 * radius, 2)
        nucleus = 1 + np.exp((np.hypot(dy - oy, dx - ox) - 0.52 * radius) / 0.5)
        body *= 1 - rng.uniform(0.5, 0.9) / nucleus
        bright_side = rng.uniform(0, 2 * np.pi)
        body *= 1 + 0.25 * np.cos(theta - bright_side)
    if p["kind"] != "1p" and rng.random() < 0.35:  # root of a dendrite
        a = rng.uniform(0, 2 * np.pi)
        along = dy * np.sin(a) + dx * np.cos(a)
        across = -dy * np.cos(a) + dx * np.sin(a)
        root = 0.5 * np.exp(-0.5 * (across / 0.8) ** 2)
        body = np.maximum(body, root * (along > 0) * (along < 1.7 * radius))
    body = gaussian_filter(body, p["psf"])
    if p["kind"] == "1p":  # scattered light around the body
        body = body / body.max() + 0.12 * np.exp(-0.5 * (r / (1.6 * radius)) ** 2)
    body /= body.max()
    body[body < 0.05] = 0
    ok = (body > 0) & (yy >= 0) & (yy < shape[0]) & (xx >= 0) & (xx < shape[1])
    pixels = (yy[ok] * shape[1] + xx[ok]).astype(np.int64)
    return pixels, body[ok].astype(np.float32)


def ball(
    rng: np.random.Generator,
    p: dict[str, Any],
    centre: Float,
    shape: tuple[int, ...],
    radius: float,
) -> Column:
    """Return pixel indices and values of one cell of a volume, flat in z."""
    zz, yy, xx = np.mgrid[: shape[0], : shape[1], : shape[2]]
    dz, dy, dx = zz - centre[0], yy - centre[1], xx - centre[2]
    near = (np.abs(dy) < 2.2 * radius) & (np.abs(dx) < 2.2 * radius) & (np.abs(dz) < 4)
    r = np.sqrt(
        (dz[near] / 1.35) ** 2 + (dy[near] / radius) ** 2 + (dx[near] / radius) ** 2
    )
    body: Float = 1 / (1 + np.exp((r - 1) / 0.16))
    if rng.random() < p["annulus"]:
        body *= 1 - rng.uniform(0.4, 0.8) / (1 + np.exp((r - 0.5) / 0.12))
    body /= body.max()
    body[body < 0.05] = 0
    pixels = np.flatnonzero(near.ravel())
    return pixels[body > 0], body[body > 0].astype(np.float32)


def footprint_matrix(
    columns: Sequence[Column], n_pixels: int
) -> "sparse.csc_array[Any]":
    """Return columns of pixel indices and values as one sparse matrix."""
    pixels = [np.zeros(0, np.int64), *(column[0] for column in columns)]
    values = [np.zeros(0, np.float32), *(column[1] for column in columns)]
    ends = np.cumsum([0] + [len(column[0]) for column in columns]).astype(np.int64)
    parts = np.concatenate(values), np.concatenate(pixels), ends
    return sparse.csc_array(parts, shape=(n_pixels, len(columns)))


SHAPES: dict[int, Callable[..., Column]] = {2: soma, 3: ball}
