import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from napari_mesmerize.cnmf.deconvolve.deconvolution import oasis_ar1
from napari_mesmerize.cnmf.deconvolve.oasis import fit_spikes, impulse_response, respond

PROCESSES = [(0.9, 0.0), (0.9, 0.5), (0.97, 0.8), (0.95, 0.94)]


def coefficients(decay, rise):
    return decay + rise, -decay * rise


def simulated(process, n_frames, rng, noise=0.2, rate=0.05):
    g = coefficients(*process)
    spikes = (rng.random(n_frames) < rate) * rng.gamma(2, 1, n_frames)
    height = impulse_response(*g, 100).max()
    trace = respond(spikes, *g) + rng.normal(0, noise * height, n_frames)
    return spikes, trace, g


def convolution(g, n_frames):
    response = impulse_response(*g, n_frames)
    columns = [
        np.concatenate([np.zeros(k), response[: n_frames - k]]) for k in range(n_frames)
    ]
    return np.stack(columns, axis=1)


@settings(max_examples=40, deadline=None)
@given(
    process=st.sampled_from(PROCESSES),
    n_frames=st.integers(2, 60),
    penalty=st.sampled_from([0.0, 0.3, 2.0]),
    seed=st.integers(0, 10**6),
)
def test_spikes_are_the_best_non_negative_ones(process, n_frames, penalty, seed):
    _, trace, g = simulated(process, n_frames, np.random.default_rng(seed), rate=0.15)
    spikes, denoised = fit_spikes(trace, *g, penalty=penalty)
    response = convolution(g, n_frames)
    # brute force: the penalised problem as plain non-negative least squares
    root = np.linalg.cholesky(response.T @ response)
    target = np.linalg.solve(root, response.T @ trace - penalty)
    expected, _ = nnls(root.T, target)
    np.testing.assert_allclose(spikes, expected, atol=1e-6)
    np.testing.assert_allclose(denoised, response @ spikes, atol=1e-9)


def test_pools_of_ar1_are_the_same_solution():
    _, trace, g = simulated((0.9, 0.0), 400, np.random.default_rng(3))
    for penalty in (0.0, 0.5):
        _, denoised = fit_spikes(trace, *g, penalty=penalty)
        np.testing.assert_allclose(
            oasis_ar1(trace, 0.9, penalty, 0.0), denoised, atol=1e-6
        )


@pytest.mark.parametrize("process", [(0.9, 0.0), (0.95, 0.6)])
def test_known_spikes_are_recovered(process):
    rng = np.random.default_rng(1)
    true, trace, g = simulated(process, 3000, rng, noise=0.1, rate=0.02)
    spikes, denoised = fit_spikes(trace, *g, penalty=0.3)
    assert np.corrcoef(respond(true, *g), denoised)[0, 1] > 0.99
    near = np.ones(3)
    smooth = np.convolve(true, near, "same"), np.convolve(spikes, near, "same")
    assert np.corrcoef(*smooth)[0, 1] > 0.95


def test_traces_without_noise_are_reproduced_exactly():
    true, trace, g = simulated((0.95, 0.6), 500, np.random.default_rng(5), noise=0)
    spikes, denoised = fit_spikes(trace, *g)
    np.testing.assert_allclose(spikes, true, atol=1e-8)
    np.testing.assert_allclose(denoised, trace, atol=1e-8)


def test_small_spikes_are_left_out():
    _, trace, g = simulated((0.95, 0.6), 800, np.random.default_rng(7))
    spikes, denoised = fit_spikes(trace, *g, smallest_spike=1.0)
    assert (spikes[spikes > 0] >= 1.0).all()
    assert 10 < (spikes > 0).sum() < 80
    np.testing.assert_allclose(denoised, respond(spikes, *g))


@pytest.mark.parametrize("trace", [np.zeros(50), -np.ones(50), np.full(1, 2.0)])
def test_flat_and_short_traces(trace):
    spikes, denoised = fit_spikes(trace, 1.5, -0.55)
    assert (spikes >= 0).all()
    assert np.isfinite(denoised).all()
    assert spikes[1:].max(initial=0) < 1e-9
