"""Layers of many ROIs in a real window: until they are painted, recoloured, selected.

xvfb-run -a python benchmarks/bench_layers.py [--rois 5000] [--frames 2000] [--json]

All docks that follow ROIs are open. A time ends when the canvas is painted; beside
it stands how long the GUI thread computed. The fastest of three to five counts where an
action can be repeated; imports are done before.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

SIDE = 512


def make_components(n_rois, n_frames, seed=0):
    """Return round cells of about 80 pixels with two kinds of traces and scores."""
    from napari_mesmerize.data.components import Components

    random = np.random.default_rng(seed)
    y, x = np.mgrid[-5:6, -5:6]
    disk = np.stack([y, x])[:, y**2 + x**2 <= 26]
    centres = random.integers(6, SIDE - 6, (n_rois, 2, 1))
    pixels = np.sort((disk + centres)[:, 0] * SIDE + (disk + centres)[:, 1], axis=1)
    indptr = np.arange(n_rois + 1) * pixels.shape[1]
    weights = random.random(pixels.size).astype(np.float32) * 0.5 + 0.5
    footprints = sparse.csc_array(
        (weights, pixels.ravel(), indptr), shape=(SIDE**2, n_rois)
    )
    raw = random.random((n_rois, n_frames), np.float32)
    scores = pd.DataFrame(
        {
            "snr": random.gamma(4, 2, n_rois),
            "shape": random.random(n_rois),
            "rejected_because": np.where(random.random(n_rois) < 0.3, "dim", ""),
        }
    )
    return Components.build(
        footprints,
        (SIDE, SIDE),
        {"raw": raw, "dff": raw - 0.5},
        scores=scores,
        accepted=scores["rejected_because"] == "",
        frame_rate=15.0,
    )


class Window:
    """Napari with a recording and the docks that follow ROIs."""

    def __init__(self):
        import napari

        from napari_mesmerize.data.recording import as_recording
        from napari_mesmerize.widgets.session.session import get_session

        self.viewer = napari.Viewer(show=True)
        self.viewer.window._qt_window.resize(1400, 900)
        self.session = get_session(self.viewer)
        random = np.random.default_rng(0)
        frames = random.integers(0, 999, (20, SIDE, SIDE)).astype(np.uint16)
        recording = as_recording(frames, frame_rate=15.0)
        self.layer = self.session.show_recording(recording)

    def open(self, name):
        """Open a dock."""
        _, dock = self.viewer.window.add_plugin_dock_widget("napari-mesmerize", name)
        self.paint()
        return dock

    def paint(self):
        """Wait until all is painted that is to be painted now."""
        from qtpy.QtWidgets import QApplication

        canvas = self.viewer.window._qt_viewer.canvas
        for _ in range(3):
            QApplication.processEvents()
        canvas.native.repaint()
        QApplication.processEvents()

    def seconds(self, action, repeat=1):
        """Return the fastest time of a painted action: passed, and computed."""
        passed, computed = [], []
        for i in range(repeat):
            started, busy = time.perf_counter(), time.thread_time()
            action(i)
            self.paint()
            passed.append(time.perf_counter() - started)
            computed.append(time.thread_time() - busy)
        return min(passed), min(computed)


def imports(window, components, folder):
    """Return the times from a file to painted ROIs, by format."""
    from qtpy.QtWidgets import QApplication

    from napari_mesmerize.io.results import write_results

    dock, session = window.open("Import results"), window.session
    found = {}

    def wait():
        QApplication.processEvents()
        time.sleep(0.002)

    for name in ("warm.hdf5", "cells.hdf5", "suite2p", "cells.zip"):
        some = components.select(range(20)) if name == "warm.hdf5" else components
        path = write_results(some, folder / name)

        def run(_, path=path):
            before = session.roi_set
            dock.look_at(path)
            while dock.job.running:
                wait()
            dock.show_rois.click()
            while session.roi_set is before:
                wait()

        found[f"import {name}, painted"] = window.seconds(run)
        while dock.job.running:  # it takes traces where there were none
            wait()
    found.pop("import warm.hdf5, painted")
    return found


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rois", type=int, default=5000)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")

    from napari_mesmerize.widgets.layers.recordings import prepare_labels
    from napari_mesmerize.workspace.roi_set import RoiSet

    window = Window()
    prepare_labels()
    for name in ("Traces", "ROI manager", "Component evaluation"):
        dock = window.open(name)
    evaluation = dock
    session = window.session
    session.show_rois(RoiSet(make_components(50, given.frames)), like=window.layer)
    window.paint()
    components = make_components(given.rois, given.frames)
    found = {}

    def show(_):
        session.show_rois(RoiSet(components, name="many"), like=window.layer)

    found["add a layer, painted"] = window.seconds(show)
    rois, shown = session.roi_set, session.roi_layer
    names = ["accepted", "snr", "ROI"]
    found["recolour"] = window.seconds(
        lambda i: shown.colour_like(names[i], show_rejected=True), 3
    )
    found["accept or reject one"] = window.seconds(
        lambda i: rois.set_accepted(bool(i % 2), [i]), 3
    )
    found["select one"] = window.seconds(lambda i: rois.select(100 + i), 3)

    def move(i):
        evaluation.editors["min_snr"].set_value(5 + i)
        evaluation.show_now()

    found["move a threshold"] = window.seconds(move, 5)
    found["next frame"] = window.seconds(
        lambda i: window.viewer.dims.set_current_step(0, 5 + i), 5
    )
    with tempfile.TemporaryDirectory() as folder:
        found |= imports(window, components, Path(folder))
    if given.json:
        print(json.dumps(found))
    else:
        print(f"{'':30} {'passed':>10} {'computed':>12}")
        for name, (passed, computed) in found.items():
            print(f"{name:30} {1000 * passed:7.0f} ms {1000 * computed:9.0f} ms")
    window.viewer.close()


if __name__ == "__main__":
    main()
