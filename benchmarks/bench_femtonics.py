"""Femtonics .mesc and .mes: ours beside h5py and SciPy, and beside a memory map.

python benchmarks/bench_femtonics.py [--frames 400] [--gigabytes 10] [--folder DIR]
    [--json]

Each runs seven times in turns, and the fastest counts, since others share the machine.
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import h5py
import numpy as np
from scipy.io import loadmat, savemat

SIDE = 512
UNIT = "MSession_0/MUnit_0"

OPEN = """
import json, sys, time, warnings
import psutil
from napari_mesmerize.io import read_recording
from napari_mesmerize.data.recording import LayerArray

warnings.simplefilter("ignore")
read_recording(sys.argv[2])[0].to_numpy()  # imports
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
    """Read parts of an array one after the other, all of their bytes.

    None is kept while the next is read, so that its memory serves again.
    """
    for key in keys:
        block = array[key]
        if not block.flags.writeable:  # still in the mapped file
            block = block.copy()
        del block


class Converted:
    """What h5py reads, converted as the file says."""

    def __init__(self, data, scale, offset):
        self.data, self.scale, self.offset = data, scale, offset

    def __getitem__(self, key):
        values = np.float32(self.scale) * self.data[key]
        return values + np.float32(self.offset)


def text(content):
    return np.array([*content.encode("latin-1"), 0], np.uint8)


def describe(unit, scale, offset):
    unit.attrs["VecChannelsSize"] = np.uint32(1)
    unit.attrs["Channel_0_Name"] = text("UG")
    unit.attrs["ZAxisConversionConversionLinearScale"] = 32.0
    unit.attrs["ZAxisConversionUnitName"] = text("ms")
    if scale is not None:
        unit.attrs["Channel_0_Conversion_ConversionLinearScale"] = scale
        unit.attrs["Channel_0_Conversion_ConversionLinearOffset"] = offset


def write_mesc(path, frames, *, scale=None, offset=None, **options):
    with h5py.File(path, "w") as file:
        unit = file.create_group(UNIT)
        describe(unit, scale, offset)
        unit.create_dataset("Channel_0", data=frames, **options)


def write_sparse_mesc(path, n_bytes):
    """Write a file whose frames take no space on the disk."""
    shape = (n_bytes // (SIDE * SIDE * 2), SIDE, SIDE)
    with h5py.File(path, "w") as file:
        unit = file.create_group(UNIT)
        describe(unit, 1.0, -786.0)
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple(shape)
        kind = h5py.h5t.STD_U16LE
        h5py.h5d.create(unit.id, b"Channel_0", kind, space, plan)


def record(n_frames):
    """Return the variable that describes a folded movie."""
    row = np.empty(
        (1, 1), [(k, object) for k in ("Channel", "IMAGE", "FoldedFrameInfo")]
    )
    row[0, 0] = (
        "pmtUG",
        "If0001_0001",
        {
            "firstFramePos": 1.0,
            "numFrames": float(n_frames),
            "numFrameLines": float(SIDE),
            "firstFrameStartTime": 0.0,
            "frameTimeLength": 32.0,
        },
    )
    return row


def write_mes(path, frames, *, compress):
    page = frames.reshape(-1, SIDE).T
    content = {"Df0001": record(len(frames)), "If0001_0001": page}
    savemat(path, content, appendmat=False, do_compression=compress)


def write_sparse_mes(path, n_bytes):
    """Write pages of 2 GB, the most that the format holds, that take no space."""
    savemat(path, {"Df0001": record(4000)}, appendmat=False)
    n_lines = 4000 * SIDE
    size = n_lines * SIDE * 2
    with path.open("r+b") as stream:
        for i in range(max(1, n_bytes // size)):
            name = f"If{i + 1:04d}_0001".encode().ljust(16, b"\0")
            head = struct.pack("<IIIIIIii", 6, 8, 11, 0, 5, 8, SIDE, n_lines)
            head += struct.pack("<II", 1, 11) + name + struct.pack("<II", 4, size)
            stream.seek(0, 2)
            stream.write(struct.pack("<II", 14, len(head) + size) + head)
            stream.truncate(stream.tell() + size)


def measure_mesc(folder, frames):
    """Return figures of each way in which frames are stored."""
    from napari_mesmerize.data.recording import LayerArray
    from napari_mesmerize.io import read_recording

    whole = (1, SIDE, SIDE)
    kinds = {
        "contiguous": {},
        "contiguous, pedestal": {"scale": 1.0, "offset": -786.0},
        "contiguous, inverted": {"scale": -1.0, "offset": 65535.0},
        "chunked": {"chunks": whole},
        "gzip": {"chunks": whole, "compression": "gzip", "compression_opts": 1},
    }
    rng = np.random.default_rng(0)
    order = rng.integers(0, len(frames), 100).tolist()
    plain_path = folder / "plain.npy"
    np.save(plain_path, frames)
    plain = np.load(plain_path, mmap_mode="r")
    parts = [slice(i, i + 50) for i in range(0, len(frames), 50)]
    every = range(len(frames))
    results = []
    for kind, options in kinds.items():
        path = folder / "m.mesc"
        write_mesc(path, frames, **options)
        recording = read_recording(path)
        layer = LayerArray(recording)
        alone, single = fastest(
            lambda: take(plain, every), lambda r=layer: take(r, every)
        )
        memmap, batches = fastest(
            lambda: take(plain, parts), lambda r=layer: take(r, parts)
        )
        scale, offset = options.get("scale"), options.get("offset")
        with h5py.File(path) as file:
            data = file[f"{UNIT}/Channel_0"]
            same = data if scale is None else Converted(data, scale, offset)
            ours, theirs, alike = fastest(
                lambda r=layer: take(r, order),
                lambda d=data: take(d, order),
                lambda d=same: take(d, order),
            )
        results.append(
            {
                "mesc": kind,
                "random_ms": 10 * ours,
                "h5py_random_ms": 10 * theirs,
                "h5py_and_conversion_random_ms": 10 * alike,
                "batches_of_memmap": memmap / batches,
                "frames_of_memmap": alone / single,
            }
        )
        path.unlink()
    return results


def measure_mes(folder, frames):
    """Return figures of compressed and plain files."""
    from napari_mesmerize.io import read_recording

    results = []
    for compress in (False, True):
        path = folder / "m.mes"
        write_mes(path, frames, compress=compress)

        def ours(path=path):
            recording = read_recording(path)
            return [recording[i].to_numpy() for i in (0, len(frames) - 1)]

        def theirs(path=path):
            return loadmat(path, appendmat=False, variable_names=["If0001_0001"])

        assert np.array_equal(ours()[1], frames[-1])
        mine, scipys = fastest(ours, theirs)
        results.append(
            {
                "mes": "compressed" if compress else "plain",
                "two_frames_s": mine,
                "scipy_load_s": scipys,
            }
        )
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--gigabytes", type=float, default=10)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    frames = np.random.default_rng(0).integers(
        800, 4096, (options.frames, SIDE, SIDE), np.uint16
    )
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        results = measure_mesc(folder, frames) + measure_mes(folder, frames[:100])
        for suffix, write in ((".mesc", write_sparse_mesc), (".mes", write_sparse_mes)):
            warm, large = folder / f"warm{suffix}", folder / f"large{suffix}"
            if suffix == ".mesc":
                write_mesc(warm, frames[:2])
            else:
                write_mes(warm, frames[:2], compress=False)
            write(large, int(options.gigabytes * 1e9))
            said = subprocess.run(
                [sys.executable, "-c", OPEN, str(large), str(warm)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            results.append(
                {"open": suffix, "gigabytes": large.stat().st_size / 1e9}
                | json.loads(said.splitlines()[-1])
            )
    if options.json:
        print(json.dumps(results))
        return
    for figures in results:
        shown = (
            f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}"
            for key, value in figures.items()
        )
        print("  ".join(shown))


if __name__ == "__main__":
    main()
