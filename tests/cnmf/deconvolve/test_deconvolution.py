"""Denoising and non-negative deconvolution against brute force and known spikes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from napari_mesmerize.cnmf.deconvolve.deconvolution import (
    deconvolve_kernel,
    deconvolve_nonnegative,
    denoise,
    difference_noise,
    oasis_ar1,
    remove_baseline,
)

KERNEL = np.array([0.4, 1.0, 0.7, 0.5, 0.3, 0.2, 0.1])


def simulated(n_frames=600, noise=0.3, decay=0.9, rate=0.04, seed=0):
    rng = np.random.default_rng(seed)
    spikes = (rng.random(n_frames) < rate) * rng.gamma(4, 0.5, n_frames)
    trace = np.convolve(spikes, decay ** np.arange(100))[:n_frames]
    return spikes, trace, trace + noise * rng.normal(size=n_frames)


@settings(max_examples=40)
@given(
    n_frames=st.integers(1, 40),
    penalty=st.sampled_from([0.0, 0.5, 3.0]),
    seed=st.integers(0, 999),
)
def test_spikes_minimise_the_penalised_misfit(n_frames, penalty, seed):
    rng = np.random.default_rng(seed)
    trace = np.convolve((rng.random(n_frames) < 0.2) * 3.0, KERNEL)[:n_frames]
    trace += 0.5 * rng.normal(size=n_frames)
    found = deconvolve_nonnegative(trace, KERNEL, penalty, 2000)
    design = np.stack(
        [
            np.concatenate([np.zeros(t), KERNEL, np.zeros(n_frames)])[:n_frames]
            for t in range(n_frames)
        ],
        axis=1,
    )
    root = np.linalg.cholesky(design.T @ design + 1e-10 * np.eye(n_frames))
    target = np.linalg.solve(root, design.T @ trace - penalty)
    best, _ = nnls(root.T, target, maxiter=100 * n_frames + 100)

    def cost(spikes):
        return 0.5 * ((trace - design @ spikes) ** 2).sum() + penalty * spikes.sum()

    assert (found >= 0).all()
    # descent ends when a whole sweep changes the fit by less than 1e-3
    assert cost(found) <= cost(best) + 1e-2


def fits_between_jumps(trace, decay, smallest_jump):
    """Brute force: each way to cut the frames into pools, the best that is allowed."""
    n = len(trace)
    best, cost = None, np.inf
    for cuts in range(2 ** (n - 1)):
        starts = [0] + [t for t in range(1, n) if cuts >> (t - 1) & 1]
        fit = np.zeros(n)
        for start, end in zip(starts, [*starts[1:], n], strict=True):
            shape = decay ** np.arange(end - start)
            fit[start:end] = (
                max((trace[start:end] @ shape) / (shape @ shape), 0) * shape
            )
        jumps = [fit[t] - decay * fit[t - 1] for t in starts[1:]]
        if all(jump >= smallest_jump - 1e-9 for jump in jumps):
            misfit = ((trace - fit) ** 2).sum()
            if misfit < cost:
                best, cost = fit, misfit
    return best, cost


@settings(max_examples=40)
@given(n=st.integers(1, 9), seed=st.integers(0, 999))
def test_pools_without_a_smallest_jump_are_the_best_fit(n, seed):
    trace = np.random.default_rng(seed).normal(0.5, 1, n)
    expected, _ = fits_between_jumps(trace, 0.8, 0.0)
    np.testing.assert_allclose(oasis_ar1(trace, 0.8, 0.0, 0.0), expected, atol=1e-9)


@settings(max_examples=40)
@given(
    n=st.integers(1, 60),
    jump=st.floats(0, 3),
    decay=st.floats(0.2, 0.99),
    seed=st.integers(0, 99),
)
def test_a_trace_decays_between_jumps_that_are_large_enough(n, jump, decay, seed):
    trace = np.random.default_rng(seed).normal(1, 1.5, n)
    found = oasis_ar1(trace, decay, 0.0, jump)
    assert (found >= 0).all()
    step = found[1:] - decay * found[:-1]
    falls = np.abs(step) < 1e-9
    rises = step >= min(jump, found.max()) - 1e-9
    # a pool below 0 is shown as 0, so that the next seems to jump by less
    assert (falls | rises | (found[:-1] == 0)).all()


@pytest.mark.parametrize("sd", [0.1, 1.0, 30.0])
def test_noise_is_told_by_differences(sd):
    rng = np.random.default_rng(0)
    slow = 50 * sd * np.sin(np.arange(20_000) / 2000)
    noise = difference_noise(slow + sd * rng.normal(size=20_000))
    assert noise == pytest.approx(sd, rel=0.03)


@pytest.mark.parametrize("trace", [np.zeros(1), np.zeros(0), np.full(10, 3.0)])
def test_what_does_not_change_has_hardly_any_noise(trace):
    assert difference_noise(trace) == pytest.approx(1e-9)


@pytest.mark.parametrize("level", [-7.0, 0.0, 250.0])
def test_the_baseline_is_removed(level):
    _, _, trace = simulated()
    found, noise = remove_baseline(trace + level, 0.9, 2.5)
    assert noise == pytest.approx(0.3, rel=0.25)  # events count a little
    shift = trace + level - found
    np.testing.assert_allclose(shift, shift[0])
    assert shift[0] == pytest.approx(level, abs=0.15)


def test_denoised_traces_are_nearer_to_the_truth():
    _, true, trace = simulated(2000)
    found = denoise(trace.astype(np.float32), 0.9, 2.5)
    assert found.dtype == np.float32
    assert ((found - true) ** 2).mean() < 0.4 * ((trace - true) ** 2).mean()


def test_kernels_with_a_rise_are_deconvolved():
    kernel = 0.9 ** np.arange(1, 50) - 0.5 ** np.arange(1, 50)
    kernel /= kernel.max()
    rng = np.random.default_rng(1)
    spikes = (rng.random(2000) < 0.02) * rng.gamma(4, 0.5, 2000)
    true = np.convolve(spikes, kernel)[:2000]
    raw = (true + 12 + 0.1 * rng.normal(size=2000)).astype(np.float32)
    denoised, found, baseline = deconvolve_kernel(raw, kernel, 0.9)
    assert baseline == pytest.approx(12, abs=0.1)
    assert np.corrcoef(denoised, true)[0, 1] > 0.99
    smooth = [np.convolve(each, np.ones(3), "same") for each in (spikes, found)]
    assert np.corrcoef(*smooth)[0, 1] > 0.95
    np.testing.assert_allclose(denoised, np.convolve(found, kernel)[:2000])


@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 7])
def test_short_traces_have_outputs_of_their_length(n_frames):
    raw = np.arange(n_frames, dtype=np.float32)
    denoised, spikes, baseline = deconvolve_kernel(raw, KERNEL, 0.9)
    assert denoised.shape == spikes.shape == (n_frames,)
    assert np.isfinite(denoised).all()
    assert np.isfinite(baseline)
