import numpy as np
import pytest

from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.deconvolve.kinetics import (
    autoregressive_roots,
    estimate_kinetics,
)
from napari_mesmerize.cnmf.deconvolve.oasis import respond
from napari_mesmerize.cnmf.deconvolve.spikes import deconvolve_ar, deconvolve_cells
from napari_mesmerize.cnmf.params import CnmfParams
from napari_mesmerize.cnmf.settings import Settings

SETTINGS = Settings(frame_rate=15.0, decay_time_s=0.5, rise_time_s=0.07, radius=5)


def made(n_traces, n_frames=2000, level=20.0):
    rng = np.random.default_rng(8)
    decay, rise = SETTINGS.decay_factor, SETTINGS.rise_factor
    spikes = (rng.random((n_traces, n_frames)) < 0.02) * rng.gamma(4, 2, n_frames)
    traces = [respond(s, decay + rise, -decay * rise) for s in spikes]
    noisy = np.array(traces) + rng.normal(0, 1, (n_traces, n_frames)) + level
    return spikes, np.array(traces), noisy.astype(np.float32)


def test_trace_spikes_and_baseline_of_an_ar2_process():
    spikes, traces, noisy = made(5)
    for true, trace, raw in zip(spikes, traces, noisy, strict=True):
        denoised, found, baseline = deconvolve_ar(raw, SETTINGS, 2)
        assert baseline == pytest.approx(20, abs=0.3)
        assert np.corrcoef(trace, denoised)[0, 1] > 0.98
        assert np.corrcoef(true, found)[0, 1] > 0.75
        assert found.sum() == pytest.approx(true.sum() * trace.max() / true.max(), 0.5)


def test_order_two_follows_a_rise_that_order_one_can_not():
    _, traces, noisy = made(5)
    errors = {}
    for order in (1, 2):
        fits = [deconvolve_ar(raw, SETTINGS, order)[0] for raw in noisy]
        errors[order] = np.mean((np.array(fits) - traces) ** 2)
    assert errors[2] < 0.7 * errors[1]


def test_spikes_below_the_smallest_are_left_out():
    _, _, noisy = made(1)
    many = deconvolve_ar(noisy[0], SETTINGS, 2, 1.0)[1]
    few = deconvolve_ar(noisy[0], SETTINGS, 2, 6.0)[1]
    assert 0 < (few > 0).sum() < (many > 0).sum()


def test_roots_of_a_known_process():
    _, _, noisy = made(1, n_frames=20000)
    decay, rise = autoregressive_roots(noisy[0])
    assert decay == pytest.approx(SETTINGS.decay_factor, abs=0.03)
    assert rise == pytest.approx(SETTINGS.rise_factor, abs=0.15)
    assert autoregressive_roots(noisy[0][:10]) is None
    assert autoregressive_roots(np.zeros(100, np.float32)) is None


@pytest.mark.parametrize("given", [0.25, 0.5, 1.0])
def test_decay_is_estimated_whatever_was_given(given):
    _, _, noisy = made(30)
    wrong = Settings(15.0, decay_time_s=given, rise_time_s=0.07, radius=5)
    found = estimate_kinetics(list(noisy), wrong)
    assert found.decay_time_s == pytest.approx(0.5, rel=0.2)
    assert found.rise_time_s == 0.07
    without = estimate_kinetics(list(noisy), Settings(15.0, given, 0.0, 5))
    assert 0 < without.rise_time_s < 0.2
    assert estimate_kinetics(list(noisy[:3]), wrong) is wrong
    assert estimate_kinetics([], wrong) is wrong


def test_cells_are_deconvolved_as_the_parameters_say():
    _, traces, noisy = made(12)
    for way in ("kernel", "ar1", "ar2", "none"):
        params = CnmfParams(deconvolution=way, estimate_kinetics=True)
        cells = [
            Cell(np.arange(4), np.ones(4, np.float32), trace=raw - 20, raw=raw)
            for raw in noisy
        ]
        deconvolve_cells(cells, SETTINGS, params)
        for cell, trace in zip(cells, traces, strict=True):
            assert np.corrcoef(cell.trace, trace)[0, 1] > 0.9
            assert cell.spikes.any() == (way != "none")
            assert cell.baseline == pytest.approx(20, abs=0.5)
