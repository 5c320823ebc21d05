import numpy as np
import pytest

from napari_mesmerize.cnmf import (
    Cnmf3dParams,
    CnmfeParams,
    CnmfParams,
    extract_components,
)
from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import Cancelled, ParameterError
from napari_mesmerize.progress import reporting
from napari_mesmerize.simulation.scores import score_components
from napari_mesmerize.simulation.simulate import simulate


@pytest.fixture(scope="session")
def two_photon():
    return simulate("2p-small", seed=32, shape=(500, 72, 72), n_cells=16)


@pytest.fixture(scope="session")
def params():
    return CnmfParams(cell_diameter=9.2, decay_time_s=0.55, rise_time_s=0.07)


@pytest.fixture(scope="session")
def found(two_photon, params):
    return extract_components(two_photon.recording, params)


def accepted_scores(truth, components):
    return score_components(truth, components.select(components.accepted))


def test_two_photon_cells_traces_and_spikes_are_found(two_photon, found):
    scores = accepted_scores(two_photon.truth, found)
    assert scores["f1"] > 0.85
    assert scores["trace_corr"] > 0.95
    assert scores["spike_corr"] > 0.9


def test_result_has_all_parts_in_the_recordings_units(two_photon, found):
    shape = two_photon.recording.shape
    assert found.image_shape == shape[1:]
    assert set(found.traces) >= {"raw", "denoised", "residual", "dff", "spikes"}
    for traces in found.traces.values():
        assert traces.shape == (len(found), shape[0])
        assert np.isfinite(traces).all()
    tops = found.footprints.max(axis=0).toarray().ravel()
    np.testing.assert_allclose(tops, 1, rtol=1e-5)
    assert (found.traces["spikes"] >= 0).all()
    np.testing.assert_allclose(
        found.traces["raw"] - found.traces["denoised"],
        found.traces["residual"],
        atol=1e-3,
    )
    rejected = found.scores["rejected_because"] != ""
    np.testing.assert_array_equal(found.accepted, ~rejected)
    assert found.history[-1]["operation"] == "extract_components"


def test_model_explains_the_movie_up_to_noise(two_photon, found):
    movie = two_photon.recording.to_numpy().astype(np.float32)
    flat = movie.reshape(len(movie), -1).T
    background = found.background
    model = background.static[:, None] + background.spatial @ background.temporal
    model = model + found.footprints @ found.traces["denoised"]
    noise = np.diff(flat, axis=1).std(axis=1) / np.sqrt(2)
    left = (flat - model).std(axis=1)
    assert np.median(left / noise) < 1.05
    assert np.abs((flat - model).mean(axis=1) / noise).max() < 1


@pytest.mark.slow
def test_one_photon_cells_are_found():
    movie = simulate("1p-small", seed=31, shape=(500, 96, 96), n_cells=16)
    params = CnmfeParams(cell_diameter=11.2, decay_time_s=0.6, rise_time_s=0.08)
    scores = accepted_scores(movie.truth, extract_components(movie.recording, params))
    assert scores["f1"] > 0.85
    assert scores["trace_corr"] > 0.93


@pytest.mark.slow
def test_volume_cells_are_found():
    movie = simulate("3d-small", seed=31, shape=(300, 6, 64, 64), n_cells=14)
    params = Cnmf3dParams(cell_diameter=9.2, decay_time_s=0.55)
    components = extract_components(movie.recording, params)
    assert components.image_shape == (6, 64, 64)
    assert accepted_scores(movie.truth, components)["f1"] > 0.75


def test_advice_survives_saving(two_photon, params, tmp_path):
    strict = params.model_copy(update={"min_shape": 1.0})
    none = extract_components(two_photon.recording, strict)
    advice = none.scores.attrs["advice"]
    assert "none accepted" in advice
    none.save(tmp_path / "none.zarr")
    assert Components.load(tmp_path / "none.zarr").scores.attrs["advice"] == advice


def test_components_survive_saving(found, tmp_path):
    found.save(tmp_path / "found.zarr")
    loaded = Components.load(tmp_path / "found.zarr")
    np.testing.assert_array_equal(loaded.accepted, found.accepted)
    assert list(loaded.scores["rejected_because"]) == list(
        found.scores["rejected_because"]
    )


def test_cancel_stops_in_the_middle(two_photon, params):
    def stop(desc, done, total):
        if done == 3:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        extract_components(two_photon.recording, params, progress=reporting(stop))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cell_diameter": 100}, "does not fit into a field of 72 x 72"),
        ({"decay_time_s": 30}, "less than four times decay_time_s"),
        ({"cell_diameter_um": 10}, "needs the pixel size"),
        ({"cell_diameter": 9, "patch_size": 12}, "patch_size=12"),
    ],
)
def test_parameters_that_do_not_fit_are_named(two_photon, change, words):
    with pytest.raises(ParameterError, match=words):
        extract_components(two_photon.recording, CnmfParams(**change))


def test_too_little_memory_says_how_much_is_needed(two_photon, params):
    with pytest.raises(ParameterError, match=r"needs about \d+ MB"):
        extract_components(two_photon.recording, params, max_memory=2**20)


def test_missing_frame_rate_is_named():
    with pytest.raises(ParameterError, match="frame rate"):
        extract_components(as_recording(np.zeros((50, 40, 40))))


def test_seeds_of_another_shape_are_named(two_photon):
    with pytest.raises(ParameterError, match=r"\(72, 72\)"):
        extract_components(two_photon.recording, seeds=np.zeros((2, 50, 50)))


def test_constant_recording_has_no_components():
    still = as_recording(np.full((100, 40, 40), 7, np.uint16), frame_rate=10.0)
    components = extract_components(still)
    assert len(components) == 0
    assert "detection_threshold" in components.scores.attrs["advice"]


def test_volume_params_need_a_volume(two_photon):
    with pytest.raises(ParameterError, match="CnmfParams or CnmfeParams"):
        extract_components(two_photon.recording, Cnmf3dParams())
