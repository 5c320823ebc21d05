"""Random frames and sequential reading, ours beside the format's reference library.

python benchmarks/bench_readers.py [--megabytes 256] [--folder DIR] [--json]

Files lie in the page cache, so that what is compared is the software; each turn opens
them anew, so that neither finds frames that it has decoded before (but knows where all
are: the last one was read). Sequential reading is also compared with reading the same
bytes through a plain memory map.
"""

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile
import zarr
from scipy.io import savemat

from napari_mesmerize.data.recording import LayerArray
from napari_mesmerize.io import read_recording

SHAPE = (256, 256)


def write_all(folder: Path, n_frames: int) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 4000, (n_frames, *SHAPE), dtype=np.uint16)
    np.save(folder / "a.npy", frames)
    tifffile.imwrite(folder / "plain.tif", frames, metadata=None, bigtiff=True)
    with tifffile.TiffWriter(folder / "appended.tif", bigtiff=True) as writer:
        for frame in frames:
            writer.write(frame, contiguous=False, metadata=None)
    few = frames[: max(50, n_frames // 8)]
    tifffile.imwrite(folder / "zlib.tif", few, metadata=None, compression="zlib")
    with h5py.File(folder / "bare.h5", "w") as file:
        file["mov"] = frames
    with h5py.File(folder / "gzip.h5", "w") as file:
        file.create_dataset("mov", data=few, chunks=(10, *SHAPE), compression=1)
    zarr.create_array(folder / "a.zarr", data=few, chunks=(10, *SHAPE))
    np.invert(frames).tofile(folder / "a.sbx")
    info = {"sz": list(SHAPE), "channels": 2, "resfreq": 8000.0, "scanmode": 1}
    savemat(folder / "a.mat", {"info": info})


def references(folder: Path) -> dict[str, Callable[[], Any]]:
    return {
        "a.npy": lambda: np.load(folder / "a.npy", mmap_mode="r"),
        "plain.tif": lambda: tifffile.memmap(folder / "plain.tif", mode="r"),
        "appended.tif": lambda: Pages(folder / "appended.tif"),
        "zlib.tif": lambda: Pages(folder / "zlib.tif"),
        "bare.h5": lambda: h5py.File(folder / "bare.h5")["mov"],
        "gzip.h5": lambda: h5py.File(folder / "gzip.h5")["mov"],
        "a.zarr": lambda: zarr.open(folder / "a.zarr", mode="r"),
        "a.sbx": lambda: Inverted(folder / "a.sbx"),
    }


class Inverted:
    """A mapped Scanbox file; what it stores is 65535 less the brightness."""

    def __init__(self, path: Path) -> None:
        self.stored = np.memmap(path, "u2", "r").reshape(-1, *SHAPE)

    def __getitem__(self, key: int | slice) -> np.ndarray:
        return np.invert(self.stored[key])


class Pages:
    """Pages of a TIFF through tifffile."""

    def __init__(self, path: Path) -> None:
        self.file = tifffile.TiffFile(path)
        len(self.file.pages)

    def __getitem__(self, key: int | slice) -> np.ndarray:
        if isinstance(key, slice):
            return self.file.asarray(key=range(*key.indices(len(self.file.pages))))
        return self.file.pages[key].asarray()


def seconds(*makers: Callable[[], Callable[[], Any]], repeat: int = 7) -> list[float]:
    """Make calls and time them in turns; return the fastest time of each."""
    best = [np.inf] * len(makers)
    for _ in range(repeat):
        for i, make in enumerate(makers):
            call = make()
            start = time.perf_counter()
            call()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def random_frames(array: Any, which: list[int], last: int) -> Callable[[], None]:
    np.asarray(array[last])

    def read() -> None:
        for i in which:
            np.asarray(array[i]).sum(dtype=np.int64)

    return read


def in_order(array: Any, n_frames: int, batch: int = 100) -> Callable[[], None]:
    def read() -> None:
        for start in range(0, n_frames, batch):
            np.asarray(array[start : start + batch]).sum(dtype=np.int64)

    return read


def measure(path: Path, reference: Callable[[], Any]) -> dict[str, float]:
    def ours() -> Any:
        return LayerArray(read_recording(path))

    (open_s,) = seconds(lambda: lambda: read_recording(path))
    n_frames = len(ours())
    which = np.random.default_rng(1).integers(0, n_frames, 200).tolist()
    n_bytes = n_frames * SHAPE[0] * SHAPE[1] * 2
    raw = np.memmap(path, "u1", "r") if path.is_file() else None
    frame, reference_frame = seconds(
        lambda: random_frames(ours(), which, n_frames - 1),
        lambda: random_frames(reference(), which, n_frames - 1),
    )
    orders = [
        lambda: in_order(ours(), n_frames),
        lambda: in_order(reference(), n_frames),
    ]
    names = ["sequential_mb_s", "reference_mb_s"]
    if raw is not None and raw.size >= n_bytes:
        whole = raw[:n_bytes].view("u2").reshape(n_frames, *SHAPE)
        orders.append(lambda: in_order(whole, n_frames))
        names.append("memmap_mb_s")
    result = {
        "open_ms": 1e3 * open_s,
        "frame_ms": 5 * frame,
        "reference_frame_ms": 5 * reference_frame,
    }
    for name, taken in zip(names, seconds(*orders), strict=True):
        result[name] = n_bytes / 1e6 / taken
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    n_frames = args.megabytes * 2**20 // (SHAPE[0] * SHAPE[1] * 2)
    results = {}
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        write_all(folder, n_frames)
        for file, reference in references(folder).items():
            results[file] = measure(folder / file, reference)
            if not args.json:
                rounded = {k: float(f"{v:.3g}") for k, v in results[file].items()}
                print(f"{file:14}", rounded)
    if args.json:
        print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
