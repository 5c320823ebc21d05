"""Inscopix .isxd: ours beside the vendor's library ``isx``.

python benchmarks/bench_isxd.py [--isx PYTHON] [--frames 400] [--folder DIR] [--json]

``--isx`` is the interpreter of an environment into which the vendor's library is
installed; without it only our own figures are measured. Both write and read the same
frames in the same run, reading seven times; the fastest run counts, since others share
the machine. Every frame that the one library writes is compared with what the other
reads.
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SHAPE = (300, 400)
DTYPES = ("uint16", "float32")

VENDOR = """
import json, sys, time
import numpy as np
import isx

job = json.loads(sys.argv[1])
if job["do"] == "write":
    frames = np.load(job["frames"], mmap_mode="r")
    timing = isx.Timing(
        num_samples=len(frames), period=isx.Duration.from_msecs(50)
    )
    spacing = isx.Spacing(num_pixels=frames.shape[1:])
    begin = time.perf_counter()
    movie = isx.Movie.write(job["path"], timing, spacing, frames.dtype.type)
    for i, frame in enumerate(frames):
        movie.set_frame_data(i, np.ascontiguousarray(frame))
    movie.flush()
    print(json.dumps({"seconds": time.perf_counter() - begin}))
else:
    frames = np.load(job["frames"], mmap_mode="r")
    movie = isx.Movie.read(job["path"])
    order = job["order"]
    wrong = sum(
        not np.array_equal(movie.get_frame_data(i), frames[i]) for i in order
    )
    seconds = []
    for _ in range(7):
        begin = time.perf_counter()
        for i in order:
            movie.get_frame_data(i)
        seconds.append(time.perf_counter() - begin)
    print(json.dumps({"seconds": min(seconds), "wrong": wrong}))
"""

OPEN = """
import json, sys, time
import psutil
from napari_mesmerize.io import read_recording
from napari_mesmerize.data.recording import LayerArray

read_recording(sys.argv[2])[0].assign_coords(time_s=0.0).to_numpy()  # imports
before = psutil.Process().memory_info().rss
begin = time.perf_counter()
recording = read_recording(sys.argv[1])
opened = time.perf_counter() - begin
layer = LayerArray(recording)
begin = time.perf_counter()
layer[len(layer) // 2]
print(json.dumps({
    "open_s": opened,
    "first_frame_s": time.perf_counter() - begin,
    "memory_mb": (psutil.Process().memory_info().rss - before) / 1e6,
    "shape": recording.shape,
}))
"""


def fastest(*functions):
    """Run functions in turns, seven times; return the time of the fastest of each."""
    seconds = [[] for _ in functions]
    for _ in range(7):
        for function, mine in zip(functions, seconds, strict=True):
            begin = time.perf_counter()
            function()
            mine.append(time.perf_counter() - begin)
    return [min(mine) for mine in seconds]


def take(array, keys):
    """Read parts of an array one after the other, all of their bytes."""
    for key in keys:
        np.array(array[key])


def ask(python, program, *arguments):
    """Run a program in another interpreter; return the JSON that it prints last."""
    done = subprocess.run(
        [python, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(folder, dtype, n_frames, isx):
    """Return figures of writing and reading one type of pixel."""
    from napari_mesmerize.data.recording import LayerArray, as_recording
    from napari_mesmerize.io import read_recording
    from napari_mesmerize.io.inscopix.write import write_movie

    rng = np.random.default_rng(0)
    frames = rng.integers(0, 4096, (n_frames, *SHAPE)).astype(dtype)
    source = folder / f"{dtype}.npy"
    np.save(source, frames)
    ours, theirs = folder / f"ours_{dtype}.isxd", folder / f"theirs_{dtype}.isxd"
    recording = as_recording(frames, frame_rate=20.0)
    order = rng.integers(0, n_frames, n_frames).tolist()
    result = {"dtype": dtype, "frames": n_frames}
    (seconds,) = fastest(lambda: write_movie(recording, ours, overwrite=True))
    result["write_ms"] = 1e3 * seconds / n_frames
    mapped = np.load(source, mmap_mode="r")
    layer = LayerArray(read_recording(ours))
    every = range(n_frames)
    parts = [slice(i, i + 50) for i in range(0, n_frames, 50)]
    for name, keys in (("frames", every), ("batches", parts)):
        plain, copied = fastest(
            lambda keys=keys: take(mapped, keys), lambda keys=keys: take(layer, keys)
        )
        result[f"{name}_of_memmap"] = plain / copied
        if name == "frames":
            result["sequential_ms"] = 1e3 * copied / n_frames
    (seconds,) = fastest(lambda: take(layer, order))
    result["random_ms"] = 1e3 * seconds / n_frames
    if isx:
        few = folder / "few.npy"
        np.save(few, frames[:60])
        job = {"do": "write", "frames": str(few), "path": str(theirs)}
        seconds = ask(isx, VENDOR, json.dumps(job))["seconds"]
        result["isx_write_ms"] = 1e3 * seconds / 60
        assert np.array_equal(read_recording(theirs).to_numpy(), frames[:60])
        job = {"do": "read", "frames": str(source), "path": str(ours)}
        for name, which in (("random", order), ("sequential", list(range(n_frames)))):
            said = ask(isx, VENDOR, json.dumps({**job, "order": which}))
            assert said["wrong"] == 0
            result[f"isx_{name}_ms"] = 1e3 * said["seconds"] / n_frames
        result["write_times_faster"] = result["isx_write_ms"] / result["write_ms"]
        result["random_times_faster"] = result["isx_random_ms"] / result["random_ms"]
    return result


def write_sparse(path, n_bytes, *, headers):
    """Write a movie of which only the footer (and time stamps) take space."""
    frame = SHAPE[0] * SHAPE[1] * 2 + (2 * 5120 if headers else 0)
    n_frames = n_bytes // frame
    footer = {
        "dataType": 0,
        "fileVersion": 1,
        "type": 0,
        "hasFrameHeaderFooter": headers,
        "extraProperties": {"producer": {"version": "1.8.2"}} if headers else None,
        "producer": {"name": "isxcore", "version": [2, 0, 1]},
        "spacingInfo": {"numPixels": {"x": SHAPE[1], "y": SHAPE[0]}},
        "timingInfo": {
            "numTimes": n_frames,
            "period": {"num": 1, "den": 20},
            "start": {"secsSinceEpoch": {"num": 1700000000, "den": 1}, "utcOffset": 0},
        },
    }
    text = json.dumps(footer).encode()
    with path.open("wb") as stream:
        for i in range(n_frames if headers else 0):
            words = [((50_000 * (i + 1)) >> (8 * b) & 0xFF) << 4 for b in range(8)]
            stream.seek(i * frame + 2 * 1272)
            stream.write(struct.pack("<8H", *words))
        stream.seek(n_frames * frame)
        stream.write(text + b"\0" + struct.pack("<Q", len(text)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--isx", help="interpreter that has the vendor's library")
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--gigabytes", type=float, default=10)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {"movies": [], "open": {}}
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        for dtype in DTYPES:
            results["movies"].append(
                measure(folder, dtype, options.frames, options.isx)
            )
        warm = folder / "ours_uint16.isxd"
        for headers in (False, True):
            path = folder / f"sparse_{headers}.isxd"
            write_sparse(path, int(options.gigabytes * 1e9), headers=headers)
            kind = "with headers" if headers else "bare"
            results["open"][kind] = ask(sys.executable, OPEN, str(path), str(warm))
    if options.json:
        print(json.dumps(results))
        return
    for figures in [*results["movies"], *results["open"].values()]:
        shown = (
            f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}"
            for key, value in figures.items()
        )
        print("  ".join(shown))


if __name__ == "__main__":
    main()
