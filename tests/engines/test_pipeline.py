import numpy as np
import pandas as pd
import pytest

from napari_mesmerize.cnmf import CnmfParams
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.engines.pipeline import engine_params, process
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.motion import PiecewiseParams
from napari_mesmerize.project import create_project
from napari_mesmerize.project.add_processed import add_to_project, tag_by_quality
from napari_mesmerize.simulation.scores import score_components, shift_error
from napari_mesmerize.simulation.simulate import simulate


@pytest.fixture(scope="module")
def moved():
    return simulate("2p-small", "rigid", 3, shape=(300, 64, 64), n_cells=12)


@pytest.fixture(scope="module")
def processed(moved):
    params = {"extract": {"cell_diameter": 10.0}}
    return process(moved.recording, params=params)


def test_the_chain_recovers_shifts_and_cells(moved, processed):
    assert shift_error(processed.motion.shifts, moved.truth)["rmse"] < 0.2
    assert score_components(moved.truth, processed.components)["f1"] > 0.6
    images = {"mean", "max", "std", "correlation", "mean_raw"}
    assert images <= set(processed.projections)
    steps = [usage.name for usage in processed.usages]
    assert steps == ["motion correction", "projections", "extraction"]


def test_a_sample_keeps_the_corrected_pixels(processed, tmp_path):
    with create_project(tmp_path / "study") as project:
        sample = add_to_project(project, "m1", "t1", processed)
        again = sample.open_recording()
        part = processed.recording[5:8].to_numpy()
        np.testing.assert_allclose(again[5:8].to_numpy(), part, rtol=1e-6)
        operations = [step["operation"] for step in sample.history]
    assert operations.index("correct_motion") < operations.index("extract_components")


def test_steps_may_be_left_out(moved):
    left = process(moved.recording, motion_engine="none", extraction_engine="none")
    assert left.motion is None
    assert left.components is None
    assert left.recording is moved.recording


def test_params_go_to_the_engine_of_their_section():
    chosen = engine_params(
        "piecewise", "cnmf", {"motion": {"max_deviation": 4}, "extract": {}}
    )
    assert chosen["motion"] == PiecewiseParams(max_deviation=4)
    assert chosen["extract"] == CnmfParams()
    assert engine_params("none", "none", {}) == {"motion": None, "extract": None}


@pytest.mark.parametrize(
    ("engine", "params", "words"),
    [
        ("rigit", {}, "rigid"),
        ("rigid", {"motoin": {}}, "'motion' and 'extract'"),
        ("rigid", {"motion": {"max_shfit": 3}}, "max_shfit"),
    ],
)
def test_a_wrong_name_is_said(engine, params, words):
    with pytest.raises(ParameterError, match=words):
        engine_params(engine, "cnmf", params)


def test_what_extraction_can_not_use_is_said_before_the_motion_is_corrected(moved):
    def never(iterable, *, desc="", total=None):
        raise AssertionError("work began")

    short = moved.recording[:20]
    with pytest.raises(ParameterError, match="four times decay_time_s") as told:
        process(short, progress=never)
    assert "leave the extraction out" in str(told.value)
    unknown = as_recording(moved.recording.to_numpy())
    with pytest.raises(ParameterError, match="frame rate"):
        process(unknown, progress=never)


def test_quality_follows_acceptance_and_snr():
    rois = pd.DataFrame(
        {"accepted": [True, True, False], "snr": [20.0, 5.0, 30.0]},
        index=pd.Index(["a", "b", "c"], name="roi_id"),
    )
    assert list(tag_by_quality(rois)["quality"]) == ["good", "fair", "rejected"]
    assert "quality" not in rois
