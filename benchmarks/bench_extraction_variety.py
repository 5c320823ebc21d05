"""Accuracy of the extraction on movies of many kinds, with known truth.

    python benchmarks/bench_extraction_variety.py
    python benchmarks/bench_extraction_variety.py --only "1p" --seeds 41 42

Kinetics, frame rates, cell sizes, densities, brightness, shapes (lobed, long, with
dendrites, thin segments) and backgrounds (fine, fast, flickering, lines, vessels)
change one at a time. ``oracle`` is the F1 that the same candidates would reach with a
perfect acceptance: what lies between is the acceptance's loss, what lies above it is
the detection's.
"""

import argparse
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from bench_extraction import cpu_seconds, params_of, warm_up
from napari_mesmerize.cnmf import extract_components
from napari_mesmerize.data.matching import iou_matrix, match
from napari_mesmerize.data.recording import lazy_recording
from napari_mesmerize.simulation import light as light
from napari_mesmerize.simulation import neurons as cells
from napari_mesmerize.simulation.movement import draw_motion
from napari_mesmerize.simulation.scene import (
    Scene,
    make_scene,
    make_truth,
    render,
)
from napari_mesmerize.simulation.scores import score_components
from napari_mesmerize.simulation.simulate import PRESETS, Simulation


def _grid(centre, shape, reach):
    y0, x0 = (round(float(c)) for c in centre)
    y, x = np.mgrid[y0 - reach : y0 + reach + 1, x0 - reach : x0 + reach + 1]
    return y - centre[0], x - centre[1], y, x


def _column(body, y, x, shape, psf):
    body = gaussian_filter(body, psf)
    body = body / body.max()
    ok = (body > 0.05) & (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
    pixels = (y[ok] * shape[1] + x[ok]).astype(np.int64)
    return pixels, body[ok].astype(np.float32)


def lobed(rng, p, centre, shape, radius):
    """A body with deep lobes, no two alike."""
    dy, dx, y, x = _grid(centre, shape, int(3 * radius) + 4)
    theta = np.arctan2(dy, dx)
    outline = radius * np.ones_like(theta)
    for k in (2, 3, 4, 5):
        outline *= 1 + rng.normal(0, 0.16) * np.cos(k * theta + rng.uniform(0, 6.3))
    body = 1 / (1 + np.exp((np.hypot(dy, dx) - outline) / 0.45))
    return _column(body, y, x, shape, p["psf"])


def long(rng, p, centre, shape, radius):
    """An ellipse with axes 2 : 1."""
    dy, dx, y, x = _grid(centre, shape, int(3 * radius) + 4)
    a = rng.uniform(0, np.pi)
    along = (dy * np.sin(a) + dx * np.cos(a)) / 1.41
    across = (dy * np.cos(a) - dx * np.sin(a)) * 1.41
    body = 1 / (1 + np.exp((np.hypot(along, across) - radius) / 0.45))
    return _column(body, y, x, shape, p["psf"])


def _process(rng, dy, dx, length, width):
    """A thin curved process that starts at the origin."""
    a, out = rng.uniform(0, 2 * np.pi), np.zeros(dy.shape)
    cy = cx = 0.0
    for _ in range(int(2 * length)):
        a += rng.normal(0, 0.08)
        cy, cx = cy + 0.5 * np.sin(a), cx + 0.5 * np.cos(a)
        out = np.maximum(
            out, np.exp(-0.5 * ((dy - cy) ** 2 + (dx - cx) ** 2) / width**2)
        )
    return out


def dendritic(rng, p, centre, shape, radius):
    """A body with two or three dendrites, half as bright, three radii long."""
    dy, dx, y, x = _grid(centre, shape, int(4.5 * radius) + 4)
    body = 1 / (1 + np.exp((np.hypot(dy, dx) - 0.9 * radius) / 0.45))
    for _ in range(rng.integers(2, 4)):
        body = np.maximum(body, 0.5 * _process(rng, dy, dx, 3 * radius, 1.0))
    return _column(body, y, x, shape, p["psf"])


def segment(rng, p, centre, shape, radius):
    """A stretch of dendrite without a body."""
    dy, dx, y, x = _grid(centre, shape, int(4.5 * radius) + 4)
    return _column(_process(rng, dy, dx, 3 * radius, 1.3), y, x, shape, p["psf"])


def fine(rng, scene: Scene) -> Scene:
    """Background that changes over short distances."""
    still = scene.static.reshape(scene.canvas)
    images = [light.smooth_image(rng, scene.canvas, 9.0) for _ in scene.spatial]
    spatial = [(np.maximum(i + 0.3, 0) * still).ravel() for i in images]
    return replace(scene, spatial=np.array(spatial, np.float32))


def fast(rng, scene: Scene) -> Scene:
    """Background that changes within a third of a second."""
    n, n_frames = scene.temporal.shape
    courses = light.wander(rng, n_frames, 0.3 * scene.p["fps"], n)
    spread = scene.temporal.std(axis=1, keepdims=True)
    return replace(scene, temporal=(courses * spread).astype(np.float32))


def flicker(rng, scene: Scene) -> Scene:
    """A lamp that flickers by 1 %, and strong bleaching."""
    n = len(scene.trend)
    trend = scene.trend * (1 + 0.01 * rng.standard_normal(n))
    trend *= np.exp(-0.7 * np.arange(n) / n)
    return replace(scene, trend=trend.astype(np.float32))


def pulse(rng, scene: Scene) -> Scene:
    """Vessels that pulsate, slowly and with the heart."""
    p, n = scene.p, scene.temporal.shape[1]
    vessels = 1 - light._vessels(rng, scene.canvas, 8, 2.0)
    seconds = np.arange(n) / p["fps"]
    course = np.sin(2 * np.pi * 0.3 * seconds) + 0.5 * np.sin(2 * np.pi * 7 * seconds)
    course += gaussian_filter1d(rng.standard_normal(n), p["fps"]) * 2
    image = (vessels * scene.static.reshape(scene.canvas) * 0.1).ravel()
    return replace(
        scene,
        spatial=np.concatenate([scene.spatial, image[None].astype(np.float32)]),
        temporal=np.concatenate([scene.temporal, course[None].astype(np.float32)]),
    )


SHAPES = {"lobed": lobed, "long": long, "dendritic": dendritic, "segment": segment}
BACKGROUNDS = {"fine": fine, "fast": fast, "flicker": flicker, "pulse": pulse}


def simulate_variant(
    preset: str,
    seed: int,
    *,
    shapes: str = "",
    background: str = "",
    lines: float = 0.0,
    motion: str = "none",
    **override,
) -> Simulation:
    """Make a recording as :func:`napari_mesmerize.simulate`, and change it.

    ``shapes`` and ``background`` name the functions above; ``lines`` adds noise that
    all pixels of a line share, in units of a pixel's own noise.
    """
    p = {**PRESETS[preset], **override}
    streams = [np.random.default_rng([seed, k, 77]) for k in range(6)]
    space, act, back, move, own, noise = streams
    scene = make_scene(space, act, back, p, False)
    if shapes:
        scene = _reshape(own, scene, SHAPES[shapes])
    if background:
        scene = BACKGROUNDS[background](own, scene)
    drawn = draw_motion(move, motion, p, p["shape"][0], p["shape"][1:])
    out = np.empty(p["shape"], np.uint16)
    render(scene, drawn, np.random.SeedSequence([seed, 78]), out, 1)
    if lines:
        spread = np.diff(out[:, ::4, ::4].astype(np.float32), axis=0).std() / 1.41
        offsets = noise.normal(0, lines * spread, (*out.shape[:2], 1))
        out = np.clip(out + offsets, 0, 65535).astype(np.uint16)
    recording = lazy_recording(out, name="variant", frame_rate=p["fps"])
    return Simulation(recording, make_truth(scene, drawn, p))


def _reshape(rng, scene: Scene, shape_of: Callable) -> Scene:
    margin = np.array([s.start for s in scene.crop])
    radii = scene.p["radius"] * np.clip(
        rng.normal(1, 0.1, len(scene.centres)), 0.75, 1.3
    )
    columns = [
        shape_of(rng, scene.p, centre, scene.canvas, radius)
        for centre, radius in zip(scene.centres + margin, radii, strict=True)
    ]
    footprints = cells.footprint_matrix(columns, scene.cells.shape[0])
    static = scene.static + (footprints - scene.cells) @ scene.f0
    return replace(scene, cells=footprints, static=static.astype(np.float32))


def movies() -> dict[str, tuple[str, dict]]:
    """Return name -> (preset, changes)."""
    found: dict[str, tuple[str, dict]] = {}
    fast_2p = {"fps": 60.0, "tau_decay": 0.15, "tau_rise": 0.02, "n_cells": 34}
    for kind, shape in (("2p", (2000, 96, 96)), ("1p", (2000, 96, 96))):
        small = f"{kind}-small"
        add = {
            "tau 0.15 s, 60 Hz": {**fast_2p, "shape": shape},
            "tau 1.2 s, 30 Hz": {"fps": 30.0, "tau_decay": 1.2, "tau_rise": 0.15},
            "tau 2 s, 4 Hz": {"fps": 4.0, "tau_decay": 2.0, "tau_rise": 0.2},
            "radius 3": {"radius": 3.0, "n_cells": 90},
            "radius 9": {"radius": 9.0, "n_cells": 20},
            "few cells": {"n_cells": 14},
            "many cells": {"n_cells": 105 if kind == "2p" else 75},
            "bright": {"amp": 6.0 if kind == "2p" else 30.0},
            "weak": {"amp": 1.5 if kind == "2p" else 8.0},
            "more neuropil": {"neuropil": 0.5 if kind == "2p" else 0.15},
            "lines": {"lines": 0.1},
            **{name: {"shapes": name} for name in SHAPES},
            **{f"{name} background": {"background": name} for name in BACKGROUNDS},
        }
        found |= {f"{kind} {name}": (small, change) for name, change in add.items()}
    return found


def oracle(truth, components) -> float:
    """Return the F1 of these candidates if only the right ones were accepted."""
    pairs, _ = match(iou_matrix(truth.footprints, components.footprints), 0.3)
    recall = len(pairs) / truth.footprints.shape[1]
    return 2 * recall / (1 + recall)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", default="", help="regular expression for the names")
    parser.add_argument("--seeds", nargs="+", type=int, default=[41])
    args = parser.parse_args()
    warm_up()
    print(
        f"{'movie':<26} {'seed':>4} {'F1':>6} {'P':>6} {'R':>6} {'oracle':>6} "
        f"{'trace':>6} {'spikes':>6} {'CPU s':>6}"
    )
    figures = []
    for name, (preset, change) in movies().items():
        if not re.search(args.only, name):
            continue
        for seed in args.seeds:
            recording, truth = simulate_variant(preset, seed, **change)
            start = cpu_seconds()
            found = extract_components(recording, params_of(truth), workers=1)
            seconds = cpu_seconds() - start
            m = score_components(truth, found.select(found.accepted))
            best = oracle(truth, found)
            figures.append((m["f1"], best))
            print(
                f"{name:<26} {seed:>4} {m['f1']:6.3f} {m['precision']:6.3f} "
                f"{m['recall']:6.3f} {best:6.3f} {m.get('trace_corr', 0):6.3f} "
                f"{m.get('spike_corr', 0):6.3f} {seconds:6.1f}",
                flush=True,
            )
    f1, best = np.array(figures).T
    print(f"mean F1 {f1.mean():.3f}, least {f1.min():.3f}, oracle {best.mean():.3f}")


if __name__ == "__main__":
    main()
