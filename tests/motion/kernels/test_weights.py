"""Tables of interpolation weights against the kernels' formulas."""

import numpy as np
import pytest
import reference

from napari_mesmerize.motion.kernels.weights import PHASES, noise_kept, weight_table

KERNELS = ["linear", "cubic", "lanczos"]


@pytest.mark.parametrize("kernel", KERNELS)
def test_rows_are_the_kernel_at_each_phase(kernel):
    table = weight_table(kernel)
    reach = reference.KERNELS[kernel][1]
    assert table.shape == (PHASES + 1, 2 * reach)
    for phase in range(PHASES):
        _, expected = reference.taps(10 + phase / PHASES, kernel)
        np.testing.assert_allclose(table[phase], expected, atol=1e-7)
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("kernel", KERNELS)
def test_whole_pixels_are_taken_as_they_are(kernel):
    table = weight_table(kernel)
    reach = table.shape[1] // 2
    np.testing.assert_allclose(table[0], np.eye(2 * reach)[reach - 1], atol=1e-7)
    np.testing.assert_allclose(table[-1], np.eye(2 * reach)[reach], atol=1e-7)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("n_axes", [1, 2, 3])
def test_the_share_of_noise_that_is_left(kernel, n_axes):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=200_000)
    reach = reference.KERNELS[kernel][1]
    rows = np.lib.stride_tricks.sliding_window_view(noise, 2 * reach)
    table = weight_table(kernel)[rng.integers(0, PHASES + 1, len(rows))]
    left = (rows * table).sum(axis=1).var()  # of noise of variance 1, along one axis
    assert noise_kept(kernel, n_axes) == pytest.approx(left**n_axes, rel=0.04)
