"""Import of 5,000 ROIs with traces from Suite2p, CaImAn and ImageJ.

python benchmarks/bench_results.py [--rois 5000] [--frames 2000] [--json]
    [--peer caiman=PYTHON] [--peer suite2p=PYTHON] [--peer roifile=PYTHON]

CPU seconds to data (arrays and scores in memory) and to the ROI table with its
outlines, in a process whose imports are done; the least of three runs counts. A peer,
named by the interpreter of its environment, reads the same files: CaImAn with
``load_CNMF`` and then its contours, Suite2p with what its window loads and then the
pixels at the borders that it draws, ``roifile`` with ``roiread`` and the coordinates.
"""

import argparse
import json
import struct
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from scipy import sparse

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.io.results import read_results, write_caiman, write_suite2p
from peer_runs import add_peers

SIDE = 512
TIMED = """
import json, sys, time
def fastest(function):
    seconds = []
    for _ in range(3):
        begin = time.process_time()
        function()
        seconds.append(time.process_time() - begin)
    return min(seconds)
"""
PEERS = {
    "caiman": (
        "caiman.hdf5",
        """
from caiman.source_extraction.cnmf.cnmf import load_CNMF
from caiman.utils.visualization import get_contours
read = lambda: load_CNMF(sys.argv[1]).estimates
found = read()
outline = lambda: get_contours(found.A, tuple(found.dims))
""",
    ),
    "suite2p": (
        "suite2p/plane0/stat.npy",
        """
from suite2p.gui.io import load_files
from suite2p.gui.utils import boundary
read = lambda: load_files(sys.argv[1])
found = read()[0]
outline = lambda: [boundary(roi["ypix"], roi["xpix"]) for roi in found]
""",
    ),
    "roifile": (
        "rois.zip",
        """
from roifile import roiread
read = lambda: roiread(sys.argv[1])
found = read()
outline = lambda: [roi.coordinates() for roi in found]
""",
    ),
}
SAID = """
data = fastest(read)
print(json.dumps([data, data + fastest(outline)]))
"""


def cells(n_rois):
    """Return the pixels (y, x) of round cells of about 80 pixels."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[-5:6, -5:6]
    disk = np.stack([y, x])[:, y**2 + x**2 <= 26]
    centres = random.integers(6, SIDE - 6, (n_rois, 2, 1))
    return disk + centres


def components_of(pixels, n_frames):
    """Return cells with random weights and traces."""
    random = np.random.default_rng(1)
    n_rois, _, size = pixels.shape
    rows = np.sort(pixels[:, 0] * SIDE + pixels[:, 1], axis=1)
    weights = random.random(rows.size, np.float32)
    matrix = sparse.csc_array(
        (weights, rows.ravel(), np.arange(n_rois + 1) * size), (SIDE**2, n_rois)
    )
    kinds = ("raw", "denoised", "neuropil", "spikes", "dff")
    traces = {kind: random.random((n_rois, n_frames), np.float32) for kind in kinds}
    return Components.build(matrix, (SIDE, SIDE), traces, frame_rate=10.0)


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
        begin = time.process_time()
        result = function()
        seconds.append(time.process_time() - begin)
    return min(seconds), result


def ask(peer, python, root):
    """Return a peer's seconds to data and to outlines."""
    place, program = PEERS[peer]
    done = subprocess.run(
        [python, "-c", TIMED + program + SAID, str(root / place)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure(root, peers):
    """Return rows of (file, program, ROIs, seconds to data, seconds to outlines)."""
    rows = []
    for name in ("suite2p", "caiman.hdf5", "rois.zip"):
        data, found = fastest(lambda name=name: read_results(root / name))
        outlines = 0.0
        if isinstance(found, Components):
            outlines, found = fastest(lambda f=found: roi_table_from_components(f))
        rows.append((name, "napari-mesmerize", len(found), data, data + outlines))
    seconds, found = fastest(
        lambda: read_results(root / "rois.zip", image_shape=(SIDE, SIDE))
    )
    rows.append(("rois.zip to footprints", "napari-mesmerize", len(found), seconds, 0))
    for peer, python in peers:
        rows.append((PEERS[peer][0], peer, len(found), *ask(peer, python, root)))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rois", type=int, default=5000)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    add_peers(parser, tuple(PEERS), required=False)
    options = parser.parse_args()
    pixels = cells(options.rois)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        components = components_of(pixels, options.frames)
        write_suite2p(components, root / "suite2p")
        write_caiman(components, root / "caiman.hdf5")
        write_imagej(root / "rois.zip", pixels)
        rows = measure(root, options.peer)
    if options.json:
        names = ("file", "program", "rois", "data_s", "outlines_s")
        print(json.dumps([dict(zip(names, row, strict=True)) for row in rows]))
        return
    for name, program, n_rois, data, outlines in rows:
        print(
            f"{name:24} {program:17} {n_rois:6} ROIs  data {data:6.2f} s  "
            f"outlines {outlines:6.2f} s"
        )


if __name__ == "__main__":
    main()
