"""What reads a recording frame by frame needs no more memory for a longer one."""

import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="Windows does not say it")

CODE = """
import resource
import sys
import numpy as np
from napari_mesmerize.transforms.projections import project
from napari_mesmerize.data.recording import as_recording, iter_batches
from napari_mesmerize.transforms.reductions import data_range, montage, reduce_frames
from napari_mesmerize.transforms.lazy import downsample, map_frames, normalise

SIDE = 64


class Made:
    dtype = np.dtype(np.uint16)

    def __init__(self, n):
        self.shape = (n, SIDE, SIDE)

    def __getitem__(self, frames):
        numbers = np.arange(*frames.indices(self.shape[0]))
        block = np.empty((len(numbers), SIDE, SIDE), np.uint16)
        block[:] = numbers[:, None, None] % 1000
        return block


def use(n):
    recording = as_recording(Made(n), frame_rate=10.0)
    project(recording, max_memory=2**25)
    data_range(recording, (1, 99))
    montage(recording)
    signal = 1 + np.arange(n) % 7
    derived = [
        normalise(recording, signal, how=how) for how in ("divide", "regress")
    ]
    derived.append(map_frames(recording, np.sqrt))
    derived.append(downsample(recording, time=3, space=2))
    derived.append(recording[n // 4 :, 3:40, 5:50])
    for one in derived:
        for _, block in iter_batches(one, 100):
            block.sum()
    reduce_frames(recording[:1000], lambda traces: traces.min(axis=0))


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


use(6000)
before = peak()
use(30000)
print((peak() - before) / (1 if sys.platform == "darwin" else 2**-10) / 2**20)
"""


def test_a_recording_of_five_times_the_length_takes_no_more_memory():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE],
        capture_output=True,
        text=True,
        check=True,
    )
    # the longer recording has 246 MB, the shorter one 49 MB
    assert float(done.stdout) < 15
