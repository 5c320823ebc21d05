"""The scene of a simulated recording: tissue and activity, rendered to frames."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from napari_mesmerize.simulation import light as light
from napari_mesmerize.simulation import neurons as cells
from napari_mesmerize.simulation.movement import Motion, View
from napari_mesmerize.simulation.truth import Truth

_EDGE = 3.0  # px: cells nearer to the border count as cut


@dataclass(frozen=True)
class Scene:
    """The tissue on a canvas larger than the view, with its activity."""

    p: dict[str, Any]
    canvas: tuple[int, ...]
    crop: tuple[slice, ...]
    centres: NDArray[np.float64]
    inside: NDArray[np.bool_]
    cells: "sparse.csc_array[Any]"
    spikes: NDArray[np.uint8]
    traces: NDArray[np.float32]
    tau: NDArray[np.float64]
    f0: NDArray[np.float32]
    blurred: "sparse.csc_array[Any]"
    blurred_traces: NDArray[np.float32]
    static: NDArray[np.float32]
    spatial: NDArray[np.float32]
    temporal: NDArray[np.float32]
    trend: NDArray[np.float32]
    vignette: NDArray[np.float32]


def make_scene(
    space: np.random.Generator,
    act: np.random.Generator,
    back: np.random.Generator,
    p: dict[str, Any],
    overlap: bool,
) -> Scene:
    """Draw cells, activity and background from three streams of random numbers."""
    n_frames, image_shape = p["shape"][0], p["shape"][1:]
    margin = math.ceil(p["max_shift"]) + 8
    pad = (3,) * (len(image_shape) - 2) + (margin, margin)
    canvas = tuple(n + 2 * m for n, m in zip(image_shape, pad, strict=True))
    crop = tuple(slice(m, m + n) for n, m in zip(image_shape, pad, strict=True))
    n_pixels = math.prod(canvas)
    centres, inside = _place_cells(space, p, canvas, np.array(pad), overlap)
    n = len(centres)
    radii = p["radius"] * np.clip(space.normal(1, 0.1, n), 0.75, 1.3)
    shape_of = cells.SHAPES[len(canvas)]
    footprints = cells.footprint_matrix(
        [shape_of(space, p, c, canvas, r) for c, r in zip(centres, radii, strict=True)],
        n_pixels,
    )
    spikes, traces, tau = cells.activity(act, n, p, n_frames)
    amplitude = (p["amp"] * act.lognormal(0, p["amp_sigma"], n)).astype(np.float32)
    f0 = (p["cell_f0"] * act.lognormal(0, 0.4, n)).astype(np.float32)
    traces = traces * amplitude[:, None]
    n_blurred = int(p["oof_frac"] * n)
    columns = light.blurred_cells(back, n_blurred, p, canvas)
    _, blurred_traces, _ = cells.activity(back, n_blurred, p, n_frames)
    brightness = p["amp"] * p["oof_amp"] * back.lognormal(0, 0.4, n_blurred)
    blurred_traces = blurred_traces * brightness[:, None].astype(np.float32)
    still = light.still_background(back, p, canvas)
    spatial, temporal, trend = light.changing_background(
        back, p, still, traces.mean(0), n_frames
    )
    return Scene(
        p=p,
        canvas=canvas,
        crop=crop,
        centres=centres - np.array(pad),
        inside=inside,
        cells=footprints,
        spikes=spikes,
        traces=traces,
        tau=tau,
        f0=f0,
        blurred=cells.footprint_matrix(columns, n_pixels),
        blurred_traces=blurred_traces,
        static=(still.ravel() + footprints @ f0).astype(np.float32),
        spatial=spatial,
        temporal=temporal,
        trend=trend,
        vignette=light.vignette(p, canvas),
    )


def _place_cells(
    rng: np.random.Generator,
    p: dict[str, Any],
    canvas: tuple[int, ...],
    pad: NDArray[np.int64],
    overlap: bool,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the cells' centres, those inside the view first, and which those are.

    Density is the same on the margin, whose cells move in and out of view.
    """
    shape = p["shape"][1:]
    n_pixels = math.prod(canvas)
    min_dist = p["radius"] * p["min_dist"] * (0.62 if overlap else 1.0)
    volume = len(shape) == 3
    inner = [n - 2 * _EDGE for n in shape[-2:]]
    inner = [shape[0] - 1, *inner] if volume else inner
    n = round(p["n_cells"] * n_pixels / np.prod(inner))
    scale = np.array([p["radius"] / 1.35, 1, 1] if volume else [1, 1])
    edge = np.array([0.5, _EDGE, _EDGE] if volume else [_EDGE, _EDGE])
    high = (np.array(canvas) - 1) * scale
    centres = cells.place(rng, n, np.zeros(len(canvas)), high, min_dist) / scale
    last = pad + np.array(shape) - 1
    inside = ((centres >= pad + edge) & (centres <= last - edge)).all(1)
    order = np.argsort(~inside, kind="stable")
    return centres[order], inside[order]


def render(
    scene: Scene,
    motion: Motion,
    seed: np.random.SeedSequence,
    out: NDArray[np.uint16],
    workers: int,
) -> None:
    """Fill ``out`` with frames; each chunk has its own stream of random numbers."""
    p, n_frames = scene.p, len(out)
    n_chunk = max(8, int(2.4e7 / math.prod(scene.canvas)))
    starts = range(0, n_frames, n_chunk)
    seeds = seed.spawn(len(starts))
    view = View(motion, scene.canvas, scene.crop)
    vignette = scene.vignette[scene.crop]

    def render_chunk(k: int) -> None:
        chunk = slice(starts[k], min(n_frames, starts[k] + n_chunk))
        light_seen = np.empty((chunk.stop - chunk.start, *out.shape[1:]), np.float32)
        for i, image in enumerate(_tissue(scene, chunk)):
            view.show(image, chunk.start + i, light_seen[i])
        light_seen *= vignette  # the optics stay where they are, the tissue moves
        light_seen *= scene.trend[chunk].reshape((-1,) + (1,) * (out.ndim - 1))
        out[chunk] = light.detect(np.random.default_rng(seeds[k]), light_seen, p)

    with ThreadPoolExecutor(workers) as executor:
        list(executor.map(render_chunk, range(len(starts))))


def _tissue(scene: Scene, chunk: slice) -> NDArray[np.float32]:
    """Return the whole canvas in the frames of ``chunk``, photons, without motion."""
    images = (
        scene.static[None]
        + (scene.temporal[:, chunk].T @ scene.spatial)
        + (scene.cells @ scene.traces[:, chunk]).T
        + (scene.blurred @ scene.blurred_traces[:, chunk]).T
    )
    n = chunk.stop - chunk.start
    return np.ascontiguousarray(images, np.float32).reshape((n, *scene.canvas))


def make_truth(scene: Scene, motion: Motion, used: dict[str, Any]) -> Truth:
    """Return the truth on the visible part of the canvas."""
    p, inside = scene.p, scene.inside
    visible = np.zeros(scene.canvas, bool)
    visible[scene.crop] = True
    seen = scene.cells.tocsr()[visible.ravel()].tocsc()
    footprints, cut = seen[:, inside], seen[:, ~inside]
    cut = cut[:, np.asarray(cut.sum(0)).ravel() > 3]
    blurred = scene.blurred.tocsr()[visible.ravel()].tocsc()
    vignette = scene.vignette[scene.crop].ravel()
    static = scene.static.reshape(scene.canvas)[scene.crop].ravel()
    variance = static * vignette + 0.125 + (p["read_noise"] / p["gain"]) ** 2
    squared = footprints.copy()
    squared.data = squared.data**2
    traces = scene.traces[inside]
    snr = traces.max(1, initial=0) * np.sqrt(squared.T @ (vignette**2 / variance))
    return Truth(
        footprints=sparse.csc_array(footprints, dtype=np.float32),
        ignored=sparse.csc_array(sparse.hstack([cut, blurred]), dtype=np.float32),
        traces=traces.astype(np.float32),
        spikes=scene.spikes[inside],
        f0=scene.f0[inside],
        snr=snr.astype(np.float32),
        centroids=scene.centres[inside].astype(np.float32),
        tau_s=scene.tau[inside].astype(np.float32),
        shifts=motion.shifts.astype(np.float32),
        field=motion.field.astype(np.float32),
        grid_y=motion.grid_y,
        grid_x=motion.grid_x,
        image_shape=tuple(p["shape"][1:]),
        frame_rate=float(p["fps"]),
        params=used,
    )
