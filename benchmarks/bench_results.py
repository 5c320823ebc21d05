"""Import of 5,000 ROIs with traces from Suite2p, CaImAn and ImageJ.

python benchmarks/bench_results.py [--rois 5000] [--frames 2000] [--json]

Times to data (arrays and scores in memory) and to the ROI table with its outlines, in a
process whose imports are done; the fastest of three runs counts.
"""

import argparse
import json
import struct
import tempfile
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
from scipy import sparse

from napari_mesmerize.io.results import read_results
from napari_mesmerize.roi import roi_table_from_components

SIDE = 512


def cells(n_rois):
    """Return the pixels (y, x) of round cells of about 80 pixels."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[-5:6, -5:6]
    disk = np.stack([y, x])[:, y**2 + x**2 <= 26]
    centres = random.integers(6, SIDE - 6, (n_rois, 2, 1))
    return disk + centres


def write_suite2p(folder, pixels, n_frames):
    """Write a plane folder."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    n_rois, _, size = pixels.shape
    stat = np.empty(n_rois, object)
    for i, (y, x) in enumerate(pixels):
        stat[i] = {
            "ypix": y,
            "xpix": x,
            "lam": np.ones(size, np.float32),
            "overlap": np.zeros(size, bool),
            "med": [int(y[0]), int(x[0])],
            **dict.fromkeys(("skew", "std", "snr", "compact", "radius"), np.float32(1)),
        }
    np.save(folder / "stat.npy", stat, allow_pickle=True)
    for name in ("F", "Fneu", "spks"):
        np.save(folder / name, random.random((n_rois, n_frames), np.float32))
    np.save(folder / "iscell.npy", np.ones((n_rois, 2)))
    np.save(folder / "ops.npy", {"Ly": SIDE, "Lx": SIDE, "fs": 10.0})


def write_caiman(path, pixels, n_frames):
    """Write a file as CaImAn does."""
    random = np.random.default_rng(1)
    n_rois, _, size = pixels.shape
    rows = np.sort(pixels[:, 0] + pixels[:, 1] * SIDE, axis=1)
    indptr = np.arange(n_rois + 1) * size
    weights = random.random(rows.size)
    matrix = sparse.csc_matrix((weights, rows.ravel(), indptr), (SIDE**2, n_rois))
    with h5py.File(path, "w") as file:
        group = file.create_group("estimates")
        for name in ("data", "indices", "indptr"):
            group[f"A/{name}"] = getattr(matrix, name)
        group["A/shape"] = np.array(matrix.shape)
        for name in ("C", "YrA", "S", "F_dff"):
            group[name] = random.random((n_rois, n_frames), np.float32)
        group["SNR_comp"] = random.random(n_rois)
        group["idx_components"] = np.arange(n_rois)
        group["dims"] = np.array([SIDE, SIDE])


def write_imagej(path, pixels):
    """Write polygons of 24 vertices."""
    angle = np.linspace(0, 2 * np.pi, 25)[:-1]
    around = np.stack([5 + 5 * np.cos(angle), 5 + 5 * np.sin(angle)]).astype(">i2")
    with zipfile.ZipFile(path, "w") as archive:
        for i, (y, x) in enumerate(pixels.min(axis=2)):
            box = struct.pack(">4h", y, x, y + 10, x + 10)
            head = (
                b"Iout" + struct.pack(">hBB", 227, 0, 0) + box + struct.pack(">H", 24)
            )
            archive.writestr(f"{i}.roi", head.ljust(64, b"\0") + around.tobytes())


def fastest(function):
    """Return the time of the fastest of three runs, and the result."""
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - begin)
    return min(seconds), result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rois", type=int, default=5000)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    pixels = cells(options.rois)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_suite2p(root / "suite2p" / "plane0", pixels, options.frames)
        write_caiman(root / "caiman.hdf5", pixels, options.frames)
        write_imagej(root / "rois.zip", pixels)
        for name in ("suite2p", "caiman.hdf5"):
            seconds, found = fastest(lambda name=name: read_results(root / name))
            begin = time.perf_counter()
            table = roi_table_from_components(found)
            outlines = time.perf_counter() - begin
            rows.append((name, len(table), seconds, seconds + outlines))
        seconds, table = fastest(lambda: read_results(root / "rois.zip"))
        rows.append(("rois.zip", len(table), seconds, seconds))
        seconds, found = fastest(
            lambda: read_results(root / "rois.zip", image_shape=(SIDE, SIDE))
        )
        rows.append(("rois.zip to footprints", len(found), seconds, seconds))
    if options.json:
        names = ("what", "rois", "data_s", "table_s")
        print(json.dumps([dict(zip(names, row, strict=True)) for row in rows]))
        return
    for name, n_rois, data, table in rows:
        print(f"{name:24} {n_rois:6} ROIs  data {data:6.2f} s  table {table:6.2f} s")


if __name__ == "__main__":
    main()
