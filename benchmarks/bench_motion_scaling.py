"""How CPU time and memory of the motion correction grow with frames and size.

    python benchmarks/bench_motion_scaling.py [--engine piecewise] [--quick]

Each case runs in a process of its own, on one tile of simulated tissue that is repeated
and moved, streaming to a temporary Zarr store with at most 512 MiB.
"""

import argparse
import json
import subprocess
import sys
import tempfile

import numpy as np

from motion_cases import PARAMS, cpu_of, cpu_seconds, fft_floor
from napari_mesmerize.compute.resources import measure
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.motion import correct_motion
from napari_mesmerize.simulation.simulate import simulate

MAX_MEMORY = 2**29
FRAMES = [(1000, 128), (5000, 128), (20_000, 128)]
SIZES = [(500, 128), (500, 256), (500, 512), (250, 1024)]


class Tiled:
    """Frames that repeat a few simulated ones, tiled to any size; nothing is kept."""

    def __init__(self, n_frames: int, side: int) -> None:
        tile = simulate("2p-small", "rigid", 1, shape=(200, 128, 128)).recording
        self._tile = tile.to_numpy()
        self._times = -(-side // 128)
        self.shape = (n_frames, side, side)
        self.dtype = np.dtype("uint16")

    def __getitem__(self, frames: slice) -> np.ndarray:
        chosen = self._tile[np.arange(self.shape[0])[frames] % len(self._tile)]
        side = self.shape[1]
        return np.tile(chosen, (1, self._times, self._times))[:, :side, :side]


def run_one(engine: str, n_frames: int, side: int) -> dict[str, float]:
    """Correct one recording in this process."""
    recording = as_recording(Tiled(n_frames, side))
    params = PARAMS[engine]()
    correct_motion(recording[:70], params)
    floor = fft_floor(recording[:200].to_numpy()) * n_frames / 200
    reading, _ = cpu_of(lambda: [recording[k : k + 50].to_numpy() for k in (0, 50)])
    with tempfile.TemporaryDirectory() as folder, measure("motion") as usage:
        start = cpu_seconds()
        out = f"{folder}/out.zarr"
        correct_motion(recording, params, out=out, max_memory=MAX_MEMORY)
        seconds = cpu_seconds() - start
    return {
        "cpu_s": seconds,
        "wall_s": usage.seconds,
        "floor_s": floor,
        "reading_s": 2 * reading * n_frames / 100,
        "peak_mb": usage.peak_bytes / 2**20,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engine", choices=tuple(PARAMS), default="rigid")
    parser.add_argument("--quick", action="store_true", help="leave out the largest")
    parser.add_argument("--one", type=int, nargs=2, help="frames and side, as JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run_one(options.engine, *options.one)))
        return
    cases = [*FRAMES[:2], *SIZES[:3]] if options.quick else [*FRAMES, *SIZES]
    print("| frames | side px | CPU s | wall s | floors | of them reading | peak MB |")
    print("|---" * 7 + "|")
    for n_frames, side in cases:
        command = [sys.executable, __file__, "--engine", options.engine, "--one"]
        done = subprocess.run(
            [*command, str(n_frames), str(side)],
            capture_output=True,
            text=True,
            check=True,
        )
        found = json.loads(done.stdout)
        floor = found["floor_s"]
        print(
            f"| {n_frames} | {side} | {found['cpu_s']:.1f} | {found['wall_s']:.1f} | "
            f"{found['cpu_s'] / floor:.1f} | {found['reading_s'] / floor:.1f} | "
            f"{found['peak_mb']:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
