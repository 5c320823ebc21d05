"""CPU seconds and peak memory of the extraction as recordings grow.

    python benchmarks/bench_extraction_scaling.py --sizes 128x1000 256x2000

Each size runs in a process of its own; the recording lies on disk and is read patch by
patch.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402


def one(path: str, frame_rate: float, workers: int) -> None:
    from napari_mesmerize.cnmf import CnmfParams, estimate_memory, extract_components
    from napari_mesmerize.recording import as_recording

    movie = as_recording(np.load(path, mmap_mode="r"), frame_rate=frame_rate)
    params = CnmfParams(cell_diameter=9.2, decay_time_s=0.55)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    components = extract_components(movie, params, workers=workers)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "cpu_s": usage.ru_utime + usage.ru_stime,
                "peak_mb": usage.ru_maxrss / 1024,
                "start_mb": before / 1024,
                "estimate_mb": estimate_memory(movie, params, workers=workers) / 2**20,
                "accepted": int(components.accepted.sum()),
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sizes", nargs="+", default=["128x1000", "256x2000"])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.one[0], float(args.one[1]), args.workers)
        return
    from napari_mesmerize.simulate import simulate

    print(f"{'size':<12} {'CPU s':>7} {'peak MB':>8} {'estimate MB':>11} {'cells':>6}")
    for size in args.sizes:
        width, n_frames = (int(part) for part in size.split("x"))
        n_cells = round(60 * (width / 128) ** 2)
        shape = (n_frames, width, width)
        recording, truth = simulate("2p-small", seed=1, shape=shape, n_cells=n_cells)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "movie.npy"
            np.save(path, recording.to_numpy())
            done = subprocess.run(
                [
                    sys.executable,
                    __file__,
                    "--workers",
                    str(args.workers),
                    "--one",
                    str(path),
                    str(truth.frame_rate),
                ],
                capture_output=True,
                text=True,
                check=True,
            )
        m = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{size:<12} {m['cpu_s']:7.1f} {m['peak_mb']:8.0f} "
            f"{m['estimate_mb']:11.0f} {m['accepted']:6d}",
            flush=True,
        )


if __name__ == "__main__":
    main()
