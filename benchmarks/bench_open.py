"""Opening containers of 10 GB: time, memory, and the cost of a frame step.

python benchmarks/bench_open.py [--gigabytes 10] [--folder DIR] [--json]

Makes sparse files (they hold no real pixels and need little disk), opens each in a
process of its own, and compares a random frame of TIFFs through ``LayerArray`` with
``tifffile.memmap``. ``bench_femtonics.py`` and ``bench_isxd.py`` do the same for their
formats.
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import zarr
from scipy.io import savemat

SIDE = 512
PAGE = SIDE * SIDE * 2


def write_multipage(path: Path, n_pages: int) -> None:
    """Write a BigTIFF, header and pixels of a page after one another, as cameras do."""
    tags = [
        (256, 3, 1, SIDE), (257, 3, 1, SIDE), (258, 3, 1, 16), (259, 3, 1, 1),
        (262, 3, 1, 1), (273, 16, 1, 0), (277, 3, 1, 1), (278, 3, 1, SIDE),
        (279, 16, 1, PAGE),
    ]  # fmt: skip
    n_header = 8 + 20 * len(tags) + 8
    step = n_header + 4 + PAGE  # 4: keeps pixels aligned
    with path.open("wb") as stream:
        stream.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16))
        for i in range(n_pages):
            at = 16 + i * step
            stream.seek(at)
            header = struct.pack("<Q", len(tags))
            for code, kind, count, value in tags:
                value = at + n_header + 4 if code == 273 else value
                header += struct.pack("<HHQQ", code, kind, count, value)
            stream.write(
                header + struct.pack("<Q", at + step if i + 1 < n_pages else 0)
            )
        stream.truncate(16 + n_pages * step)


def write_imagej(path: Path, n_pages: int) -> None:
    """Write an ImageJ stack of more than 4 GB: one header, pixels in one piece."""
    text = (
        f"ImageJ=1.54f\nimages={n_pages}\nframes={n_pages}\nfinterval=0.033\n".encode()
    )
    text += b"\x00"
    tags = [
        (256, 3, 1, SIDE), (257, 3, 1, SIDE), (258, 3, 1, 16), (259, 3, 1, 1),
        (262, 3, 1, 1), (270, 2, len(text), 400), (273, 4, 1, 512), (277, 3, 1, 1),
        (278, 3, 1, SIDE), (279, 4, 1, PAGE),
    ]  # fmt: skip
    with path.open("wb") as stream:
        stream.write(struct.pack(">2sHI", b"MM", 42, 8) + struct.pack(">H", len(tags)))
        for code, kind, count, value in tags:
            short = kind == 3
            stream.write(struct.pack(">HHI", code, kind, count))
            stream.write(
                struct.pack(
                    ">HH" if short else ">I", *([value, 0] if short else [value])
                )
            )
        stream.write(struct.pack(">I", 0))
        stream.seek(400)
        stream.write(text)
        stream.truncate(512 + n_pages * PAGE)


def write_npy(path: Path, n_pages: int) -> None:
    shape = (n_pages, SIDE, SIDE)
    np.lib.format.open_memmap(path, "w+", np.uint16, shape)


def write_hdf5(path: Path, n_pages: int, name: str = "mov") -> None:
    with h5py.File(path, "w") as file:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple((n_pages, SIDE, SIDE))
        group, _, last = name.rpartition("/")
        where = file.require_group(group) if group else file
        where.attrs["neurodata_type"] = "TwoPhotonSeries"
        kind = h5py.h5t.STD_U16LE
        h5py.h5d.create(where.id, last.encode(), kind, space, plan)


def write_nwb(path: Path, n_pages: int) -> None:
    write_hdf5(path, n_pages, "acquisition/movie/data")


def write_scanbox(path: Path, n_pages: int) -> None:
    with path.open("wb") as stream:
        stream.truncate(n_pages * PAGE)
    info = {"sz": [SIDE, SIDE], "channels": 2, "resfreq": 8000.0, "scanmode": 1}
    savemat(path.with_suffix(".mat"), {"info": info})


def write_zarr(path: Path, n_pages: int) -> None:
    shape = (n_pages, SIDE, SIDE)
    zarr.create_array(path, shape=shape, chunks=(8, SIDE, SIDE), dtype="u2")


CASES: dict[str, Callable[[Path, int], None]] = {
    "multipage.tif": write_multipage,
    "imagej.tif": write_imagej,
    "a.npy": write_npy,
    "a.h5": write_hdf5,
    "a.nwb": write_nwb,
    "a.sbx": write_scanbox,
    "a.zarr": write_zarr,
}

CHILD = """
import json, sys, time, resource
import numpy as np, psutil
from pathlib import Path
import importlib
import napari_mesmerize.io
from napari_mesmerize.io.paths import suffix_of
readers = napari_mesmerize.io.READERS
importlib.import_module(readers[suffix_of(Path(sys.argv[1]), readers)].module)
from napari_mesmerize.data.recording import LayerArray
process = psutil.Process()
before = process.memory_info().rss
start = time.perf_counter()
recording = napari_mesmerize.io.read_recording(sys.argv[1])
opening = time.perf_counter() - start
grown = process.memory_info().rss - before
frames = LayerArray(recording)
which = np.random.default_rng(0).integers(0, len(frames), 200)
for _ in range(2):  # the first time the system's page cache fills
    start = time.perf_counter()
    for i in which:
        np.ascontiguousarray(frames[int(i)]).sum()
    step = (time.perf_counter() - start) / len(which)
print(json.dumps(dict(n_frames=len(frames), open_s=opening, rss_mb=grown / 2**20,
                      frame_ms=1e3 * step)))
"""
# where tifffile can not map the file, its pages are read one by one
PEER = """
import json, sys, time
import numpy as np, tifffile
start = time.perf_counter()
try:
    movie = tifffile.memmap(sys.argv[1], mode="r")
except ValueError:
    file = tifffile.TiffFile(sys.argv[1])
    class movie:
        __len__ = lambda self: len(file.pages)
        __getitem__ = lambda self, i: file.pages[i].asarray()
    movie = movie()
    len(movie)
opening = time.perf_counter() - start
which = np.random.default_rng(0).integers(0, len(movie), 200)
for _ in range(2):
    start = time.perf_counter()
    for i in which:
        np.ascontiguousarray(movie[int(i)]).sum()
    step = (time.perf_counter() - start) / len(which)
print(json.dumps(dict(open_s=opening, frame_ms=1e3 * step)))
"""


def run(code: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1]}  # type: ignore[dict-item]
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=10)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    n_pages = int(args.gigabytes * 2**30 / PAGE)
    results = {}
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for name, write in CASES.items():
            path = Path(folder) / name
            write(path, n_pages)
            results[name] = {"gigabytes": n_pages * PAGE / 2**30}
            results[name] |= run(CHILD, path)
            if path.suffix == ".tif":
                peer = run(PEER, path)
                results[name] |= {f"memmap_{k}": value for k, value in peer.items()}
    if args.json:
        print(json.dumps(results, indent=1))
    for name, result in results.items():
        print(
            name,
            {k: round(v, 3) if isinstance(v, float) else v for k, v in result.items()},
        )


if __name__ == "__main__":
    main()
