"""Suite2p's program shows and merges what we write; we read what it saves again."""

import numpy as np
from scipy import sparse

from napari_mesmerize.data.components import Components
from napari_mesmerize.io.results import read_results, write_suite2p

WORK = """
import json, os, sys
from qtpy import QtWidgets
app = QtWidgets.QApplication([])
from suite2p.gui import gui2p, io, merge
window = gui2p.MainWindow(statfile=sys.argv[1])
print(window.loaded)
for k in range(5):
    window.viewbtns.button(k).press(window, k)
for mode in range(3):
    window.mode_change(mode)
shown = {"n": len(window.stat), "cells": int(window.iscell.sum()),
    "shape": [int(window.ops[k]) for k in ("Ly", "Lx")], "fs": window.ops["fs"],
    "med": [[int(v) for v in s["med"]] for s in window.stat]}
window.ichosen, window.imerge = 0, [0, 1]
merge.merge_activity_masks(window)
window.merged.append(window.imerge)
io.save_merge(window)
print(json.dumps(shown), flush=True)
os._exit(0)
"""


def make():
    """Six cells of a field that is wider than high; the first two touch."""
    random = np.random.default_rng(1)
    footprints = np.zeros((6, 40, 72), np.float32)
    for i in range(6):
        y, x = 6 * i + 1, 11 * i + 1 - (6 if i == 1 else 0)
        footprints[i, y : y + 6, x : x + 5] = 0.2 + random.random((6, 5))
    kinds = ("raw", "neuropil", "spikes")
    return Components.build(
        sparse.csc_array(footprints.reshape(6, -1).T),
        (40, 72),
        {k: 50 + random.random((6, 300)).astype(np.float32) for k in kinds},
        accepted=[True, True, False, True, True, False],
        frame_rate=12.5,
    )


def test_suite2p_shows_and_merges_what_we_write(ask, tmp_path):
    cells = make()
    image = np.random.default_rng(2).random((40, 72))
    images = dict.fromkeys(("mean", "max", "correlation"), image)
    path = write_suite2p(cells, tmp_path / "suite2p", images=images)
    said = ask("suite2p", WORK, path / "plane0" / "stat.npy")
    assert (said["n"], said["cells"]) == (6, 4)
    assert (said["shape"], said["fs"]) == ([40, 72], 12.5)
    for i, centre in enumerate(said["med"]):
        assert cells.footprint_image(i)[tuple(centre)] > 0
    merged = read_results(path)
    assert list(merged.scores["component"]) == [2, 3, 4, 5, 6]
    assert list(merged.accepted) == [False, True, True, False, True]
    for i in range(4):
        image = cells.footprint_image(i + 2)
        np.testing.assert_array_equal(merged.footprint_image(i), image)
    both = (cells.footprint_image(0) > 0) | (cells.footprint_image(1) > 0)
    np.testing.assert_array_equal(merged.footprint_image(4) > 0, both)
    mean = cells.traces["raw"][:2].mean(axis=0)
    np.testing.assert_allclose(merged.traces["raw"][4], mean, rtol=1e-5)
