"""Opening 10 GB TIFFs: time, memory, and the cost of a frame step.

python benchmarks/bench_open.py [--gigabytes 10] [--folder DIR] [--json]

Makes sparse files (they hold no real pixels and need little disk), opens each in a
process of its own, and compares a random frame through ``LayerArray`` with
``tifffile.memmap``.
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

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


CHILD = """
import json, sys, time, resource
import numpy as np, psutil
import napari_mesmerize.io, napari_mesmerize.io.tiff
from napari_mesmerize.recording import LayerArray
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
        for name, write in (("multipage", write_multipage), ("imagej", write_imagej)):
            path = Path(folder) / f"{name}.tif"
            write(path, n_pages)
            results[name] = {"gigabytes": path.stat().st_size / 2**30}
            results[name] |= run(CHILD, path)
            peer = run(PEER, path)
            results[name] |= {f"memmap_{key}": value for key, value in peer.items()}
    if args.json:
        print(json.dumps(results, indent=1))
    for name, result in results.items():
        print(
            name,
            {k: round(v, 3) if isinstance(v, float) else v for k, v in result.items()},
        )


if __name__ == "__main__":
    main()
