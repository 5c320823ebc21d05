"""The table of engines: complete, checked before work, run by name."""

import dataclasses

import numpy as np
import pytest
from pydantic import BaseModel

from napari_mesmerize.cnmf import CnmfeParams, CnmfParams
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.engines import (
    ENGINES,
    engine_names,
    engine_of,
    engines,
    find_engine,
)
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.motion import MotionWarning, PiecewiseParams, RigidParams
from napari_mesmerize.progress import silent


@pytest.fixture
def planes():
    frames = np.random.default_rng(0).normal(100, 10, (200, 40, 44))
    return as_recording(frames.astype(np.float32), frame_rate=15.0)


@pytest.fixture
def volumes(planes):
    frames = planes.to_numpy().reshape(50, 4, 40, 44)
    return as_recording(frames, frame_rate=5.0)


def test_each_engine_has_a_name_a_step_and_params_of_its_own():
    assert engine_names("motion") == ["rigid", "piecewise"]
    assert engine_names("extract") == ["cnmf", "cnmfe", "cnmf3d"]
    models = [engine.params for engine in ENGINES.values()]
    assert len(set(models)) == len(models)
    for name, engine in ENGINES.items():
        assert engine.name == name
        assert engine_of(engine.params()) is engine
        assert find_engine(engine.step, name) is engine
        assert engine in engines(engine.step)
        assert len({one.title for one in ENGINES.values()}) == len(ENGINES)
        assert engine.for_volumes in ("", *ENGINES)


def test_fields_that_forms_show_first_are_fields():
    for engine in ENGINES.values():
        assert engine.first_fields
        assert set(engine.first_fields) <= set(engine.params.model_fields)
        assert engine.params() == engine.params.model_validate({}), "all have defaults"


@pytest.mark.parametrize(
    ("step", "name", "words"),
    [
        ("motion", "rigit", "'rigit' is no engine for 'motion'.*rigid, piecewise"),
        ("motion", "cnmf", "rigid, piecewise"),
        ("extract", "", "cnmf, cnmfe, cnmf3d"),
    ],
)
def test_a_wrong_name_is_told(step, name, words):
    with pytest.raises(ParameterError, match=words):
        find_engine(step, name)


def test_params_of_no_engine_are_told():
    class Other(BaseModel):
        pass

    with pytest.raises(ParameterError, match=r"Other are.*no engine.*RigidParams"):
        engine_of(Other())


def test_engines_take_their_own_params(planes):
    with pytest.raises(ParameterError, match="'cnmfe' takes CnmfeParams"):
        ENGINES["cnmfe"].run(planes, CnmfParams())
    with pytest.raises(ParameterError, match="'rigid' takes RigidParams"):
        ENGINES["rigid"].check(planes, PiecewiseParams())


def test_dims_are_checked_before_work(planes, volumes):
    for name, fits in [("rigid", (1, 1)), ("cnmf", (1, 0)), ("cnmf3d", (0, 1))]:
        engine = ENGINES[name]
        assert (engine.takes(planes), engine.takes(volumes)) == fits
    with pytest.raises(ParameterError, match=r"'cnmfe' does not take.*one of cnmf3d"):
        ENGINES["cnmfe"].check(volumes)
    with pytest.raises(ParameterError, match="choose one of cnmf, cnmfe"):
        ENGINES["cnmf3d"].check(planes)
    assert ENGINES[ENGINES["cnmf"].for_volumes].takes(volumes)


def test_what_engines_need_of_the_recording_is_true(planes):
    unknown = as_recording(planes.to_numpy())
    for engine in ENGINES.values():
        if not engine.planes:
            continue
        if engine.needs_frame_rate:
            with pytest.raises(ParameterError, match="needs the frame rate"):
                engine.check(unknown)
        else:
            engine.check(unknown)
        engine.check(planes)


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("rigid", RigidParams(max_shift=25), "use at most 19"),
        ("piecewise", PiecewiseParams(strides=80), "larger than the image"),
        ("cnmf", CnmfParams(decay_time_s=9.0), "four times"),
    ],
)
def test_params_are_checked_against_the_recording(planes, name, params, words):
    with pytest.raises(ParameterError, match=words):
        ENGINES[name].check(planes, params)


def test_an_extra_that_is_not_installed_is_named(planes):
    engine = dataclasses.replace(
        ENGINES["rigid"], extra="cluster", modules=("json", "nothing_like_it")
    )
    with pytest.raises(ParameterError) as told:
        engine.check(planes)
    assert str(told.value) == (
        "The engine 'rigid' needs nothing_like_it: "
        "pip install 'napari-mesmerize[cluster]'"
    )


def test_running_calls_the_engine(planes):
    with pytest.warns(MotionWarning, match="nothing but noise"):
        result = ENGINES["rigid"].run(planes[:20], max_memory=10**8, progress=silent)
    assert result.params == RigidParams()
    assert result.shifts.shape == (20, 2)
    found = ENGINES["cnmfe"].run(planes, CnmfeParams(cell_diameter=9.0))
    assert found.image_shape == (40, 44)
    assert found.history[-1]["operation"] == "extract_components"
