"""Recordings: laziness, indexing as numpy does, facts and their errors."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.data.recording import (
    LayerArray,
    as_recording,
    batch_slices,
    check_recording,
    default_max_memory,
    duration_s,
    frame_times,
    frames_that_fit,
    image_shape,
    iter_batches,
    lazy_recording,
    require_frame_rate,
)
from napari_mesmerize.errors import ParameterError


class Counted:
    """Frames that count how many were read."""

    def __init__(self, array):
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.read = 0

    def __getitem__(self, frames):
        assert isinstance(frames, slice)
        assert frames.step is None or frames.step > 0
        part = self.array[frames]
        self.read += len(part)
        return part


@pytest.fixture
def counted():
    return Counted(np.arange(10 * 4 * 5, dtype=np.uint16).reshape(10, 4, 5))


def test_a_recording_reads_only_what_is_asked_for(counted):
    recording = lazy_recording(counted, name="a", frame_rate=10)
    part = recording[3:8][1:3, :, 2:]
    assert counted.read == 0
    np.testing.assert_array_equal(part.to_numpy(), counted.array[4:6, :, 2:])
    assert counted.read == 2
    assert recording.attrs["frame_rate"] == 10.0


def keys(size):
    inside = st.integers(-size, size - 1)
    bounds = st.none() | st.integers(-size - 2, size + 2)
    steps = st.none() | st.integers(-3, 3).filter(bool)
    lists = st.lists(inside, max_size=5).map(lambda x: np.array(x, dtype=int))
    return inside | st.builds(slice, bounds, bounds, steps) | lists


@given(st.tuples(keys(10), keys(4), keys(5)), st.integers(1, 3))
def test_indexing_equals_numpy_axis_by_axis(key, n_axes):
    counted = Counted(np.arange(200).reshape(10, 4, 5))
    recording = lazy_recording(counted)
    expected, axis = counted.array, 0
    for part in key[:n_axes]:
        expected = expected[(slice(None),) * axis + (part,)]
        axis += not isinstance(part, int)
    layer = LayerArray(recording)
    np.testing.assert_array_equal(layer[key[:n_axes]], expected)
    dims = dict(zip(recording.dims, key[:n_axes], strict=False))
    np.testing.assert_array_equal(recording.isel(dims).to_numpy(), expected)


def test_layer_array_is_what_napari_needs(counted):
    layer = LayerArray(lazy_recording(counted))
    assert (layer.shape, layer.ndim, layer.size, len(layer)) == ((10, 4, 5), 3, 200, 10)
    assert layer.dtype == np.uint16
    np.testing.assert_array_equal(layer[2], counted.array[2])
    np.testing.assert_array_equal(layer[np.int64(-1)], counted.array[-1])
    np.testing.assert_array_equal(layer[..., 1], counted.array[..., 1])
    np.testing.assert_array_equal(
        layer[counted.array[:, 0, 0] > 100], counted.array[6:]
    )
    assert counted.read == 1 + 1 + 10 + 4
    np.testing.assert_array_equal(np.asarray(layer), counted.array)
    for wrong in (10, -11):
        with pytest.raises(IndexError):
            layer[wrong]
    with pytest.raises(IndexError):
        layer[[3, 12]]


def test_layer_array_of_a_part_shows_the_part(counted):
    recording = lazy_recording(counted)
    np.testing.assert_array_equal(LayerArray(recording[2:6])[1], counted.array[3])
    np.testing.assert_array_equal(
        LayerArray(recording[:, 1:])[1, 0], counted.array[1, 1]
    )
    in_memory = xr.DataArray(counted.array, dims=("frame", "y", "x"))
    np.testing.assert_array_equal(LayerArray(in_memory)[3], counted.array[3])


def test_a_frame_of_a_view_is_no_copy():
    array = np.zeros((4, 3, 3))
    assert np.shares_memory(LayerArray(as_recording(array))[1], array)


def test_dask_is_on_demand(counted):
    chunked = lazy_recording(counted).chunk({"frame": 5})
    assert counted.read == 0
    assert float(chunked.mean()) == counted.array.mean()
    np.testing.assert_array_equal(LayerArray(chunked)[7], counted.array[7])


def test_facts_are_complete_and_json_safe(counted):
    recording = lazy_recording(
        counted,
        pixel_size_um=np.array([0.5, 0.75]),
        z_step_um=np.float32(2),
        meta={"gain": np.int16(3), "nan": float("nan")},
        source={"uri": "a.tif"},
        history=[{"id": "x"}],
    )
    assert recording.attrs == {
        "frame_rate": None,
        "pixel_size_um": (0.5, 0.75),
        "z_step_um": 2.0,
        "date": None,
        "origin": None,
        "source": {"uri": "a.tif"},
        "meta": {"gain": 3, "nan": None},
        "history": [{"id": "x"}],
    }


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"frame_rate": 0}, "frame_rate=0"),
        ({"frame_rate": float("nan")}, "frame_rate=nan"),
        ({"pixel_size_um": (1, -1)}, "pixel_size_um"),
        ({"pixel_size_um": (1,)}, "two numbers"),
        ({"z_step_um": float("inf")}, "z_step_um=inf"),
        ({"time_s": [1, 2]}, "10 frames"),
        ({"framerate": 3}, "framerate.*known are frame_rate"),
    ],
)
def test_facts_that_make_no_sense_are_refused(counted, facts, text):
    with pytest.raises(ParameterError, match=text):
        as_recording(counted, **facts)
    with pytest.raises(ParameterError, match=text):
        as_recording(lazy_recording(counted), **facts)


def test_as_recording_replaces_facts_and_keeps_the_rest(counted):
    first = as_recording(counted, frame_rate=5, origin="scope", name="a")
    second = as_recording(first, frame_rate=7, time_s=np.arange(10) * 2.0)
    assert (first.attrs["frame_rate"], second.attrs["frame_rate"]) == (5, 7)
    assert second.attrs["origin"] == "scope"
    assert second.name == "a"
    assert frame_times(second)[3] == 6
    assert counted.read == 0
    second.attrs["history"].append({"id": "x"})
    assert first.attrs["history"] == []
    bare = as_recording(xr.DataArray(counted.array, dims=("frame", "y", "x")))
    assert bare.attrs["meta"] == {}
    assert bare.attrs["frame_rate"] is None
    assert as_recording(counted.array.tolist()).shape == (10, 4, 5)


def test_a_memory_map_stays_one(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 3, 3)))
    array = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert isinstance(LayerArray(as_recording(array))._frames, np.memmap)


@pytest.mark.parametrize("shape", [(), (4,), (4, 5), (1, 2, 3, 4, 5)])
def test_other_numbers_of_axes_are_refused(shape):
    with pytest.raises(ParameterError, match="frame, y, x"):
        as_recording(np.zeros(shape))


def test_colour_is_refused():
    with pytest.raises(ParameterError, match="colour"):
        as_recording(np.zeros((5, 8, 8, 3), np.uint8))
    assert as_recording(np.zeros((5, 8, 8, 3), np.uint16)).dims[1] == "z"


def test_check_recording_says_what_is_wrong(make_recording):
    def check(array, dims=("frame", "y", "x"), **keywords):
        return check_recording(xr.DataArray(array, dims=dims), **keywords)

    with pytest.raises(ParameterError, match="Rename or transpose"):
        check(np.zeros((3, 4, 4)), dims=("x", "y", "frame"))
    with pytest.raises(ParameterError, match="complex"):
        check(np.zeros((3, 4, 4), complex))
    with pytest.raises(ParameterError, match="0 frames"):
        check(np.zeros((0, 4, 4)))
    with pytest.raises(ParameterError, match="at least 2"):
        check(np.zeros((1, 4, 4)), min_frames=2)
    with pytest.raises(ParameterError, match="not empty"):
        check(np.zeros((3, 0, 4)))
    volume = make_recording(np.zeros((3, 2, 1, 7), bool))
    assert check_recording(volume) is volume
    assert image_shape(volume) == (2, 1, 7)


def test_times_come_from_stamps_or_from_the_rate(make_recording):
    frames = np.zeros((4, 2, 2))
    np.testing.assert_allclose(frame_times(make_recording(frames)), [0, 0.1, 0.2, 0.3])
    stamped = make_recording(frames, time_s=[0, 1, 2, 5])
    np.testing.assert_array_equal(frame_times(stamped[1:3]), [1, 2])
    unknown = make_recording(frames, frame_rate=None)
    with pytest.raises(ParameterError, match=r"frame_rate=.*--frame-rate"):
        frame_times(unknown)
    with pytest.raises(ParameterError, match=r"^Smoothing needs"):
        require_frame_rate(unknown, "Smoothing")


@given(st.integers(0, 50), st.integers(1, 60))
def test_batches_cover_all_frames_in_order(n_frames, batch_size):
    array = np.arange(n_frames * 2).reshape(n_frames, 1, 2)
    batches = [b for _, b in iter_batches(lazy_recording(array), batch_size)]
    assert all(0 < len(b) <= batch_size for b in batches)
    if batches:
        np.testing.assert_array_equal(np.concatenate(batches), array)
    assert len(batch_slices(n_frames, batch_size)) == len(batches)


def test_batches_need_a_frame():
    with pytest.raises(ParameterError, match="batch_size=0"):
        batch_slices(5, 0)


def test_frames_that_fit(make_recording):
    recording = make_recording(np.zeros((4, 10, 10), np.uint8))
    assert frames_that_fit(recording, max_memory=8000, copies=4) == 5
    assert frames_that_fit(recording, max_memory=8000, copies=1, step_bytes=1200) == 3
    assert frames_that_fit(recording, max_memory=1) == 1
    assert frames_that_fit(recording) > 1000
    assert default_max_memory() > 2**20


def test_the_end_of_a_recording(make_recording):
    frames = np.zeros((20, 2, 3))
    assert duration_s(make_recording(frames, frame_rate=10)) == 2.0
    assert duration_s(make_recording(frames, frame_rate=None)) is None
    times = 1 + np.arange(20) / 10
    timed = make_recording(frames, frame_rate=10, time_s=times)
    assert duration_s(timed) == pytest.approx(3.0)
