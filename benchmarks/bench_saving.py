"""Saving the curation of a large sample: a merge, a tag, and what is copied.

python benchmarks/bench_saving.py [--gigabytes 2] [--rois 300] [--frames 4000] [--json]

``beyond_s`` is what saving a merge takes beyond writing the components alone;
``merge_cpu_s`` its processor time, which other programs disturb less.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_mesmerize.curation.merge_split import merge_components
from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import lazy_recording
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.project import create_project

HEIGHT = WIDTH = 512


class Frames:
    """Noisy frames that are made when they are read."""

    def __init__(self, n_frames):
        self.shape, self.dtype = (n_frames, HEIGHT, WIDTH), np.dtype(np.uint16)
        self._noise = np.random.default_rng(0).integers(
            0, 2**16, (64, HEIGHT, WIDTH), dtype=np.uint16
        )

    def __getitem__(self, frames):
        return self._noise[np.arange(self.shape[0])[frames] % 64]


def make_components(n_rois, n_frames):
    random = np.random.default_rng(0)
    footprints = np.zeros((HEIGHT * WIDTH, n_rois), np.float32)
    corners = random.integers(0, HEIGHT - 10, n_rois)
    for i, corner in enumerate(corners):
        rows = np.arange(corner, corner + 8) * WIDTH
        pixels = (rows[:, np.newaxis] + np.arange(i % 500, i % 500 + 8)).ravel()
        footprints[pixels, i] = random.random(64)
    kinds = ("raw", "denoised", "dff", "spikes")
    traces = {kind: random.random((n_rois, n_frames), np.float32) for kind in kinds}
    return Components.build(footprints, (HEIGHT, WIDTH), traces, frame_rate=20.0)


def size_of(folder):
    """Return the bytes of a folder that no other folder holds, and all."""
    files = [file.stat() for file in Path(folder).rglob("*") if file.is_file()]
    own = sum(file.st_size for file in files if file.st_nlink == 1)
    return own, sum(file.st_size for file in files)


def timed(function, *arguments, **options):
    begin = time.perf_counter()
    result = function(*arguments, **options)
    return round(time.perf_counter() - begin, 3), result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--rois", type=int, default=300)
    parser.add_argument("--frames", type=int, default=4000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    n_frames = int(options.gigabytes * 1e9 / (2 * HEIGHT * WIDTH))
    components = make_components(options.rois, n_frames)
    images = {
        name: np.random.default_rng(1).random((HEIGHT, WIDTH), np.float32)
        for name in ("mean", "max", "std", "correlation")
    }
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        project = create_project(Path(folder) / "project")
        given = {
            "recording": lazy_recording(Frames(n_frames), frame_rate=20.0),
            "projections": images,
            "copy_recording": True,
        }
        found["add_s"], sample = timed(
            project.add_sample, "m1", "t1", components=components, **given
        )
        os.sync()
        own, found["sample_mb"] = (size / 1e6 for size in size_of(sample.path))
        merged = merge_components(sample.components, [0, 1]).components
        table = roi_table_from_components(merged)
        alone = Path(folder) / "alone.zarr"
        found["components_alone_s"], _ = timed(merged.save, alone)
        cpu = time.process_time()
        found["merge_s"], sample = timed(
            project.replace_components, sample.sample_id, merged, table
        )
        found["merge_cpu_s"] = time.process_time() - cpu
        found["beyond_s"] = found["merge_s"] - found["components_alone_s"]
        own, _ = size_of(sample.path)
        found["written_mb"] = own / 1e6
        tagged = sample.rois.assign(region="CA1")
        found["tag_s"], _ = timed(project.update_rois, sample.sample_id, tagged)
        problems = sample.verify()
        found["whole_merge_copied_s"], _ = timed(
            project.add_sample,
            "m1",
            "t1",
            components=merged,
            rois=table,
            overwrite=True,
            **(given | {"recording": sample.open_recording()}),
        )
    assert problems == []
    assert found["written_mb"] < found["sample_mb"] / 2
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24} {value:10.3f}")


if __name__ == "__main__":
    main()
