"""The filter over frames against linear algebra and against known signals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.motion.time import filter as over_time
from napari_mesmerize.motion.time.filter import (
    Modes,
    filter_apart,
    filter_in_time,
    learn_prior,
)


def covariance(size, seed):
    root = np.random.default_rng(seed).normal(size=(size, size + 2))
    return root @ root.T / size


@given(size=st.integers(1, 8), seed=st.integers(0, 99))
def test_modes_diagonalise_both(size, seed):
    information, prior = covariance(size, seed), covariance(size, seed + 1)
    modes = Modes.of(information, prior)
    np.testing.assert_allclose(modes.vectors @ modes.vectors.T, prior, atol=1e-6)
    inner = modes.vectors.T @ information @ modes.vectors
    np.testing.assert_allclose(inner, np.diag(modes.strength), atol=1e-6)


@given(size=st.integers(1, 8), seed=st.integers(0, 99), scale=st.floats(0.1, 50))
def test_the_posterior_is_the_inverse_of_the_sum(size, seed, scale):
    information, prior = covariance(size, seed), covariance(size, seed + 1)
    expected = np.linalg.inv(information + np.linalg.inv(scale * prior))
    found = Modes.of(information, prior).posterior(scale)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@given(n=st.integers(1, 60), length=st.integers(1, 400), seed=st.integers(0, 9))
def test_spectra_are_smoothed_by_a_window_that_widens(n, length, seed):
    power = np.random.default_rng(seed).random((n, 2))
    expected = np.empty_like(power)
    for k in range(n):
        half = int(max(2, 0.15 * k + 0.02 * length / 8))
        expected[k] = power[max(k - half, 0) : k + half + 1].mean(axis=0)
    np.testing.assert_allclose(over_time._smoothed(power, length), expected)


def said(truth, strength, rng):
    """What frames say (information x estimate) of numbers with noise of that size."""
    estimate = truth + rng.normal(size=truth.shape) / np.sqrt(strength)
    return estimate * strength


def error(found, truth):
    return float(np.sqrt(((found - truth) ** 2).mean()))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def slow_numbers(n_frames, rng):
    t = np.arange(n_frames)
    phases = rng.uniform(0, 6, 3)
    return np.stack([0.8 * np.sin(t / 25 + phase) for phase in phases], axis=1)


def test_what_moves_slowly_is_averaged(rng):
    truth = slow_numbers(1000, rng)
    strength = np.array([4.0, 8.0, 2.0])
    modes = Modes.of(np.diag(strength), np.eye(3))
    values = said(truth, strength, rng)
    alone = values / strength
    filter_in_time(values, modes)
    assert error(values, truth) < 0.35 * error(alone, truth)


def test_what_jumps_is_left_alone(rng):
    """White motion: no filter is better than each frame's own posterior mean."""
    truth = rng.normal(size=(4000, 2))
    strength = np.array([4.0, 9.0])
    values = said(truth, strength, rng)
    best = values / (strength + 1)
    filter_in_time(values, Modes.of(np.diag(strength), np.eye(2)))
    assert error(values, truth) < 1.02 * error(best, truth)


def test_noise_alone_becomes_nothing(rng):
    strength = np.array([4.0, 9.0])
    values = said(np.zeros((2000, 2)), strength, rng)
    noise = error(values / strength, 0)
    filter_in_time(values, Modes.of(np.diag(strength), np.eye(2)))
    assert error(values, 0) < 0.2 * noise


def test_numbers_may_be_mixed(rng):
    """Turned modes give the turned result: the basis does not matter."""
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    information, prior = np.diag([4.0, 8.0, 2.0]), np.diag([1.0, 0.5, 2.0])
    truth = slow_numbers(300, rng)
    plain = said(truth, np.diag(information), rng)
    turned = plain @ turn.T
    filter_in_time(plain, Modes.of(information, prior))
    filter_in_time(turned, Modes.of(turn @ information @ turn.T, turn @ prior @ turn.T))
    np.testing.assert_allclose(turned, plain @ turn.T, atol=1e-6)


@pytest.mark.parametrize("n_frames", [1, 2, 3, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_few_frames(n_frames, dtype):
    strength = np.array([100.0, 50.0])
    truth = np.broadcast_to([0.5, -1.0], (n_frames, 2))
    values = (truth * strength).astype(dtype)
    filter_in_time(values, Modes.of(np.diag(strength), np.eye(2)))
    # a constant is drawn to 0 by the prior as by that of one frame, and no more
    expected = truth * strength * n_frames / (1 + strength * n_frames)
    assert values.dtype == dtype
    np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_what_nothing_is_known_about_stays_at_zero(rng):
    strength = np.array([4.0, 0.0])
    values = said(slow_numbers(200, rng)[:, :2], np.array([4.0, 1.0]), rng)
    values[:, 1] = 0
    filter_in_time(values, Modes.of(np.diag(strength), np.eye(2)))
    assert np.isfinite(values).all()
    np.testing.assert_allclose(values[:, 1], 0, atol=1e-6)


def test_power_beyond_the_largest_is_no_motion(rng):
    truth = 10 * slow_numbers(400, rng)
    strength = np.full(3, 4.0)
    values = said(truth, strength, rng)
    free = values.copy()
    modes = Modes.of(np.diag(strength), np.eye(3))
    filter_in_time(free, modes)
    filter_in_time(values, modes, largest=0.01)
    assert values.std() < 0.7 * free.std()


def test_frames_apart_change_nothing_of_others(rng):
    truth = slow_numbers(300, rng)
    information = np.diag([4.0, 8.0, 2.0])
    modes = Modes.of(information, np.eye(3))
    apart = np.zeros(300, bool)
    apart[[0, 57, 58, 299]] = True
    values = said(truth, np.diag(information), rng)
    wild = values.copy()
    wild[apart] = 50 * np.diag(information)
    filter_apart(values, information, modes, apart)
    filter_apart(wild, information, modes, apart)
    np.testing.assert_array_equal(wild[~apart], values[~apart])
    # a frame apart is where it says, but for a weak pull towards its neighbours
    np.testing.assert_allclose(wild[apart], 50, rtol=0.05)


def test_without_frames_apart_it_is_the_filter(rng):
    truth = slow_numbers(100, rng)
    information = np.diag([4.0, 8.0, 2.0])
    modes = Modes.of(information, np.eye(3))
    values = said(truth, np.diag(information), rng)
    other = values.copy()
    filter_in_time(values, modes)
    filter_apart(other, information, modes, np.zeros(100, bool))
    np.testing.assert_array_equal(other, values)


def test_all_frames_apart_are_taken_one_by_one(rng):
    information = np.diag([4.0, 8.0])
    modes = Modes.of(information, np.eye(2))
    values = said(rng.normal(size=(5, 2)), np.diag(information), rng)
    expected = values @ modes.posterior(25.0)
    filter_apart(values, information, modes, np.ones(5, bool))
    np.testing.assert_allclose(values, expected)


def log_likelihood(values, matrix, prior):
    """Of what frames say: mean 0, covariance matrix + matrix prior matrix."""
    spread = matrix + matrix @ prior @ matrix
    sign, logdet = np.linalg.slogdet(spread)
    assert sign == 1
    inner = np.einsum("ti,ij,tj->t", values, np.linalg.inv(spread), values)
    return float(-0.5 * (inner + logdet).sum())


def test_each_step_makes_the_frames_more_likely(rng):
    matrix = covariance(3, 5)
    true = np.diag([2.0, 0.1, 0.5])
    numbers = rng.multivariate_normal(np.zeros(3), true, 3000)
    noise = rng.multivariate_normal(np.zeros(3), matrix, 3000)
    values = numbers @ matrix + noise
    used = np.ones(3000, bool)
    values[-10:], used[-10:] = 1e6, False  # frames that are not learned from
    priors = [learn_prior(values, used, matrix, np.eye(3), n) for n in range(6)]
    fit = [log_likelihood(values[used], matrix, prior) for prior in priors]
    assert (np.diff(fit) > 0).all()


def test_the_prior_is_learned(rng):
    matrix = np.diag([50.0, 50.0])
    true = np.array([[2.0, 0.8], [0.8, 0.5]])
    numbers = rng.multivariate_normal(np.zeros(2), true, 5000)
    values = numbers @ matrix + rng.multivariate_normal(np.zeros(2), matrix, 5000)
    found = learn_prior(values, np.ones(5000, bool), matrix, np.eye(2), 50)
    np.testing.assert_allclose(found, true, rtol=0.1)  # 5,000 frames: 2 % each
