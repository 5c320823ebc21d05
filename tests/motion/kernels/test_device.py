"""Other devices: the same result through PyTorch, and clear words without it."""

import importlib.util
import sys

import numpy as np
import pytest

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.motion import PiecewiseParams, RigidParams, correct_motion
from napari_mesmerize.motion.kernels import device as device_module
from napari_mesmerize.motion.kernels.device import CPU, choose_device

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs PyTorch"
)
SHIFTS = 0.002  # px
CASES = [
    ("fourier", RigidParams()),
    ("lanczos", RigidParams(interpolation="lanczos")),
    ("cubic", PiecewiseParams(refine=True)),
    ("lanczos field", PiecewiseParams(interpolation="lanczos", border="nan")),
]


def compare(recording, params):
    here = correct_motion(recording, params)
    there = correct_motion(recording, params, device="torch-cpu")
    pairs = [(here.shifts, there.shifts)]
    if here.field is not None:
        pairs.append((here.field, there.field))
    for ours, theirs in pairs:
        np.testing.assert_allclose(theirs, ours, atol=SHIFTS)
    np.testing.assert_allclose(
        there.quality.correlation_after, here.quality.correlation_after, atol=1e-4
    )
    ours, theirs = here.recording.to_numpy(), there.recording.to_numpy()
    assert ours.dtype == theirs.dtype
    difference = np.nan_to_num(np.abs(ours - theirs))
    assert difference.mean() < 0.01 * np.nanstd(ours)


@needs_torch
@pytest.mark.parametrize(("kind", "params"), CASES, ids=[case[0] for case in CASES])
def test_pytorch_gives_the_same_result(make_moved, kind, params):
    recording, _ = make_moved((61, 72), 24)
    compare(recording, params)


@needs_torch
@pytest.mark.parametrize("params", [RigidParams(), PiecewiseParams()])
def test_pytorch_gives_the_same_result_on_volumes(make_moved, params):
    recording, _ = make_moved((6, 40, 45), 20)
    compare(recording, params)


@needs_torch
def test_pytorch_bins_large_frames_as_the_loops_do(make_moved):
    recording, _ = make_moved((205, 211), 8)
    compare(recording, RigidParams())


@needs_torch
def test_frames_without_information(make_moved):
    recording, _ = make_moved((40, 44), 24)
    frames = recording.to_numpy().copy()
    frames[5], frames[9] = np.nan, 3.0
    compare(as_recording(frames), RigidParams())


@needs_torch
def test_a_card_that_is_not_there():
    with pytest.raises(ParameterError, match="CUDA cards here"):
        choose_device("cuda:99")


@needs_torch
def test_a_device_and_a_cluster(make_moved):
    recording, _ = make_moved((40, 44), 10)
    with pytest.raises(ParameterError, match="can not be combined"):
        correct_motion(recording, device="torch-cpu", client=object())


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "gpu", ""])
def test_unknown_devices(name):
    with pytest.raises(ParameterError, match="is unknown"):
        choose_device(name)


def test_without_pytorch_it_says_what_to_install(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        device_module.importlib.util,
        "find_spec",
        lambda name: None if name == "torch" else find(name),
    )
    with pytest.raises(ParameterError, match=r"napari-mesmerize\[gpu\]"):
        choose_device("cuda")


def test_the_processor_needs_no_pytorch(make_moved):
    recording, _ = make_moved((40, 44), 10)
    loaded = "torch" in sys.modules
    assert choose_device("cpu") == CPU
    correct_motion(recording, device="cpu")
    assert ("torch" in sys.modules) == loaded
