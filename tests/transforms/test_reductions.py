import numpy as np
import pytest

from napari_mesmerize.errors import ParameterError, WriteError
from napari_mesmerize.transforms.reductions import (
    data_range,
    map_pixels,
    montage,
    percentile_image,
    reduce_frames,
)


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(50, 500, (30, 8, 10)).astype(np.uint16)


@pytest.mark.parametrize("max_memory", [None, 1, 16 * 30 * 7, 16 * 30 * 80])
def test_reduce_frames_does_not_depend_on_memory(frames, make_recording, max_memory):
    recording = make_recording(frames)
    median = reduce_frames(
        recording, lambda traces: np.median(traces, axis=0), max_memory=max_memory
    )
    np.testing.assert_array_equal(median, np.median(frames, axis=0))


def test_percentile_of_volumes_without_nan(make_recording):
    frames = np.random.default_rng(1).normal(size=(20, 3, 4, 5)).astype(np.float32)
    frames[3] = np.nan
    image = percentile_image(make_recording(frames), 30)
    np.testing.assert_allclose(image, np.nanpercentile(frames, 30, axis=0), rtol=1e-6)
    with pytest.raises(ParameterError, match="expected 0 to 100"):
        percentile_image(make_recording(frames), 101)


def test_reduce_frames_wants_a_number_a_pixel(frames, make_recording):
    with pytest.raises(ParameterError, match="one number per pixel"):
        reduce_frames(make_recording(frames), lambda traces: traces)


def test_map_pixels(frames, make_recording, tmp_path):
    recording = make_recording(frames)
    out = tmp_path / "a.npy"

    def cumulate(traces):
        return np.cumsum(traces, axis=0)

    mapped = map_pixels(recording, cumulate, out, max_memory=16 * 30 * 11)
    np.testing.assert_allclose(mapped, np.cumsum(frames, axis=0))
    assert mapped.attrs["frame_rate"] == 10
    assert mapped.attrs["history"][-1]["operation"] == "map_pixels"
    with pytest.raises(WriteError, match="exists"):
        map_pixels(recording, cumulate, out)
    with pytest.raises(ParameterError, match="expected that of the traces"):
        map_pixels(recording, lambda t: t[1:], out, overwrite=True)
    np.testing.assert_allclose(np.load(out), np.cumsum(frames, axis=0))
    assert [file.name for file in tmp_path.iterdir()] == ["a.npy"]


def test_data_range(frames, make_recording):
    recording = make_recording(frames)
    assert data_range(recording) == (frames.min(), frames.max())
    few = data_range(recording, (1, 50, 99), n_frames=3)
    expected = np.percentile(frames[[0, 14, 29]], (1, 50, 99))
    np.testing.assert_allclose(few, expected)
    nothing = make_recording(np.full((3, 2, 2), np.nan))
    assert np.isnan(data_range(nothing)).all()


def test_montage(frames, make_recording):
    image = montage(make_recording(frames), n_images=6, n_columns=4, gap=1)
    assert image.shape == (2 * 9 - 1, 4 * 11 - 1)
    assert np.isnan(image[8]).all()
    assert np.isnan(image[:, 10]).all()
    assert np.nanmin(image) == 0
    assert np.nanmax(image) == 1
    first = image[:8, :10]
    assert np.corrcoef(first.ravel(), frames[0].ravel())[0, 1] > 0.99
    with pytest.raises(ParameterError, match="expected at least 1"):
        montage(make_recording(frames), n_images=0)
