import numpy as np
import pytest

from napari_mesmerize.cnmf import CnmfParams, extract_components
from napari_mesmerize.compute.cached import held
from napari_mesmerize.data.recording import as_recording, lazy_recording
from napari_mesmerize.errors import Cancelled
from napari_mesmerize.simulation.simulate import simulate


class Counted:
    """Frames that count how often each is read."""

    def __init__(self, values):
        self.values = values
        self.shape, self.dtype = values.shape, values.dtype
        self.reads = np.zeros(len(values), int)

    def __getitem__(self, frames):
        self.reads[frames] += 1
        return self.values[frames].copy()


@pytest.fixture
def frames():
    values = np.arange(20 * 6 * 5, dtype=np.uint16).reshape(20, 6, 5)
    return Counted(values)


def test_an_array_stays_where_it_is(frames):
    recording = as_recording(frames.values, frame_rate=10.0)
    with held(recording, 0) as kept:
        assert kept is recording


@pytest.mark.parametrize("room", [10**6, 0])
def test_each_frame_is_read_once(frames, room, tmp_path):
    recording = lazy_recording(frames, frame_rate=10.0, origin="here")
    with held(recording, room, folder=tmp_path) as kept:
        assert len(list(tmp_path.iterdir())) == (room == 0)
        for _ in range(3):
            np.testing.assert_array_equal(
                kept[3:9, 1:4].to_numpy(), frames.values[3:9, 1:4]
            )
        assert kept.attrs == recording.attrs
        assert kept.dtype == np.uint16
    assert list(frames.reads) == [1] * 20
    assert list(tmp_path.iterdir()) == []


def test_a_part_is_copied_alone(frames):
    part = lazy_recording(frames, frame_rate=10.0)[4:8, 2:]
    with held(part, 10**6) as kept:
        np.testing.assert_array_equal(kept.to_numpy(), frames.values[4:8, 2:])
    assert list(frames.reads) == [0] * 4 + [1] * 4 + [0] * 12


def test_without_room_it_is_read_where_it_lies(frames, monkeypatch, tmp_path):
    full = type("Usage", (), {"free": 100})()
    monkeypatch.setattr("shutil.disk_usage", lambda path: full)
    recording = lazy_recording(frames, frame_rate=10.0)
    with held(recording, 0, folder=tmp_path) as kept:
        assert kept is recording


def test_a_cancelled_copy_leaves_no_file(frames, tmp_path):
    def stop(iterable, *, desc="", total=None):
        raise Cancelled

    recording = lazy_recording(frames, frame_rate=10.0)
    with pytest.raises(Cancelled), held(recording, 0, progress=stop, folder=tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_patches_read_a_costly_recording_once():
    recording, _ = simulate("2p-small", shape=(200, 200, 40), n_cells=4)
    movie = Counted(recording.to_numpy())
    lazy = lazy_recording(movie, frame_rate=15.0)
    params = CnmfParams(cell_diameter=10, patch_size=50)
    found = extract_components(lazy, params)
    assert movie.reads.max() <= 3
    plain = extract_components(as_recording(movie.values, frame_rate=15.0), params)
    np.testing.assert_array_equal(found.traces["raw"], plain.traces["raw"])
