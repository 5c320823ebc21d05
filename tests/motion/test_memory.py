"""Memory does not grow with the recording, but for the result itself.

A frame adds about 100 bytes (shift, correlations), with fields 4 more for each of their
coefficients: 130 here.
"""

import json
import subprocess
import sys

import pytest

_SCRIPT = """
import json, resource, sys
import numpy as np
from napari_mesmerize.motion import PiecewiseParams, RigidParams, correct_motion
from napari_mesmerize.data.recording import as_recording

n_frames, engine, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
scene = np.random.default_rng(0).normal(200, 40, (60, 60)).astype("uint16")
tiles = np.stack([scene[t % 5 : t % 5 + 40, t % 3 : t % 3 + 40] for t in range(15)])

class Frames:
    shape, dtype = (n_frames, 40, 40), np.dtype("uint16")
    def __getitem__(self, key):
        return tiles[np.arange(n_frames)[key] % 15]

params = {"rigid": RigidParams(), "piecewise": PiecewiseParams()}[engine]
correct_motion(as_recording(Frames()), params, out=out, max_memory=2**26)
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
"""


def peak_mb(n_frames, engine, folder):
    command = [sys.executable, "-c", _SCRIPT, str(n_frames), engine]
    out = str(folder / f"{engine}{n_frames}.zarr")
    done = subprocess.run(
        [*command, out], capture_output=True, text=True, check=True, timeout=300
    )
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs the resource module")
@pytest.mark.parametrize("engine", ["rigid", "piecewise"])
def test_peak_memory_is_the_same_for_20_times_as_many_frames(engine, tmp_path):
    short, long = (peak_mb(n, engine, tmp_path) for n in (1000, 20_000))
    assert long < 1.04 * short + 5
