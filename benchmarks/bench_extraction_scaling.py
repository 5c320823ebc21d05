"""CPU seconds and peak memory of the extraction as recordings grow.

    python benchmarks/bench_extraction_scaling.py --sizes 128x1000 256x1000
    python benchmarks/bench_extraction_scaling.py --profile --sizes 256x1000

Each size runs in a process of its own; the recording lies on disk and is read patch by
patch. A floor is the time of one forward and one inverse single-precision FFT over the
recording, in the same run. Peak memory is what the extraction adds to the program, the
pages of the mapped file left out where the system says how many they are.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

SIZES = ["128x1000", "256x1000", "256x3000", "512x1000", "512x3000"]
CELLS = 400  # of 512 x 512 pixels
FLOOR_FRAMES = 500


class PeakMemory:
    """Watches the memory that is the program's own (no mapped files), in MB."""

    def __init__(self) -> None:
        import psutil

        self._process = psutil.Process()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.start = self.peak = self._now()

    def _now(self) -> float:
        info = self._process.memory_info()
        return (info.rss - getattr(info, "shared", 0)) / 2**20

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, self._now())

    def __enter__(self) -> "PeakMemory":
        self.start = self.peak = self._now()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()


def cpu_seconds() -> float:
    import resource  # Windows has none

    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def floor_seconds(movie) -> float:
    """CPU seconds of rfft2 and irfft2 over the movie, from some of its frames."""
    import scipy.fft

    some = movie[:FLOOR_FRAMES].to_numpy().astype(np.float32)
    seconds = []
    for _ in range(3):
        start = cpu_seconds()
        for first in range(0, len(some), 100):
            part = some[first : first + 100]
            scipy.fft.irfft2(scipy.fft.rfft2(part, workers=1), s=part.shape[1:])
        seconds.append(cpu_seconds() - start)
    return float(np.median(seconds)) * len(movie) / len(some)


def one(folder: Path, workers: int, with_profile: bool) -> None:
    from napari_mesmerize.cnmf import CnmfParams, estimate_memory, extract_components
    from napari_mesmerize.data.recording import as_recording
    from napari_mesmerize.simulation.scores import score_components
    from napari_mesmerize.simulation.simulate import simulate
    from napari_mesmerize.simulation.truth import Truth

    truth = Truth.load(folder / "truth.npz")
    frames = np.load(folder / "movie.npy", mmap_mode="r")
    movie = as_recording(frames, frame_rate=truth.frame_rate)
    params = CnmfParams(cell_diameter=9.2, decay_time_s=0.55)
    small = simulate("2p-small", seed=0, shape=(200, 48, 48), n_cells=5).recording
    extract_components(small, params)  # compiles
    if with_profile:
        profile(movie, params)
        return
    with PeakMemory() as memory:
        start = cpu_seconds()
        components = extract_components(movie, params, workers=workers)
        seconds = cpu_seconds() - start
    scores = score_components(truth, components.select(components.accepted))
    report = {
        "cpu_s": seconds,
        "floors": seconds / floor_seconds(movie),
        "peak_mb": memory.peak - memory.start,
        "estimate_mb": estimate_memory(movie, params, workers=workers) / 2**20,
        "accepted": int(components.accepted.sum()),
        "f1": scores["f1"],
        "trace": scores["trace_corr"],
    }
    print(json.dumps(report))


def profile(movie, params) -> None:
    """Print where the time goes, in one thread."""
    import cProfile
    import pstats

    from napari_mesmerize.cnmf.patches.plan import plan_patches, read_rows
    from napari_mesmerize.cnmf.patches.recipe import extract_patch
    from napari_mesmerize.cnmf.resolve import settings_for
    from napari_mesmerize.compute.resources import one_blas_thread

    settings = settings_for(movie, params)
    patches = plan_patches(movie.shape[1:], settings, params)
    with one_blas_thread(), cProfile.Profile() as profiler:
        for patch in patches:
            rows = read_rows(movie, patch)
            usable = np.ones(len(rows), bool)
            extract_patch(rows, patch.shape, usable, settings, params)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(16)


def run(size: str, workers: int, with_profile: bool) -> str:
    """Simulate a size, extract in a process of its own, return what it printed."""
    from napari_mesmerize.simulation.simulate import simulate

    width, n_frames = (int(part) for part in size.split("x"))
    n_cells = round(CELLS * (width / 512) ** 2)
    shape = (n_frames, width, width)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recording, truth = simulate("2p-large", seed=1, shape=shape, n_cells=n_cells)
        np.save(folder / "movie.npy", recording.to_numpy())
        truth.save(folder / "truth.npz")
        del recording
        words = [sys.executable, __file__, "--workers", str(workers), "--one", name]
        words += ["--profile"] if with_profile else []
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sizes", nargs="+", default=SIZES[:3])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--profile", action="store_true", help="where the time goes")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.one, args.workers, args.profile)
        return
    if args.profile:
        for size in args.sizes:
            print(run(size, args.workers, True))
        return
    print(
        f"{'size':<10} {'CPU s':>7} {'floors':>6} {'peak MB':>8} {'estimate MB':>11} "
        f"{'cells':>6} {'F1':>6} {'trace':>6}"
    )
    for size in args.sizes:
        m = json.loads(run(size, args.workers, False).splitlines()[-1])
        print(
            f"{size:<10} {m['cpu_s']:7.1f} {m['floors']:6.1f} {m['peak_mb']:8.0f} "
            f"{m['estimate_mb']:11.0f} {m['accepted']:6d} {m['f1']:6.3f} "
            f"{m['trace']:6.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
