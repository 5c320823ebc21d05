"""Known motion is recovered; what must not matter does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.motion import PiecewiseParams, RigidParams, correct_motion
from napari_mesmerize.simulation.scores import field_error, shift_error
from napari_mesmerize.simulation.simulate import simulate


def rms(errors):
    errors = errors - np.median(errors, axis=0)
    return float(np.sqrt((errors**2).sum(axis=-1).mean()))


@given(
    seed=st.integers(0, 1000),
    height=st.integers(33, 60),
    width=st.integers(33, 60),
    dtype=st.sampled_from([np.uint8, np.uint16, np.int16, np.float32, np.float64]),
)
@settings(max_examples=8)
def test_rigid_recovers_subpixel_shifts_of_any_dtype_and_size(
    make_moved, seed, height, width, dtype
):
    recording, moves = make_moved((height, width), 30, seed, dtype)
    result = correct_motion(recording, RigidParams(cell_diameter=8))
    assert rms(result.shifts + moves) < 0.12


@pytest.mark.parametrize("shape", [(6, 40, 44), (7, 37, 49)])
def test_rigid_recovers_shifts_of_volumes(make_moved, shape):
    recording, moves = make_moved(shape, 40)
    result = correct_motion(recording, RigidParams(cell_diameter=8))
    assert result.shifts.shape == (40, 3)
    assert rms(result.shifts[:, 1:] + moves[:, 1:]) < 0.1
    assert rms(result.shifts[:, :1] + moves[:, :1]) < 0.15
    assert result.recording.shape == recording.shape


def test_rigid_reaches_the_bound_on_simulated_tissue(rigid_2p):
    result = correct_motion(rigid_2p.recording)
    assert shift_error(result.shifts, rigid_2p.truth)["rmse"] < 0.075
    assert result.field is None
    assert result.patch_centers is None


def test_piecewise_recovers_the_field(piecewise_2p):
    result = correct_motion(piecewise_2p.recording, PiecewiseParams())
    y, x = result.patch_centers
    assert result.field.shape == (300, len(y), len(x), 2)
    error = field_error(result.field, y, x, piecewise_2p.truth)
    assert error["rmse"] < 0.15
    assert error["rmse"] < 0.35 * error["rigid_only"]


def test_piecewise_is_as_good_as_rigid_on_rigid_motion(rigid_2p):
    rigid = shift_error(correct_motion(rigid_2p.recording).shifts, rigid_2p.truth)
    result = correct_motion(rigid_2p.recording, PiecewiseParams())
    true = -rigid_2p.truth.shifts[:, None, None]
    inner = (result.field - true)[:, 1:-1, 1:-1]
    inner = inner - np.median(inner, axis=0)
    assert np.sqrt((inner**2).sum(-1).mean()) < 1.5 * rigid["rmse"]


@pytest.mark.parametrize("params", [RigidParams(), PiecewiseParams()])
def test_a_motionless_movie_stays_still(still_2p, params):
    result = correct_motion(still_2p.recording, params)
    field = result.shifts if result.field is None else result.field
    assert np.sqrt((field**2).sum(axis=-1).mean()) <= 0.005


@pytest.mark.parametrize("params", [RigidParams(), PiecewiseParams()])
def test_a_corrected_movie_does_not_move_again(rigid_2p, params):
    first = correct_motion(rigid_2p.recording, params)
    again = correct_motion(first.recording, params)
    field = again.shifts if again.field is None else again.field
    assert np.sqrt((field**2).sum(axis=-1).mean()) < 0.02


@pytest.mark.parametrize("params", [RigidParams(), PiecewiseParams()])
@pytest.mark.parametrize(("scale", "offset"), [(1e-6, 0), (50, 0), (1, 1e4), (1, -900)])
def test_scale_and_offset_of_the_intensities_do_not_matter(
    rigid_2p, params, scale, offset
):
    frames = rigid_2p.recording[:120].to_numpy().astype(np.float64)
    base = correct_motion(as_recording(frames), params).shifts
    other = correct_motion(as_recording(frames * scale + offset), params).shifts
    # a rounding may make another table entry the nearest one
    np.testing.assert_allclose(other, base, atol=2e-3 if offset == 0 else 0.02)


@pytest.mark.parametrize("params", [RigidParams(), PiecewiseParams()])
def test_workers_and_batches_change_nothing(rigid_2p, params):
    recording = rigid_2p.recording[:200]
    one = correct_motion(recording, params, workers=1, batch_size=200)
    two = correct_motion(recording, params, workers=2, batch_size=50)
    small = correct_motion(recording, params, workers=2, max_memory=2**24)
    for other in (two, small):
        np.testing.assert_array_equal(other.shifts, one.shifts)
        np.testing.assert_array_equal(
            other.recording.to_numpy(), one.recording.to_numpy()
        )


def test_frames_without_information_are_interpolated_and_flagged(rigid_2p):
    frames = rigid_2p.recording.to_numpy().astype(np.float32)
    frames[50:53] = np.nan
    frames[100] = 65535
    frames[120] = frames[120].mean()
    result = correct_motion(as_recording(frames))
    bad = [50, 51, 52, 100, 120]
    assert result.quality.outliers[bad].all()
    assert result.quality.outliers.sum() < 8
    assert np.isfinite(result.shifts).all()
    np.testing.assert_allclose(
        result.shifts[51], result.shifts[[49, 53]].mean(axis=0), atol=0.5
    )
    good = np.setdiff1d(np.arange(300), bad)
    found, true = result.shifts[good], rigid_2p.truth.shifts[good]
    assert shift_error(found, true)["rmse"] < 0.08
    assert np.isnan(result.recording[51].to_numpy()).all()
    assert np.isfinite(result.recording[49].to_numpy()).all()


def test_pixels_that_are_nan_or_saturated_do_no_harm(rigid_2p):
    frames = rigid_2p.recording.to_numpy().astype(np.float32)
    frames[:, :5] = np.nan
    frames[10:20, :, 60:] = np.nan
    result = correct_motion(as_recording(np.minimum(frames, 700)))
    assert shift_error(result.shifts, rigid_2p.truth)["rmse"] < 0.12


def test_a_search_range_that_is_too_small_grows(rigid_2p):
    result = correct_motion(rigid_2p.recording, RigidParams(max_shift=2))
    assert result.quality.max_shift[0] > 4
    assert shift_error(result.shifts, rigid_2p.truth)["rmse"] < 0.075
    fixed = RigidParams(max_shift=2, grow_max_shift=False)
    assert np.abs(correct_motion(rigid_2p.recording, fixed).shifts).max() < 2.2


def test_large_jumps_are_followed():
    still = simulate("2p-small", "none", seed=2, shape=(200, 120, 120), n_cells=40)
    frames = still.recording.to_numpy()
    places = np.zeros((200, 2), int)
    places[60:90] = (18, -14)
    places[150:153] = (-19, 10)
    cut = np.stack(
        [
            frame[20 - dy : 100 - dy, 20 - dx : 100 - dx]
            for frame, (dy, dx) in zip(frames, places, strict=True)
        ]
    )
    result = correct_motion(as_recording(cut), RigidParams(max_shift=8))
    assert shift_error(result.shifts, places.astype(float))["max"] < 0.5


def test_a_given_template_says_where_zero_is(rigid_2p):
    whole = correct_motion(rigid_2p.recording)
    template = np.roll(whole.template, 2, axis=0)
    result = correct_motion(rigid_2p.recording, template=template)
    np.testing.assert_allclose(
        np.median(result.shifts - whole.shifts, axis=0), [2, 0], atol=0.1
    )


def test_only_the_drawn_region_is_compared(rigid_2p):
    frames = rigid_2p.recording.to_numpy().copy()
    frames[:, 60:] = frames[0, 60:]
    region = np.zeros(frames.shape[1:], bool)
    region[:58] = True
    result = correct_motion(as_recording(frames), region=region)
    assert shift_error(result.shifts, rigid_2p.truth)["rmse"] < 0.2


def test_the_engine_follows_from_the_parameters(rigid_2p):
    recording = rigid_2p.recording[:60]
    assert correct_motion(recording, PiecewiseParams()).field is not None
    assert correct_motion(recording).field is None


def test_the_result_carries_facts_history_and_a_table(rigid_2p):
    result = correct_motion(rigid_2p.recording[:60])
    attrs = result.recording.attrs
    assert attrs["frame_rate"] == rigid_2p.recording.attrs["frame_rate"]
    assert attrs["history"][-1]["operation"] == "correct_motion"
    assert attrs["history"][-1]["params"] == RigidParams().model_dump()
    assert list(result.table().columns)[:2] == ["shift_y", "shift_x"]
    assert result.template.shape == (96, 96)
    quality = result.quality
    assert quality.correlation_after.mean() > quality.correlation_before.mean()
    assert quality.crispness_after > 1.02 * quality.crispness_before
    assert quality.summary()["n_outliers"] == 0
