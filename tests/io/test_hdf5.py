import h5py
import numpy as np
import pytest

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io import ReadWarning, list_recordings, read_recording
from napari_mesmerize.io.hdf5 import CACHE_BYTES, StoredArray


def read_all(path):
    for info in list_recordings(path):
        read_recording(path, selection=info.selection).to_numpy()


@pytest.fixture
def path(tmp_path, movie):
    frames = movie()
    with h5py.File(tmp_path / "rec.h5", "w") as file:
        file["other"] = np.zeros((100, 20, 20), np.float32)
        file.create_dataset("deep/mov", data=frames, chunks=(5, 10, 14), compression=1)
        file["deep"].attrs["fr"] = 12.5
        file["bare"] = frames.astype(">i2")
        file["line"] = np.arange(100)
        file["text"] = "hello"
        file["volumes"] = frames.reshape(4, 3, 10, 14)
    return tmp_path / "rec.h5"


def test_lists_data_sets_usual_names_first(path):
    infos = list_recordings(path)
    names = [info.selection for info in infos]
    assert names[0] == "deep/mov"
    assert set(names) == {"deep/mov", "other", "bare", "volumes"}
    assert infos[0].frame_rate == 12.5


@pytest.mark.parametrize("name", ["deep/mov", "bare"])
def test_frames(path, movie, name):
    recording = read_recording(path, selection=name)
    assert recording.dtype.isnative
    np.testing.assert_array_equal(recording, movie())
    np.testing.assert_array_equal(recording[::-2, 3:], movie()[::-2, 3:])


def test_volumes_axes_and_data_set(path, movie):
    frames = movie()
    volumes = read_recording(path, dataset="volumes")
    np.testing.assert_array_equal(volumes, frames.reshape(4, 3, 10, 14))
    turned = read_recording(path, dataset="bare", axes="XYT")
    np.testing.assert_array_equal(turned, frames.transpose(2, 1, 0))
    with pytest.warns(ReadWarning, match="holds 4 recordings"):
        read_recording(path)
    with pytest.raises(ReadError, match="no data set 'nothing'; it has"):
        read_recording(path, dataset="nothing")


def test_no_recording_in_it(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["line"] = np.arange(10)
    with pytest.raises(ReadError, match="no data set of 3 to 5 axes"):
        read_recording(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["estimates/C"] = np.zeros((2, 3))
    with pytest.raises(ReadError, match="results of CaImAn"):
        read_recording(tmp_path / "a.h5")


def test_truncated(path):
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for keep in (0, 10, 600, *rng.integers(1000, len(content), 8)):
        path.write_bytes(content[:keep])
        with pytest.raises(ReadError, match=r"rec\.h5"):
            read_all(path)


def test_absurd_shape_allocates_nothing(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("mov", (10**9, 512, 512), "u2", chunks=(1, 512, 512))
    recording = read_recording(tmp_path / "a.h5")
    assert recording.shape[0] == 10**9
    assert recording[10**8, :2, :2].to_numpy().sum() == 0


def test_a_fourth_axis_that_is_no_channel_is_not_listed_thousands_of_times(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["mov"] = np.zeros((2, 1, 300, 4, 5), np.uint8)
    (info,) = list_recordings(tmp_path / "a.h5")
    assert "300 channels, expected 256 at most" in info.problem
    recording = read_recording(
        tmp_path / "a.h5", axes="CZTYX", selection="mov/channel-1"
    )
    assert recording.shape == (300, 1, 4, 5)


def test_a_number_that_came_as_text_chooses_unless_it_is_a_name(tmp_path):
    frames = np.random.default_rng(0).integers(0, 9, (3, 4, 8, 9)).astype(np.uint16)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"], file["b"], file["0"] = frames
    for text, number in (("1", 1), ("2", 2)):
        read = read_recording(tmp_path / "a.h5", selection=text)
        same = read_recording(tmp_path / "a.h5", selection=number)
        np.testing.assert_array_equal(read, same)
    named = read_recording(tmp_path / "a.h5", selection="0")
    np.testing.assert_array_equal(named, frames[2])
    with pytest.raises(ReadError, match="selection='3'"):
        read_recording(tmp_path / "a.h5", selection="3")


def test_blocks_of_frames_are_decoded_once(tmp_path, movie):
    frames = movie()
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("mov", data=frames, chunks=(5, 5, 7), compression=1)
        file.create_dataset("one", data=frames, chunks=(1, 5, 7), compression=1)
    blocks = StoredArray(path, "mov")
    first, other = blocks[0:1], blocks[(slice(4, 5), slice(None), slice(2))]
    np.testing.assert_array_equal(first, frames[:1])
    np.testing.assert_array_equal(other, frames[4:5, :, :2])
    assert np.shares_memory(first.base, blocks[4:5].base)
    np.testing.assert_array_equal(blocks[3:9:2], frames[3:9:2])
    singly = StoredArray(path, "one")
    np.testing.assert_array_equal(singly[2:7], frames[2:7])
    cache = singly._stored.id.get_access_plist().get_chunk_cache()
    assert cache[1] >= CACHE_BYTES
