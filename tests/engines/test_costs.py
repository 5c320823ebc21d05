"""Estimates before a run: they grow with the work, and have the right magnitude."""

import numpy as np
import pytest

from napari_mesmerize.cnmf import CnmfParams, estimate_memory
from napari_mesmerize.compute.resources import measure
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.engines import ENGINES
from napari_mesmerize.motion import PiecewiseParams
from napari_mesmerize.simulation.simulate import simulate


def blank(*shape, rate=15.0):
    """A recording that takes no memory; estimates read no pixels."""
    return as_recording(np.broadcast_to(np.uint16(1), shape), frame_rate=rate)


@pytest.mark.parametrize("name", ENGINES)
def test_more_frames_and_more_pixels_cost_more(name):
    engine = ENGINES[name]
    sizes = [(500, 128, 128), (5000, 128, 128), (5000, 256, 300), (5000, 700, 700)]
    if not engine.planes:
        sizes = [(n, 4, height, width) for n, height, width in sizes]
    costs = [engine.estimate(blank(*size)) for size in sizes]
    seconds = [cost.cpu_seconds for cost in costs]
    assert seconds == sorted(set(seconds)), "each more than the one before"
    memory = [cost.memory_bytes for cost in costs]
    assert min(memory) > 0
    assert memory[0] < memory[-1]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("rigid", {"iterations": 6}),
        ("rigid", {"template_frames": 900}),
        ("piecewise", {"refine": True}),
        ("cnmf", {"searches": 4}),
        ("cnmfe", {"refinement_rounds": 6}),
    ],
)
def test_params_that_mean_more_work_cost_more(name, more):
    engine, recording = ENGINES[name], blank(1000, 96, 96)
    usual = engine.estimate(recording)
    assert engine.estimate(recording, engine.params(**more))[1] > usual.cpu_seconds
    assert engine.estimate(recording, engine.params()) == usual


def test_fields_cost_more_than_shifts():
    recording = blank(1000, 96, 96)
    rigid, piecewise = (
        ENGINES[name].estimate(recording).cpu_seconds for name in ("rigid", "piecewise")
    )
    assert piecewise > rigid


def test_the_memory_of_an_extraction_is_that_of_one_patch():
    recording, params = blank(2000, 300, 300), CnmfParams(cell_diameter=10.0)
    cost = ENGINES["cnmf"].estimate(recording, params)
    assert cost.memory_bytes == estimate_memory(recording, params)


@pytest.fixture(scope="module")
def moved():
    return simulate("2p-small", "rigid", 3, shape=(400, 96, 96), n_cells=20).recording


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rigid", "piecewise", "cnmf", "cnmfe"])
def test_estimates_have_the_right_magnitude(moved, name):
    engine = ENGINES[name]
    known = {} if engine.step == "motion" else {"cell_diameter": 9.2}
    params = engine.params(**known)
    engine.run(moved, params)  # loops are compiled now
    with measure(name) as usage:
        result = engine.run(moved, params, workers=1)
        if engine.step == "motion":
            result.recording.to_numpy()
    seconds = engine.estimate(moved, params).cpu_seconds
    assert usage.cpu_seconds / 10 < seconds < 10 * usage.cpu_seconds


def test_volumes_cost_more_than_planes_of_as_many_pixels():
    planes, volumes = blank(500, 96, 192), blank(500, 2, 96, 96)
    for name in ("rigid", "piecewise"):
        engine = ENGINES[name]
        params = PiecewiseParams() if name == "piecewise" else None
        more, less = (engine.estimate(one, params)[1] for one in (volumes, planes))
        assert more > less
