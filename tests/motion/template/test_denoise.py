"""The share of signal against sums over rings, and against known signal."""

import numpy as np
import pytest
from scipy import fft
from scipy.ndimage import gaussian_filter

from napari_mesmerize.motion.template.contrast import edge_taper
from napari_mesmerize.motion.template.denoise import keep_signal, signal_share


def noise(shape, seed):
    return np.random.default_rng(seed).normal(size=shape)


def share_by_numpy(first, second):
    """Ring by ring: 2 r / (1 + r), r the correlation of both halves."""
    height, width = first.shape[1:]
    window = np.outer(edge_taper(height, 8), edge_taper(width, 8))
    both, power = np.zeros(33), np.zeros(33)
    for a, b in zip(first, second, strict=True):
        one, two = fft.rfft2(a * window), fft.rfft2(b * window)
        for i, y in enumerate(fft.fftfreq(height)):
            for j, x in enumerate(fft.rfftfreq(width)):
                ring = min(round(64 * np.hypot(y, x)), 32)
                both[ring] += (one[i, j] * np.conj(two[i, j])).real
                power[ring] += (abs(one[i, j]) ** 2 + abs(two[i, j]) ** 2) / 2
    smooth = np.zeros((33, 33))
    for k in range(33):
        for step, weight in ((-1, 0.25), (0, 0.5), (1, 0.25)):
            smooth[k, np.clip(k + step, 0, 32)] += weight
    r = np.clip(smooth @ both / np.maximum(smooth @ power, 1e-30), 0, 1)
    return 2 * r / (1 + r)


@pytest.mark.parametrize("shape", [(1, 40, 50), (2, 21, 16), (1, 9, 64)])
def test_shares_are_correlations_of_rings(shape):
    scene = gaussian_filter(noise(shape, 0), (0, 2, 2)) * 5
    first, second = scene + noise(shape, 1), scene + noise(shape, 2)
    np.testing.assert_allclose(
        signal_share(first, second), share_by_numpy(first, second), atol=1e-6
    )


def test_equal_halves_are_all_signal():
    image = noise((1, 64, 64), 0)
    np.testing.assert_allclose(signal_share(image, image), 1)


def test_unlike_halves_are_all_noise():
    shares = [
        signal_share(noise((1, 96, 96), k), noise((1, 96, 96), 50 + k))
        for k in range(8)
    ]
    assert np.mean(shares, axis=0)[4:].max() < 0.1


def test_empty_images_have_a_share():
    share = signal_share(np.zeros((1, 20, 20)), np.zeros((1, 20, 20)))
    np.testing.assert_array_equal(share, 0)


def test_the_filter_brings_the_mean_nearer_to_the_scene():
    scene = gaussian_filter(noise((1, 128, 128), 0), (0, 2, 2), mode="wrap") * 4
    first, second = scene + noise(scene.shape, 1), scene + noise(scene.shape, 2)
    mean = (first + second) / 2
    kept = keep_signal(mean.astype(np.float32), signal_share(first, second))
    before, after = ((image - scene)[0, 8:-8, 8:-8].std() for image in (mean, kept))
    assert after < 0.6 * before


@pytest.mark.parametrize("shape", [(1, 40, 50), (2, 33, 37)])
def test_all_signal_is_all_kept(shape):
    image = noise(shape, 0).astype(np.float32)
    np.testing.assert_allclose(keep_signal(image, np.ones(33)), image, atol=1e-5)
    np.testing.assert_array_equal(keep_signal(image, np.zeros(33)), 0)


def test_a_wave_is_weighed_by_the_share_of_its_frequency():
    y, x = np.mgrid[:64, :80]  # fast lengths: the wave repeats
    wave = np.cos(2 * np.pi * (8 * y / 64 + 10 * x / 80)).astype(np.float32)[None]
    share = np.linspace(1, 0, 33)
    expected = np.interp(64 * np.hypot(8 / 64, 10 / 80), np.arange(33), share)
    np.testing.assert_allclose(keep_signal(wave, share), expected * wave, atol=1e-5)
