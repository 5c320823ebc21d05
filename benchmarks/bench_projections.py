"""Projections beside the rate at which a memory map reads the same bytes.

python benchmarks/bench_projections.py [--megabytes 1024] [--workers 2] [--repeat 5]
    [--folder DIR] [--json]

Once from the disk (the file's pages are dropped from the system's cache before each
turn) and once from the cache. All take turns, each opens the file anew, and the fastest
of each counts. ``memmap_mb_s`` copies batches of frames out of the map. ``share`` is
that of the time that passed; where others use the processors too, ``cpu_share`` says
more: how fast the projection is by the processor time that it took, if each thread has
a core of its own.
"""

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_mesmerize.io import read_recording
from napari_mesmerize.transforms.projections import project

SIDE = 512
CASES = {
    "mean": ("mean",),
    "mean, max, std": ("mean", "max", "std"),
    "with correlation": ("mean", "max", "std", "correlation"),
}


def forget(path: Path) -> None:
    """Drop a file from the system's cache."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
        os.posix_fadvise(number, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(number)


def copy_batches(path: Path) -> None:
    """Copy all frames out of a plain memory map."""
    frames = np.load(path, mmap_mode="r")
    for start in range(0, len(frames), 100):
        np.array(frames[start : start + 100])


def seconds(
    calls: list[Callable[[], object]], prepare: Callable[[], object], repeat: int
) -> list[tuple[float, float]]:
    """Run calls in turns; return the least time and processor time of each."""
    found: list[list[tuple[float, float]]] = [[] for _ in calls]
    for _ in range(repeat):
        for call, mine in zip(calls, found, strict=True):
            prepare()
            begin, cpu = time.perf_counter(), time.process_time()
            call()
            mine.append((time.perf_counter() - begin, time.process_time() - cpu))
    return [(min(t for t, _ in mine), min(c for _, c in mine)) for mine in found]


def measure(
    path: Path, dtype: str, workers: int, repeat: int
) -> list[dict[str, object]]:
    megabytes = path.stat().st_size / 1e6
    results = []
    for place in ("cache", "disk"):
        prepare = (lambda: forget(path)) if place == "disk" else (lambda: None)
        calls: list[Callable[[], object]] = [lambda: copy_batches(path)]
        calls += [
            lambda kinds=kinds: project(read_recording(path), kinds, workers=workers)
            for kinds in CASES.values()
        ]
        (memmap, memmap_cpu), *ours = seconds(calls, prepare, repeat)
        for kinds, (mine, cpu) in zip(CASES, ours, strict=True):
            results.append(
                {
                    "from": place,
                    "dtype": dtype,
                    "kinds": kinds,
                    "memmap_mb_s": megabytes / memmap,
                    "project_mb_s": megabytes / mine,
                    "share": memmap / mine,
                    "cpu_share": memmap_cpu / (cpu / workers),
                }
            )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    results = []
    for dtype in ("uint16", "float32"):
        project(read_recording_of(np.zeros((4, 8, 8), dtype)))  # compiles
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            path = Path(name) / "a.npy"
            frame_bytes = SIDE * SIDE * np.dtype(dtype).itemsize
            n_frames = options.megabytes * 2**20 // frame_bytes
            out = np.lib.format.open_memmap(path, "w+", dtype, (n_frames, SIDE, SIDE))
            some = np.random.default_rng(0).integers(0, 4000, (50, SIDE, SIDE))
            for start in range(0, n_frames, 50):
                out[start : start + 50] = some[: n_frames - start]
            out.flush()
            del out
            results += measure(path, dtype, options.workers, options.repeat)
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for result in results:
        shown = (
            f"{key} {value:.3g}" if isinstance(value, float) else str(value)
            for key, value in result.items()
        )
        print("  ".join(shown))


def read_recording_of(frames: np.ndarray):
    """Return an array as a recording."""
    from napari_mesmerize.data.recording import as_recording

    return as_recording(frames)


if __name__ == "__main__":
    main()
