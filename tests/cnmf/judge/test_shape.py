import numpy as np
import pytest

from napari_mesmerize.cnmf import CnmfParams, extract_components
from napari_mesmerize.cnmf.judge.shape import typical_cell
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.simulation.scores import iou_matrix, match


def cell_of(likeness, area, *, n=20, own=20, energy=60.0**2):
    alone = np.arange(n) < own
    return typical_cell(
        np.full(n, likeness, np.float32),
        np.full(n, area, np.float32),
        np.full(n, energy) * np.linspace(0.9, 1.1, n),
        alone,
        0.945,
    )


def test_cells_are_compared_with_their_like():
    assert cell_of(0.7, 0.7) == pytest.approx((0.7, 0.7))
    assert cell_of(0.95, 1.08) == pytest.approx((0.95, 1.0))
    assert cell_of(0.3, 0.2) == pytest.approx((0.6, 0.6))


def test_few_or_weak_models_tell_nothing():
    usual = pytest.approx((0.945, 1.0))
    assert cell_of(0.7, 0.7, n=8) == usual
    assert cell_of(0.7, 0.7, energy=20.0**2) == usual
    nothing = np.zeros(0, np.float32)
    assert typical_cell(nothing, nothing, nothing, nothing > 0, 0.945) == usual


def test_repetitions_of_neighbours_set_no_standard():
    # all are clear, the first 8 of the stronger 16 have activity of their own
    n = 40
    energy = np.full(n, 50.0**2)
    energy[:16] = 90.0**2
    own = np.zeros(n, bool)
    own[:7] = True
    flat = np.full(n, 0.7, np.float32)
    assert typical_cell(flat, flat, energy, own, 0.945) == pytest.approx((0.84, 1.0))


def stretch(rng, shape, length=14.0, width=1.3):
    """A curved stretch of dendrite somewhere in the field."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    at = rng.uniform(10, np.array(shape) - 10)
    angle, image = rng.uniform(0, 2 * np.pi), np.zeros(shape)
    for _ in range(int(2 * length)):
        angle += rng.normal(0, 0.08)
        at = at + 0.5 * np.array([np.sin(angle), np.cos(angle)])
        distance = (y - at[0]) ** 2 + (x - at[1]) ** 2
        image = np.maximum(image, np.exp(-distance / (2 * width**2)))
    return np.where(image > 0.05, image, 0)


def test_a_recording_of_thin_processes_is_not_rejected_for_its_shapes():
    rng = np.random.default_rng(8)
    shape, n_frames = (96, 96), 900
    images = [stretch(rng, shape) for _ in range(22)]
    kernel = np.exp(-np.arange(60) / 8.0)
    traces = np.array(
        [np.convolve(rng.random(n_frames) < 0.012, kernel)[:n_frames] for _ in images]
    )
    footprints = np.array(images).reshape(len(images), -1).T
    frames = 200 + rng.normal(0, 10, (n_frames, *shape))
    frames += 30 * (footprints @ traces).T.reshape(frames.shape)
    recording = as_recording(frames.astype(np.float32), frame_rate=15.0)
    params = CnmfParams(cell_diameter=9.2, decay_time_s=0.55)
    components = extract_components(recording, params)
    found = components.footprints[:, np.flatnonzero(components.accepted)]
    pairs, _ = match(iou_matrix(footprints, found), 0.3)
    assert len(pairs) >= 0.65 * len(images)
    assert len(pairs) >= 0.8 * found.shape[1]
