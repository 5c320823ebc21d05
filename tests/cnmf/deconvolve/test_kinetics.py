"""Time constants that are known are estimated; where there are none, none change."""

from dataclasses import replace

import numpy as np
import pytest

from napari_mesmerize.cnmf.deconvolve.kinetics import (
    autoregressive_roots,
    estimate_kinetics,
)
from napari_mesmerize.cnmf.deconvolve.oasis import respond
from napari_mesmerize.cnmf.settings import Settings

SETTINGS = Settings(20.0, 0.5, 0.0, radius=3.0)  # a decay of 10 frames


def trace(decay, rise, seed=0, n_frames=20_000, noise=0.1):
    rng = np.random.default_rng(seed)
    spikes = (rng.random(n_frames) < 0.05) * rng.gamma(2, 1, n_frames)
    clean = respond(spikes, decay + rise, -decay * rise)
    return (clean + noise * clean.std() * rng.normal(size=n_frames)).astype(np.float32)


@pytest.mark.parametrize(("decay", "rise"), [(0.9, 0.4), (0.95, 0.6)])
def test_roots_of_a_known_process(decay, rise):
    found = [autoregressive_roots(trace(decay, rise, seed)) for seed in range(5)]
    found = np.median([roots for roots in found if roots is not None], axis=0)
    assert found[0] == pytest.approx(decay, abs=0.02)
    assert rise <= found[1] < rise + 0.15  # it runs too long, as the docstring says


@pytest.mark.parametrize(
    "raw",
    [
        np.zeros(100, np.float32),
        np.ones(10, np.float32),  # too short
        np.cos(np.arange(500) / 3).astype(np.float32),  # it swings
    ],
)
def test_what_is_no_transient_has_no_roots(raw):
    assert autoregressive_roots(raw) is None


def test_the_decay_of_most_traces_is_taken():
    traces = [trace(0.95, 0.5, seed, 4000) for seed in range(15)]
    found = estimate_kinetics(traces, SETTINGS)
    assert found.decay_frames == pytest.approx(-1 / np.log(0.95), rel=0.15)
    assert found.rise_time_s > 0


def test_a_given_rise_stays():
    given = replace(SETTINGS, rise_time_s=0.07)
    traces = [trace(0.95, 0.5, seed, 4000) for seed in range(15)]
    assert estimate_kinetics(traces, given).rise_time_s == 0.07


def test_too_few_traces_change_nothing():
    assert estimate_kinetics([trace(0.95, 0.5)] * 9, SETTINGS) == SETTINGS
    assert estimate_kinetics([], SETTINGS) == SETTINGS


def test_unlikely_decays_do_not_count():
    slow = replace(SETTINGS, decay_time_s=10.0)  # 200 frames; the traces have 10
    traces = [trace(0.9, 0.3, seed, 4000) for seed in range(15)]
    assert estimate_kinetics(traces, slow) == slow
