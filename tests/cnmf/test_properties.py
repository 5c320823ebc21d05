import numpy as np
import pytest

from napari_mesmerize.cnmf import (
    CnmfeParams,
    CnmfParams,
    Thresholds,
    correlation_pnr,
    estimate_cell_diameter,
    estimate_memory,
    evaluate,
    extract_components,
    find_seeds,
    movie_of,
    params_for,
)
from napari_mesmerize.cnmf.cells import soft_disk
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.simulation.scores import score_components
from napari_mesmerize.simulation.simulate import simulate

PARAMS = CnmfParams(cell_diameter=9.2, decay_time_s=0.55, rise_time_s=0.07)


@pytest.fixture(scope="module")
def movie():
    return simulate("2p-small", seed=33, shape=(400, 80, 80), n_cells=20)


@pytest.fixture(scope="module")
def found(movie):
    return extract_components(movie.recording, PARAMS)


def f1(truth, components):
    return score_components(truth, components.select(components.accepted))["f1"]


def agreement(a, b):
    """Share of accepted components that both results have, by footprints."""
    first, second = (c.footprints[:, np.flatnonzero(c.accepted)] for c in (a, b))
    norms = [np.sqrt((m**2).sum(axis=0)) for m in (first, second)]
    cosine = (first.T @ second).toarray() / np.outer(*norms)
    return (cosine.max(axis=1) > 0.8).mean()


def transients(rng, n_frames, rate=0.03):
    spikes = rng.random(n_frames) < rate
    return np.convolve(spikes, np.exp(-np.arange(40) / 8))[:n_frames]


def test_other_units_change_only_the_units(movie, found):
    frames = movie.recording.to_numpy().astype(np.float32)
    scaled = as_recording(3 * frames + 50, frame_rate=15.0)
    other = extract_components(scaled, PARAMS)
    assert len(other) == len(found)
    np.testing.assert_array_equal(other.accepted, found.accepted)
    np.testing.assert_allclose(
        other.traces["denoised"], 3 * found.traces["denoised"], rtol=0.02, atol=5
    )


def test_mirrored_recordings_give_mirrored_components(movie, found):
    mirrored = extract_components(movie.recording[:, :, ::-1], PARAMS)
    images = mirrored.footprints.toarray().reshape(80, 80, -1)[:, ::-1]
    back = type(found).build(
        images.reshape(6400, -1), (80, 80), mirrored.traces, accepted=mirrored.accepted
    )
    assert agreement(found, back) > 0.9


def test_patches_agree_with_the_whole_field(movie, found):
    params = PARAMS.model_copy(update={"patch_size": 44})
    patched = extract_components(movie.recording, params)
    assert agreement(found, patched) > 0.85
    assert f1(movie.truth, patched) > f1(movie.truth, found) - 0.1


def test_workers_and_memory_change_nothing(movie):
    params = PARAMS.model_copy(update={"patch_size": 44})
    one = extract_components(movie.recording, params, workers=1)
    two = extract_components(
        movie.recording, params, workers=2, max_memory=2**31, seed=0
    )
    np.testing.assert_array_equal(one.accepted, two.accepted)
    for kind, traces in one.traces.items():
        np.testing.assert_array_equal(traces, two.traces[kind])
    assert (one.footprints != two.footprints).nnz == 0


@pytest.mark.parametrize("params", [PARAMS, CnmfeParams(cell_diameter=11.2)])
def test_noise_has_no_accepted_component(params):
    rng = np.random.default_rng(5)
    frames = rng.normal(500, 20, (500, 64, 64)).astype(np.float32)
    components = extract_components(as_recording(frames, frame_rate=15.0), params)
    assert components.accepted.sum() == 0
    assert components.scores.attrs["advice"]


def test_overlapping_cells_with_independent_activity_are_separated():
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:48, :48]
    centres = [(24, 20), (24, 27)]
    images = [soft_disk(np.hypot(y - cy, x - cx), 5, 0.7) for cy, cx in centres]
    traces = [transients(rng, 600) for _ in centres]
    frames = 100 + rng.normal(0, 3, (600, 48, 48))
    for image, trace in zip(images, traces, strict=True):
        frames += 20 * trace[:, None, None] * image
    recording = as_recording(frames.astype(np.float32), frame_rate=15.0)
    components = extract_components(recording, CnmfParams(cell_diameter=10))
    denoised = components.traces["denoised"][components.accepted]
    assert len(denoised) in (2, 3)
    r = np.abs(np.corrcoef(np.concatenate([traces, denoised]))[:2, 2:])
    assert r.max(axis=1).min() > 0.75
    assert r.min(axis=1).max() < 0.4


def test_unknown_borders_and_constant_pixels_are_left_out(movie, found):
    frames = movie.recording.to_numpy().astype(np.float32)
    frames[:, :3] = np.nan
    frames[:, :, -2:] = 7
    frames[::3, 3] = np.nan
    components = extract_components(as_recording(frames, frame_rate=15.0), PARAMS)
    images = components.footprints.toarray().reshape(80, 80, -1)
    assert not images[:3].any()
    assert not images[:, -2:].any()
    assert all(np.isfinite(t).all() for t in components.traces.values())
    assert f1(movie.truth, components) > f1(movie.truth, found) - 0.2


def test_given_masks_are_kept_and_refined(movie):
    masks = movie.truth.footprints.toarray().T.reshape(-1, 80, 80) > 0.3
    components = extract_components(movie.recording, PARAMS, seeds=masks)
    scores = score_components(movie.truth, components)
    assert scores["recall"] > 0.9
    assert scores["trace_corr"] > 0.95


@pytest.mark.parametrize(
    ("change", "least"),
    [
        ({"method_init": "greedy_roi", "components_per_patch": 30}, 0.35),
        ({"method_init": "corr_pnr", "min_corr": 0.5, "min_pnr": 4}, 0.6),
        ({"background": "ring"}, 0.4),
        ({"deconvolution": "ar2"}, 0.8),
        ({"deconvolution": "ar1", "noise": "pixel"}, 0.8),
    ],
)
def test_classical_choices_work(movie, change, least):
    components = extract_components(movie.recording, PARAMS.model_copy(update=change))
    assert f1(movie.truth, components) > least


def test_greedy_roi_needs_a_number():
    recording = as_recording(np.zeros((100, 40, 40)), frame_rate=10.0)
    params = CnmfParams(method_init="greedy_roi")
    with pytest.raises(ParameterError, match="components_per_patch=0"):
        extract_components(recording, params)


def test_moved_thresholds_need_no_new_run(found):
    strict = evaluate(found, Thresholds(min_snr=1e6))
    assert not strict.accepted.any()
    assert "weak: snr" in strict.scores["rejected_because"].iloc[0]
    loose = evaluate(
        found,
        Thresholds(
            min_shape=0,
            min_shape_corrected=0,
            max_size_factor=0,
            min_clear_size=0,
            min_snr=0,
        ),
    )
    assert loose.accepted.all()
    assert "none accepted" in strict.scores.attrs["advice"]


def test_movies_add_up_to_the_recording(movie, found):
    model = movie_of(found, "reconstructed", accepted_only=False)
    rest = movie_of(found, "residual", recording=movie.recording, accepted_only=False)
    total = model[10:13].to_numpy() + rest[10:13].to_numpy()
    np.testing.assert_allclose(total, movie.recording[10:13].to_numpy(), atol=0.01)
    background = movie_of(found, "background")
    cells = movie_of(found, "components", accepted_only=False)
    np.testing.assert_allclose(
        background[5].to_numpy() + cells[5].to_numpy(), model[5].to_numpy(), atol=0.01
    )
    with pytest.raises(ParameterError, match="residual needs the recording"):
        movie_of(found, "residual")


def test_seeds_lie_on_active_cells():
    movie = simulate("1p-small", seed=3, shape=(400, 80, 80), n_cells=12)
    images = correlation_pnr(movie.recording, 11.2)
    assert images.pnr.shape == images.correlation.shape == (80, 80)
    few = find_seeds(images, min_corr=0.5, min_pnr=8)
    many = find_seeds(images, min_corr=0.3, min_pnr=4)
    assert 0 < len(few) <= len(many)
    apart = np.linalg.norm(
        few[:, None] - np.asarray(movie.truth.centroids)[None], axis=2
    )
    assert np.median(apart.min(axis=1)) < 3


@pytest.mark.parametrize(("radius", "n_cells"), [(3.5, 60), (7.0, 20)])
def test_cell_size_is_estimated(radius, n_cells):
    recording, _ = simulate(
        "2p-small", seed=4, shape=(400, 112, 112), radius=radius, n_cells=n_cells
    )
    assert estimate_cell_diameter(recording, 0.55) == pytest.approx(
        2 * radius, rel=0.25
    )


def test_parameters_follow_from_the_recording(movie):
    params = params_for(movie.recording, indicator="GCaMP6f")
    assert params.decay_time_s == 0.4
    assert 6 < params.cell_diameter < 13
    with pytest.raises(ParameterError, match="GCaMP6f"):
        params_for(movie.recording, indicator="GCaMP99")


def test_memory_is_estimated_before_the_run(movie):
    whole = estimate_memory(movie.recording, PARAMS)
    assert whole > movie.recording.size * 4
    longer = as_recording(np.zeros((4000, 80, 80), np.uint8), frame_rate=15.0)
    assert estimate_memory(longer, PARAMS) > whole
