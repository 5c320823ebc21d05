"""What can not be corrected says so, or has a defined result."""

import numpy as np
import pytest

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.motion import (
    PiecewiseParams,
    RigidParams,
    apply_motion,
    correct_motion,
)
from napari_mesmerize.params import parse_params


@pytest.fixture
def recording(make_moved):
    return make_moved((40, 50), 12)[0]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (
            RigidParams(max_shift=20),
            r"max_shift=20 px .* half of the 40 px .* at most 19",
        ),
        (RigidParams(max_shift_x=25), r"max_shift_x=25 px .* 50 px .* at most 24"),
        (
            PiecewiseParams(strides=60),
            r"strides=60 px is larger than the image of 40 x 50",
        ),
        (
            RigidParams(border="nan", output_dtype="uint16"),
            "border='nan' needs output_dtype='float32'",
        ),
        (PiecewiseParams(interpolation="fourier"), "can not follow a field"),
    ],
)
def test_parameters_that_do_not_fit(recording, params, words):
    with pytest.raises(ParameterError, match=words):
        correct_motion(recording, params)


def test_max_shift_z_beyond_half_the_planes(make_moved):
    recording, _ = make_moved((4, 32, 32), 5)
    with pytest.raises(ParameterError, match=r"max_shift_z=2 planes .* 4 planes"):
        correct_motion(recording, RigidParams(max_shift_z=2))


def test_unknown_parameters_are_named():
    with pytest.raises(ParameterError, match="did you mean 'max_shift'"):
        parse_params(RigidParams, {"max_shif": 3})


def test_one_frame(make_moved):
    recording, _ = make_moved((40, 50), 1)
    with pytest.raises(ParameterError, match=r"has 1 frames .* at least 2"):
        correct_motion(recording)


@pytest.mark.parametrize("value", [np.nan, 0.0, 7.0])
@pytest.mark.parametrize("params", [RigidParams(), PiecewiseParams()])
def test_nan_or_constant_frames_only(value, params):
    frames = np.full((20, 32, 32), value, np.float32)
    with pytest.raises(ParameterError, match="at least 2 such frames"):
        correct_motion(as_recording(frames), params)


def test_two_frames_are_enough(make_moved):
    recording, moves = make_moved((48, 56), 2, noise=1.0)
    result = correct_motion(recording)
    np.testing.assert_allclose(
        np.diff(result.shifts, axis=0), -np.diff(moves, axis=0), atol=0.6
    )


@pytest.mark.filterwarnings("ignore:Nothing was moved")
@pytest.mark.parametrize("shape", [(60, 1, 64), (60, 64, 1), (60, 3, 70), (10, 2, 2)])
@pytest.mark.parametrize("params", [RigidParams(), PiecewiseParams()])
def test_thin_frames_have_a_result(shape, params):
    frames = np.random.default_rng(0).normal(100, 10, shape).astype(np.float32)
    result = correct_motion(as_recording(frames), params)
    assert result.shifts.shape == (shape[0], 2)
    assert np.isfinite(result.shifts).all()
    assert result.recording.to_numpy().shape == shape


def test_a_line_moves_along_itself_only():
    scene = np.convolve(np.random.default_rng(1).normal(size=140), np.ones(5) / 5)
    moves = np.random.default_rng(2).integers(-5, 6, 40)
    frames = np.stack([100 + 20 * scene[20 - m : 110 - m] for m in moves])[:, None]
    frames = frames + np.random.default_rng(3).normal(size=frames.shape)
    result = correct_motion(as_recording(frames))
    found = result.shifts[:, 1] + moves
    assert np.abs(found - np.median(found)).max() < 0.5
    np.testing.assert_array_equal(result.shifts[:, 0], 0)


def test_a_template_of_another_shape(recording):
    with pytest.raises(ParameterError, match=r"template has shape \(3, 3\)"):
        correct_motion(recording, template=np.zeros((3, 3)))


def test_a_template_without_structure(recording):
    with pytest.raises(ParameterError, match="template has no structure"):
        correct_motion(recording, template=np.ones((40, 50)))


def test_a_region_of_another_shape_or_empty(recording):
    with pytest.raises(ParameterError, match=r"region has shape \(3, 3\)"):
        correct_motion(recording, region=np.ones((3, 3)))
    with pytest.raises(ParameterError, match="region is empty"):
        correct_motion(recording, region=np.zeros((40, 50)))


def test_a_colour_image_is_no_recording():
    with pytest.raises(ParameterError, match="axes"):
        correct_motion(as_recording(np.zeros((5, 3, 20, 20, 3))))


def test_another_channel_of_another_shape(recording):
    result = correct_motion(recording)
    with pytest.raises(ParameterError, match=r"shape \(11, 40, 50\)"):
        apply_motion(recording[:11], result)


def test_an_unknown_device(recording):
    with pytest.raises(ParameterError, match="device='tpu'"):
        correct_motion(recording, device="tpu")
