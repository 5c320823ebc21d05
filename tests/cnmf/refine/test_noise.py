import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter

from napari_mesmerize.cnmf import CnmfeParams, CnmfParams, extract_components
from napari_mesmerize.cnmf.refine.noise import shared_noise, standardise
from napari_mesmerize.data.recording import as_recording

SHAPE = (64, 70)


def rows_of(frames):
    return np.ascontiguousarray(frames.reshape(len(frames), -1).T, np.float32)


@pytest.fixture(scope="module")
def white():
    return np.random.default_rng(0).normal(0, 1, (250, *SHAPE))


def shared(frames, valid=None):
    rows = rows_of(frames / frames.std())
    known = np.ones(len(rows), bool) if valid is None else valid.ravel()
    return shared_noise(rows, SHAPE, known)


def test_noise_that_neighbours_share_is_told(white):
    assert shared(white) == 1.0
    # a mean over 3 x 3 pixels has a ninth of the variance, its sums keep all of it
    assert shared(uniform_filter(white, (0, 3, 3))) == pytest.approx(3, abs=0.1)
    half = 0.5 * (white + np.roll(white, 1, axis=2))  # bilinear, half a pixel
    assert shared(half) == pytest.approx(np.sqrt(2), abs=0.05)


def test_background_and_unknown_pixels_are_not_taken_for_shared_noise(white):
    flicker = np.random.default_rng(1).normal(0, 1, (250, 4, 4))
    smooth = gaussian_filter(np.kron(flicker, np.ones((16, 18))), (0, 8, 8))
    assert shared(white + 1.5 * smooth[:, :, :70]) < 1.15
    half = 0.5 * (white + np.roll(white, 1, axis=2))
    valid = np.random.default_rng(2).random(SHAPE) > 0.3
    assert shared(half, valid) == pytest.approx(np.sqrt(2), abs=0.06)


def test_little_is_not_judged(white):
    small = uniform_filter(white, (0, 3, 3))[:, :12, :12]
    assert shared_noise(rows_of(small), (12, 12), np.ones(144, bool)) == 1.0
    few = uniform_filter(white, (0, 3, 3))[:2]
    assert shared_noise(rows_of(few), SHAPE, np.ones(len(few[0].ravel()), bool)) == 1.0
    still = np.zeros((50, *SHAPE))
    assert shared_noise(rows_of(still), SHAPE, np.ones(SHAPE, bool).ravel()) == 1.0


def test_the_unit_is_the_noise_of_sums(white):
    frames = 100 + 2 * uniform_filter(white, (0, 3, 3))
    rows = rows_of(frames)
    statistics = standardise(rows, SHAPE, np.ones(len(rows), bool))
    assert statistics.shared == pytest.approx(3, abs=0.1)
    assert np.median(statistics.noise) == pytest.approx(2, rel=0.06)
    blocks = rows.reshape(*SHAPE, -1)[2:62, 3:63].reshape(6, 10, 6, 10, -1)
    assert blocks.sum(axis=(1, 3)).std() / 10 == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize("params", [CnmfParams, CnmfeParams])
def test_filtered_noise_has_no_accepted_component(params):
    rng = np.random.default_rng(5)
    noise = gaussian_filter(rng.normal(0, 60, (600, 72, 72)), (0, 0.8, 0.8))
    recording = as_recording((500 + noise).astype(np.float32), frame_rate=15.0)
    components = extract_components(recording, params(cell_diameter=9.2))
    assert components.accepted.sum() == 0
