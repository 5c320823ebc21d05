"""Projects: adding, reading the table, copying a recording.

python benchmarks/bench_project.py [--samples 100] [--rois 200] [--megabytes 400]
    [--json]
"""

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import lazy_recording
from napari_mesmerize.project import create_project, open_project


class Frames:
    """Noisy frames that are made when they are read."""

    def __init__(self, n_frames):
        self.shape, self.dtype = (n_frames, 512, 512), np.dtype(np.uint16)
        self._noise = np.random.default_rng(0).integers(
            0, 4000, (64, 512, 512), dtype=np.uint16
        )

    def __getitem__(self, frames):
        return self._noise[np.arange(self.shape[0])[frames] % 64]


class Peak:
    """Highest memory of this process while a block runs, above that before it."""

    def __enter__(self):
        self._process, self._stop = psutil.Process(), threading.Event()
        self._before = self.bytes = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self):
        while not self._stop.wait(0.01):
            self.bytes = max(self.bytes, self._process.memory_info().rss)

    def __exit__(self, *error):
        self._stop.set()
        self._thread.join()
        self.megabytes = (self.bytes - self._before) / 1e6


def parts(n_rois, n_frames=1000):
    """Return components and the ROI table of a sample."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256 * 256, (n_rois, 60))
    footprints = np.zeros((256 * 256, n_rois), np.float32)
    footprints[pixels.T, np.arange(n_rois)] = 1
    traces = {k: random.random((n_rois, n_frames), np.float32) for k in ("raw", "dff")}
    components = Components.build(footprints, (256, 256), traces, frame_rate=10.0)
    outline = random.random((n_rois, 30, 2)).tolist()
    rois = pd.DataFrame(
        {"kind": "cnmf", "outline": outline, "accepted": True, "snr": 3.0},
        index=pd.Index(components.roi_ids, name="roi_id"),
    )
    return {"components": components, "rois": rois}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--rois", type=int, default=200)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {}

    def timed(name, function):
        begin = time.perf_counter()
        result = function()
        found[name] = round(time.perf_counter() - begin, 4)
        return result

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "project"
        project = create_project(path, roi_tags=["region"])
        content = parts(options.rois)
        begin = time.perf_counter()
        for number in range(options.samples):
            project.add_sample("m1", f"t{number}", **content)
        found["add_s_per_sample"] = (time.perf_counter() - begin) / options.samples
        project = timed("open_s", lambda: open_project(path))
        timed("table_first_s", project.table)
        timed("table_again_s", project.table)
        rois = project.sample("m1-_-t0").rois
        timed("update_rois_s", lambda: project.update_rois("m1-_-t0", rois))
        timed("table_after_update_s", project.table)
        recording = lazy_recording(Frames(options.megabytes * 10**6 // 2**19))
        begin = time.perf_counter()
        with Peak() as peak:
            sample = project.add_sample(
                "m2", "t1", recording=recording, copy_recording=True
            )
        seconds = time.perf_counter() - begin
        found["copy_mb_per_s"] = round(options.megabytes / seconds, 1)
        found["copy_peak_mb"] = round(peak.megabytes, 1)
        opened = timed("open_recording_s", sample.open_recording)
        steps = np.random.default_rng(0).integers(0, len(opened), 50)
        begin = time.perf_counter()
        for step in steps:
            opened[int(step)].to_numpy()
        found["random_frame_ms"] = round((time.perf_counter() - begin) / 50 * 1000, 2)
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24} {value:10.4f}")


if __name__ == "__main__":
    main()
