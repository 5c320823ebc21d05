"""The motion correction under many conditions: light, jumps, rows, drift, debris, size.

    python benchmarks/bench_motion_variety.py [--only jumps] [--engine piecewise]

Each line is one movie of known motion corrected by one engine: root mean square and
largest error of a frame (px, up to a constant of each place), how many frames are off
by more than a pixel, and the error of a shift that noise alone allows. Movies are small
(200 to 400 frames), so that all of them take a few minutes.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import ndimage

from motion_cases import PARAMS
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.motion import MotionResult, correct_motion
from napari_mesmerize.simulation.simulate import PRESETS, simulate
from napari_mesmerize.simulation.truth import Truth

PAD = 40  # px around a movie that is rendered here
PHOTONS = ("bg", "cell_f0", "amp")
BRIGHT = 30.0  # times the photons of a scene that is moved and then gets its noise


@dataclass
class Movie:
    """Frames, and how far each row of each frame moved.

    ``places`` are those at which ``moves`` (n_frames, ny, nx, axes) hold; without them
    the same everywhere. ``bad`` frames show nothing and are not scored.
    """

    frames: np.ndarray
    moves: np.ndarray
    places: tuple[np.ndarray, ...] = ()
    bad: tuple[int, ...] = ()


def simulated(
    preset: str,
    motion: str,
    seed: int = 1,
    *,
    shape: tuple[int, ...] = (400, 128, 128),
    light: float = 1.0,
    **override: float,
) -> Movie:
    """A movie of the simulator with other photons, size or optics."""
    facts = PRESETS[preset]
    area = np.prod(shape[1:]) / np.prod(facts["shape"][1:])
    override |= {name: facts[name] * light for name in PHOTONS}
    override.setdefault("n_cells", max(4, round(facts["n_cells"] * area)))
    recording, truth = simulate(preset, motion, seed, shape=shape, **override)
    return Movie(recording.to_numpy(), *moves_of(truth))


def moves_of(truth: Truth) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return the displacements of a simulation and where they hold."""
    if not truth.field.size:
        return truth.shifts[:, None, None], ()
    if len(truth.image_shape) == 2:
        return truth.field, (truth.grid_y, truth.grid_x)
    z = np.broadcast_to(truth.shifts[:, None, :1], (*truth.field.shape[:2], 1))
    planes = np.concatenate([z, truth.field], axis=-1)
    return planes[:, :, None], (np.arange(truth.field.shape[1]), np.zeros(1))


@cache
def scene(preset: str, seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Photons of a bright scene without motion, wider than a movie by ``PAD``."""
    facts = PRESETS[preset]
    wide = (shape[0], *(size + 2 * PAD for size in shape[1:]))
    area = np.prod(wide[1:]) / np.prod(facts["shape"][1:])
    photons = {name: facts[name] * BRIGHT for name in PHOTONS}
    cells = round(facts["n_cells"] * area)
    still = simulate(preset, "none", seed, shape=wide, n_cells=cells, **photons)
    values = still.recording.to_numpy().astype(np.float32)
    return (values - facts["offset"]) / facts["gain"] / BRIGHT


def moved(
    preset: str,
    moves: np.ndarray,
    *,
    size: tuple[int, int] = (128, 128),
    seed: int = 1,
    light: float = 1.0,
) -> Movie:
    """A scene displaced by ``moves`` (n_frames, rows or 1, 2), then given its noise."""
    facts, rng = PRESETS[preset], np.random.default_rng(seed)
    photons = scene(preset, seed, (len(moves), *size))
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32) + PAD
    frames = np.empty((len(moves), *size), np.float32)
    for frame, source, move in zip(frames, photons, moves, strict=True):
        at = [y - move[:, :1], x - move[:, 1:]]
        ndimage.map_coordinates(source, at, output=frame, order=3, mode="nearest")
    counts = rng.poisson(np.maximum(frames * light, 0))
    noisy = counts * facts["gain"] + facts["read_noise"] * rng.normal(size=counts.shape)
    noisy = np.clip(np.rint(noisy + facts["offset"]), 0, 65535).astype(np.uint16)
    if moves.shape[1] == 1:
        return Movie(noisy, moves[:, None])
    return Movie(noisy, moves[:, :, None], (np.arange(size[0]), np.zeros(1)))


def wander(n_frames: int, spread: float = 1.5, seed: int = 1) -> np.ndarray:
    """Jitter and slow motion, (n_frames, 1, 2) px."""
    rng = np.random.default_rng(seed)
    slow = ndimage.gaussian_filter1d(rng.normal(size=(n_frames, 2)), 15, axis=0)
    fast = 0.25 * spread * rng.normal(size=(n_frames, 2))
    return (spread * slow / slow.std() + fast)[:, None]


def jumps(n_frames: int, size: float, length: int, every: int) -> np.ndarray:
    """Wandering with jumps that last ``length`` frames and return."""
    moves, rng = wander(n_frames), np.random.default_rng(5)
    for start in range(every // 2, n_frames - length, every):
        turn = rng.uniform(0, 2 * np.pi)
        step = size * np.array([np.sin(turn), np.cos(turn)])
        moves[start : start + length] += step
    return moves


def steps(n_frames: int, size: float) -> np.ndarray:
    """Wandering with jumps that stay."""
    moves = wander(n_frames)
    for start, sign in ((n_frames // 4, 1), (n_frames // 2, -1), (n_frames // 5, 0.5)):
        moves[start:] += sign * size * np.array([0.8, -0.6])
    return moves


def drift(n_frames: int, size: float) -> np.ndarray:
    """Wandering on top of a drift from one end to the other."""
    ramp = np.linspace(-0.5, 0.5, n_frames)[:, None, None] * size
    return wander(n_frames) + ramp * np.array([0.9, -0.45])


def rows(n_frames: int, size: float, height: int = 128) -> np.ndarray:
    """Motion that goes on while a frame is scanned: rows differ within a frame."""
    rng = np.random.default_rng(7)
    lines = rng.normal(size=(n_frames * height, 2))
    lines = ndimage.gaussian_filter1d(lines, height / 4, axis=0)
    return (size * lines / lines.std()).reshape(n_frames, height, 2)


def row_jumps(n_frames: int, size: float, height: int = 128) -> np.ndarray:
    """Single frames in which the lower rows jump, and back in the next one."""
    moves = np.repeat(wander(n_frames), height, axis=1)
    for start in range(10, n_frames, 20):
        moves[start, height // 2 + start % 20 :] += size * np.array([-0.5, 0.85])
    return moves


def debris(movie: Movie, brightness: float = 5.0) -> Movie:
    """Let a bright blob drift through."""
    n, height, width = movie.frames.shape
    y, x = np.mgrid[:height, :width]
    level = np.median(movie.frames) * brightness
    out = movie.frames.astype(np.float32)
    for t, frame in enumerate(out):
        at_y, at_x = height * (0.2 + 0.6 * t / n), width * (0.1 + 0.8 * (3 * t % n) / n)
        frame += level * np.exp(-((y - at_y) ** 2 + (x - at_x) ** 2) / (2 * 7.0**2))
    return Movie(out, movie.moves, movie.places)


def damaged(movie: Movie, kind: str) -> Movie:
    """Replace some frames by saturated, blank, dark or noisy ones."""
    frames = movie.frames.astype(np.float32)
    bad = tuple(range(7, len(frames), 23))
    rng = np.random.default_rng(3)
    chosen = list(bad)
    if kind == "saturated":
        frames[chosen] = 65535
    elif kind == "blank":
        frames[chosen] = 0
    elif kind == "nan":
        frames[chosen] = np.nan
    elif kind == "flash":
        frames[chosen] *= 8
    else:
        level, spread = frames[0].min(), 0.1 * frames[0].std()
        dark = level + spread * rng.normal(size=frames[chosen].shape)
        frames[chosen] = dark
    return Movie(frames, movie.moves, movie.places, () if kind == "flash" else bad)


def retyped(movie: Movie, kind: str) -> Movie:
    """Give the same frames in other units."""
    values = movie.frames.astype(np.float64)
    low, high = values.min(), np.percentile(values, 99.99)
    if kind == "uint8":
        values = np.clip(255 * (values - low) / (high - low), 0, 255).astype(np.uint8)
    elif kind == "int16, negative":
        values = (values - 900).astype(np.int16)
    elif kind == "float64, tiny":
        values = values * 1e-9
    elif kind == "dF/F":
        values = values / values.mean(axis=0) - 1
    else:
        values = np.minimum(values, np.percentile(values, 99)).astype(np.uint16)
    return Movie(values, movie.moves, movie.places)


def cases() -> Iterator[tuple[str, str, Callable[[], Movie]]]:
    """Yield name, engines, and what makes the movie."""
    for preset in ("2p-small", "1p-small"):
        for light in (1, 1 / 4, 1 / 8, 1 / 16, 1 / 32):
            for kind in ("rigid", "piecewise"):
                yield (
                    f"{preset} {kind}, light x {light:g}",
                    "both" if kind == "rigid" else "piecewise",
                    lambda p=preset, k=kind, f=light: simulated(p, k, light=f),
                )
        for seed in range(2, 6):
            for kind in ("rigid", "piecewise"):
                yield (
                    f"{preset} {kind}, seed {seed}",
                    "both" if kind == "rigid" else "piecewise",
                    lambda p=preset, k=kind, s=seed: simulated(p, k, s),
                )
        for name, moves in (
            ("jumps of 20 px, 1 frame", jumps(300, 20, 1, 20)),
            ("jumps of 30 px, 10 frames", jumps(300, 30, 10, 60)),
            ("jumps of 15 px that stay", steps(300, 15)),
            ("jumps of 35 px that stay", steps(300, 35)),
            ("drift of 30 px", drift(300, 30)),
            ("drift of 60 px", drift(300, 60)),
            ("rows, 1 px", rows(300, 1.0)),
            ("rows, 2 px", rows(300, 2.0)),
            ("row jumps of 6 px", row_jumps(300, 6)),
        ):
            for light in (1, 1 / 8):
                yield (
                    f"{preset} {name}, light x {light:g}",
                    "piecewise" if name.startswith("row") else "both",
                    lambda p=preset, m=moves, f=light: moved(p, m, light=f),
                )
        for kind in ("rigid", "piecewise"):
            engines = "both" if kind == "rigid" else "piecewise"
            for name, change in (
                ("debris", debris),
                *(
                    (f"{what} frames", lambda m, w=what: damaged(m, w))
                    for what in ("saturated", "blank", "nan", "flash", "dark")
                ),
                *(
                    (what, lambda m, w=what: retyped(m, w))
                    for what in ("uint8", "int16, negative", "float64, tiny", "dF/F")
                ),
                ("clipped", lambda m: retyped(m, "clipped")),
            ):
                yield (
                    f"{preset} {kind}, {name}",
                    engines,
                    lambda p=preset, k=kind, c=change: c(simulated(p, k)),
                )
            for size in ((131, 173), (64, 64), (80, 240), (512, 512)):
                n = 100 if size[0] > 300 else 300
                yield (
                    f"{preset} {kind}, {size[0]} x {size[1]}",
                    engines,
                    lambda p=preset, k=kind, s=(n, *size): simulated(p, k, shape=s),
                )
            for fps in (4, 60):
                yield (
                    f"{preset} {kind}, {fps} Hz",
                    engines,
                    lambda p=preset, k=kind, f=fps: simulated(p, k, fps=float(f)),
                )
        yield (
            f"{preset} still",
            "both",
            lambda p=preset: simulated(p, "none"),
        )
        yield (
            f"{preset} still, light x 0.125",
            "both",
            lambda p=preset: simulated(p, "none", light=0.125),
        )
    for kind in ("rigid", "piecewise"):
        yield (
            f"1p-small {kind}, vignette 0.97",
            "both" if kind == "rigid" else "piecewise",
            lambda k=kind: simulated("1p-small", k, vignette=0.97),
        )
    for kind in ("none", "rigid", "piecewise"):
        for seed in (1, 2):
            yield (
                f"3d-small {kind}, seed {seed}",
                "piecewise" if kind == "piecewise" else "both",
                lambda k=kind, s=seed: simulated(
                    "3d-small", k, s, shape=(200, 10, 96, 96)
                ),
            )


def errors_of(result: MotionResult, movie: Movie) -> np.ndarray:
    """Return the root mean square error of each frame, px."""
    if result.field is None or len(movie.places) == 0:
        found = result.shifts if result.field is None else result.field
        true = movie.moves.mean(axis=(1, 2))
        true = true.reshape(len(true), *(1,) * (found.ndim - 2), -1)
        wrong = found + true
    else:
        true = movie.moves
        centres = (
            result.patch_centers[-2:]
            if true.shape[-1] == 2
            else (
                result.patch_centers[0],
                np.zeros(1),
            )
        )
        for axis, (at, places) in enumerate(zip(centres, movie.places, strict=True)):
            true = _interpolated(true, places, at, axis + 1)
        wrong = result.field + (true if true.shape[-1] == 2 else true[:, :, None])
    good = np.setdiff1d(np.arange(len(wrong)), movie.bad)
    wrong = wrong[good]
    wrong = wrong - np.median(wrong, axis=0)
    if wrong.ndim == 2:
        wrong = wrong[:, None]
    elif wrong.ndim == 4:
        wrong = wrong[:, 1:-1, 1:-1].reshape(len(wrong), -1, wrong.shape[-1])
    else:
        wrong = wrong[:, :, 1:-1, 1:-1].reshape(len(wrong), -1, wrong.shape[-1])
    return np.sqrt((wrong**2).sum(axis=-1).mean(axis=1))


def _interpolated(
    values: np.ndarray, places: np.ndarray, at: np.ndarray, axis: int
) -> np.ndarray:
    """Return values between places along an axis: cubic where these are few."""
    if len(places) == 1:
        return np.repeat(values, 1, axis=axis)
    from scipy.interpolate import make_interp_spline

    degree = 3 if len(places) < 60 else 1
    options = {"bc_type": "natural"} if degree == 3 and len(places) > 3 else {}
    if degree == 3 and len(places) <= 3:
        from scipy.interpolate import CubicSpline

        return CubicSpline(places, values, axis=axis, bc_type="natural")(at)
    return make_interp_spline(places, values, k=degree, axis=axis, **options)(at)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="part of the case's name")
    parser.add_argument("--engine", choices=tuple(PARAMS), default="")
    options = parser.parse_args()
    print("| movie | engine | error px | largest px | frames > 1 px | allowed px |")
    print("|---" * 6 + "|")
    for name, engines, make in cases():
        if options.only not in name:
            continue
        movie = make()
        for engine, model in PARAMS.items():
            if engines not in ("both", engine) or options.engine not in ("", engine):
                continue
            result = correct_motion(as_recording(movie.frames), model())
            errors = errors_of(result, movie)
            print(
                f"| {name} | {engine} | {np.sqrt((errors**2).mean()):.4f} | "
                f"{errors.max():.2f} | {int((errors > 1).sum())} | "
                f"{result.quality.expected_error:.3f} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
