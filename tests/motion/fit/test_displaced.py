"""Tissue that jumps by a quarter of the image and stays there."""

import numpy as np
import pytest
from scipy import ndimage

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.motion import PiecewiseParams, RigidParams, correct_motion


def error(found, true):
    wrong = found + true.reshape(len(true), *(1,) * (found.ndim - 2), 2)
    wrong = wrong - np.median(wrong, axis=0)
    return np.sqrt((wrong**2).sum(axis=-1).mean())


@pytest.mark.slow
def test_a_field_of_displaced_tissue_is_as_good_as_one_shift():
    rng = np.random.default_rng(4)
    scene = ndimage.gaussian_filter(rng.normal(size=(140, 140)), 2.0)
    scene = 200 + 30 * scene / scene.std()
    moves = 1.2 * rng.normal(size=(200, 2))
    moves[50:] += (14, -10)
    moves[120:] -= (24, -18)
    frames = []
    for move in moves:
        moved = ndimage.shift(scene, move, order=3, mode="nearest")[22:118, 22:118]
        frames.append(moved + 20 * rng.normal(size=moved.shape))
    recording = as_recording(np.array(frames, np.float32))
    rigid = correct_motion(recording, RigidParams(max_shift=30))
    bent = correct_motion(recording, PiecewiseParams(max_shift=30))
    one = error(rigid.shifts, moves)
    assert one < 0.04
    # the outermost places extrapolate
    assert error(bent.field[:, 1:-1, 1:-1], moves) < 1.15 * one
