"""Finished parts on disk: they come back, damaged ones do not; errors and keys."""

import errno
import json

import numpy as np
import pytest
from pydantic import BaseModel

from napari_mesmerize.compute.resume import ResumeWarning, UnfinishedWork, work_key
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import WriteError


class Params(BaseModel, frozen=True):
    size: int = 3


@pytest.fixture
def recording():
    frames = np.random.default_rng(0).integers(0, 255, (20, 6, 5)).astype(np.uint8)
    return as_recording(frames, frame_rate=10.0)


@pytest.fixture
def work(tmp_path):
    (tmp_path / "open" / "parts").mkdir(parents=True)
    return UnfinishedWork(tmp_path / "open", "a key", "result.zarr", parts="parts")


def test_parts_come_back_in_order_and_as_they_were(work):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.zeros(0, np.int8)}
    for name in ("part-2", "part-1", "other"):
        work.save(name, arrays)
    assert work.names("part-") == ["part-1", "part-2"]
    back = work.load("part-1")
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)
    assert work.load("part-3") is None
    names = {path.name for path in work.parts.iterdir()}
    assert names == {"part-1.npz", "part-2.npz", "other.npz"}, "no temporary file"


@pytest.mark.parametrize("left", [0, 10, 200])
def test_damaged_parts_count_as_missing_and_are_told(work, left, caplog):
    work.save("part", {"a": np.arange(100)})
    path = work.parts / "part.npz"
    path.write_bytes(path.read_bytes()[:left])
    assert work.load("part") is None
    assert "part.npz is damaged" in caplog.text


def test_arrays_of_objects_are_never_unpickled(work):
    np.savez(work.parts / "part.npz", a=np.array([{}], object))
    assert work.load("part") is None


def test_work_is_known_by_its_key(work, caplog):
    assert not work.is_the_same
    assert not caplog.text, "there was no work"
    work.note(n_done=4)
    assert work.is_the_same
    assert work.state == {"key": "a key", "n_done": 4}
    other = UnfinishedWork(work.folder, "another", "result.zarr")
    with pytest.warns(ResumeWarning, match="begun anew"):
        assert not other.is_the_same


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00"])
def test_a_damaged_state_says_nothing(work, text):
    (work.folder / "state.json").write_text(text)
    assert work.state == {}
    assert not work.is_the_same


def test_a_full_disk_is_told_with_what_to_do(work, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("napari_mesmerize.compute.resume.np.savez", full)
    with (
        pytest.raises(WriteError, match=r"part 3 of result.zarr.*the disk is full"),
        work.writing("part 3"),
    ):
        work.save("part", {"a": np.zeros(3)})
    assert list(work.parts.iterdir()) == []


def test_a_folder_that_is_gone_is_told(work):
    work.parts.rmdir()
    with pytest.raises(WriteError, match="does not exist"), work.writing("part 1"):
        work.save("part", {"a": np.zeros(3)})


def test_the_key_tells_what_determines_a_result(recording):
    def key(of=recording, params=None, version=1, **more):
        return work_key(of, params or Params(), version, **more)

    changed = recording.copy(data=recording.to_numpy() + 1)
    moved = recording.assign_attrs(source={"uri": "elsewhere.tif"})
    keys = [
        key(),
        key(changed),
        key(moved),
        key(recording.astype(np.int16)),
        key(params=Params(size=4)),
        key(version=2),
        key(facts={"seed": 1}),
        key(arrays=[np.zeros(3)]),
        key(arrays=[np.zeros(3, np.float32)]),
    ]
    assert len(set(keys)) == len(keys)
    assert key(recording.copy(deep=True)) == key()
    assert key(arrays=[None]) == key()


def test_the_key_holds_no_names_of_modules(recording, monkeypatch):
    before = work_key(recording, Params(), 1)
    monkeypatch.setattr(Params, "__module__", "moved.elsewhere")
    assert work_key(recording, Params(), 1) == before
    assert json.loads(Params().model_dump_json()) == {"size": 3}
