"""Scores: the reference program's numbers, and what perfect and useless results get."""

import numpy as np
import pytest
from scipy import sparse

from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.motion.quality import crispness, template_correlation
from napari_mesmerize.simulation.scores import (
    field_error,
    iou_matrix,
    match,
    resample_field,
    score_components,
    shift_error,
    shift_footprints,
)
from napari_mesmerize.simulation.simulate import simulate


def estimate(truth):
    """Some true cells with noise, one ignored object, one that is nothing."""
    rng = np.random.default_rng(1)
    n_pixels, n_frames = truth.footprints.shape[0], truth.traces.shape[1]
    kept = np.flatnonzero(np.arange(len(truth)) % 4 > 0)
    nothing = np.zeros((n_pixels, 1))
    nothing[:7] = 1
    columns = [
        truth.footprints[:, kept].toarray(),
        truth.ignored[:, :1].toarray(),
        nothing,
    ]
    footprints = np.concatenate(columns, axis=1)
    footprints *= 0.7 + 0.6 * rng.random(footprints.shape)
    traces = 0.5 * rng.standard_normal((len(kept) + 2, n_frames))
    traces[: len(kept)] += truth.traces[kept]
    spikes = 0.3 * rng.random(traces.shape)
    spikes[: len(kept)] += truth.spikes[kept]
    return footprints, traces, spikes


@pytest.fixture(scope="module")
def bending():
    return simulate("2p-small", "piecewise", 1, shape=(150, 64, 64), n_cells=14).truth


def moved(truth):
    """Displacements with an error and a constant added."""
    rng = np.random.default_rng(2)
    error = rng.normal(0, 0.1, truth.shifts.shape)
    return truth.shifts + error + np.arange(1, 1 + truth.shifts.shape[1])


def bent(truth, y, x):
    rng = np.random.default_rng(3)
    field = truth.displacement(y, x)
    return field + rng.normal(0, 0.1, field.shape) + 0.5


# Made by the reference program from the estimates above.
COMPONENTS = {
    "n_true": 11,
    "n_est": 10,
    "precision": 0.888888889,
    "recall": 0.727272727,
    "f1": 0.8,
    "n_ignored": 1,
    "iou_matched": 0.919700384,
    "cosine_matched": 0.985072476,
    "recall_snr_low": 0.6,
    "recall_snr_mid": 1.0,
    "recall_snr_high": 0.0,
    "precision_cosine": 0.888888889,
    "recall_cosine": 0.727272727,
    "f1_cosine": 0.8,
    "trace_corr": 0.95414426,
    "trace_corr_p10": 0.850532448,
    "spike_corr": 0.948529114,
}
COMPONENTS_OFFSET = {
    "n_true": 11,
    "n_est": 10,
    "precision": 0.888888889,
    "recall": 0.727272727,
    "f1": 0.8,
    "n_ignored": 1,
    "iou_matched": 0.717084646,
    "cosine_matched": 0.901579502,
    "recall_snr_low": 0.6,
    "recall_snr_mid": 1.0,
    "recall_snr_high": 0.0,
    "precision_cosine": 0.888888889,
    "recall_cosine": 0.727272727,
    "f1_cosine": 0.8,
    "trace_corr": 0.95414426,
    "trace_corr_p10": 0.850532448,
    "spike_corr": 0.948529114,
}
COMPONENTS_3D = {
    "n_true": 10,
    "n_est": 9,
    "precision": 0.875,
    "recall": 0.7,
    "f1": 0.777777778,
    "n_ignored": 1,
    "iou_matched": 0.897637784,
    "cosine_matched": 0.985200027,
    "recall_snr_low": None,
    "recall_snr_mid": 0.75,
    "recall_snr_high": 0.666666667,
    "precision_cosine": 0.875,
    "recall_cosine": 0.7,
    "f1_cosine": 0.777777778,
    "trace_corr": 0.984502802,
    "trace_corr_p10": 0.938447752,
    "spike_corr": 0.979555115,
}
SHIFTS = {
    "rmse": 0.140891697,
    "p95": 0.244275008,
    "max": 0.327186454,
    "offset": [0.99450514, 1.98950569],
    "identity": 1.29290015,
}
FIELD = {
    "rmse": 0.100883673,
    "p95": 0.179378094,
    "identity": 2.19464325,
    "rigid_only": 0.518124136,
    "inner": {
        "rmse": 0.106181529,
        "p95": 0.18830971,
        "identity": 2.15703199,
        "rigid_only": 0.33943165,
    },
}
CRISPNESS = 1628.3842
TEMPLATE = (0.631449, 0.5483396)


def assert_same(found, expected, rel):
    assert set(found) == set(expected)
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_same(found[name], value, rel)
        elif value is None:
            assert found[name] is None
        else:
            assert found[name] == pytest.approx(value, rel=rel), name


def test_components_score_as_the_reference_says(small_2p, small_3d):
    footprints, traces, spikes = estimate(small_2p.truth)
    found = score_components(small_2p.truth, footprints, traces, spikes)
    assert_same(found, COMPONENTS, 1e-6)
    found = score_components(small_2p.truth, footprints, traces, spikes, (1, -1))
    assert_same(found, COMPONENTS_OFFSET, 1e-6)
    found = score_components(small_3d.truth, *estimate(small_3d.truth))
    assert_same(found, COMPONENTS_3D, 1e-6)


def test_motion_scores_as_the_reference_says(small_2p_rigid, bending):
    truth = small_2p_rigid.truth
    assert_same(shift_error(-moved(truth), truth), SHIFTS, 1e-5)
    y, x = np.arange(4, 64, 12), np.arange(6, 64, 10)
    assert_same(field_error(-bent(bending, y, x), y, x, bending), FIELD, 1e-5)
    frames = small_2p_rigid.recording.to_numpy().astype(np.float32)
    assert crispness(frames.mean(0), 8) == pytest.approx(CRISPNESS, rel=1e-4)
    found = template_correlation(frames, border=8)
    assert found == pytest.approx(TEMPLATE, rel=1e-4)


def test_the_truth_itself_scores_1(small_2p):
    truth = small_2p.truth
    scores = score_components(truth, truth.footprints, truth.traces, truth.spikes)
    for name in ("f1", "f1_cosine", "iou_matched", "trace_corr", "spike_corr"):
        assert scores[name] == pytest.approx(1, abs=1e-6)


def test_nothing_scores_0(small_2p):
    truth = small_2p.truth
    nothing = sparse.csc_array((64 * 64, 0))
    scores = score_components(truth, nothing, np.zeros((0, 300)))
    assert (scores["f1"], scores["n_est"]) == (0, 0)
    assert "trace_corr" not in scores


def test_of_components_only_the_accepted_ones_count(small_2p):
    truth = small_2p.truth
    footprints, traces, spikes = estimate(truth)
    accepted = np.arange(len(traces)) % 3 > 0
    components = Components.build(
        footprints,
        (64, 64),
        {"denoised": traces, "spikes": spikes, "raw": traces * 0},
        accepted=accepted,
    )
    assert score_components(truth, components) == pytest.approx(
        score_components(
            truth,
            footprints[:, accepted],
            traces[accepted].astype(np.float32),
            spikes[accepted].astype(np.float32),
        )
    )
    everything = score_components(truth, components, traces=traces)
    assert everything["n_est"] == accepted.sum()


def test_offset_of_shifts_is_the_offset_of_components(small_2p_rigid):
    truth = small_2p_rigid.truth
    shifted = shift_footprints(truth.footprints, (64, 64), (-2, 3))
    # A correction to a template that sits at (-2, 3) adds that to the true correction.
    offset = shift_error(-truth.shifts + [-2, 3], truth)["offset"]
    assert offset == pytest.approx([2, -3], abs=1e-5)
    assert score_components(truth, shifted)["iou_matched"] < 0.5
    found = score_components(truth, shifted, offset=offset)
    assert found["iou_matched"] > 0.9


def test_shift_error_knows_the_sign(small_2p_rigid):
    truth = small_2p_rigid.truth
    assert shift_error(-truth.shifts, truth)["rmse"] == 0
    wrong = shift_error(truth.shifts, truth.shifts)
    assert wrong["rmse"] == pytest.approx(2 * wrong["identity"])
    nothing = shift_error(np.zeros_like(truth.shifts), truth)
    assert nothing["rmse"] == nothing["identity"]


def test_a_rigid_field_is_a_field_of_one_patch(bending):
    points = np.arange(8, 56, 8)
    best = bending.displacement(points, points).mean((1, 2), keepdims=True)
    found = field_error(-best, [0], [0], bending)
    assert found["rmse"] == pytest.approx(found["rigid_only"])


def test_fields_are_constant_outside_their_points():
    field = np.arange(6.0).reshape(1, 3, 1, 2)
    found = resample_field(field, [10, 20, 30], [5], [0, 15, 99], [0, 7])
    np.testing.assert_allclose(found[0, :, 0, 0], [0, 1, 4])
    np.testing.assert_allclose(found[0, :, 1, 0], [0, 1, 4])


def test_masks_and_matches():
    a = np.array([[1, 1, 0.1, 0], [0, 0, 1, 1]], float).T
    b = np.array([[0, 2, 2, 0], [5, 5, 0, 0], [0, 0, 0, 1]], float).T
    overlap = iou_matrix(a, b)
    np.testing.assert_allclose(overlap, [[1 / 3, 1, 0], [1 / 3, 0, 0.5]])
    pairs, values = match(overlap, 0.4)
    assert pairs.tolist() == [[0, 1], [1, 2]]
    assert values.tolist() == [1, 0.5]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda t: score_components(t, np.zeros((5, 2))), "5 pixels.*4096"),
        (
            lambda t: score_components(t, t.footprints, np.zeros((2, 300))),
            "traces have shape",
        ),
        (
            lambda t: score_components(t, t.footprints, t.traces[:, :9]),
            "300 frames",
        ),
        (lambda t: score_components(t, t.footprints, offset=(1,)), "2 numbers"),
        (lambda t: shift_error(t.shifts[:5], t), r"\(5, 2\)"),
        (lambda t: field_error(t.shifts, [0], [0], t), r"\(300, 1, 1, 2\)"),
        (lambda t: crispness(np.zeros((10, 10)), 5), "smaller"),
    ],
)
def test_what_does_not_fit_is_said(small_2p, call, text):
    with pytest.raises(ParameterError, match=text):
        call(small_2p.truth)
