import errno
import json
import shutil
from pathlib import Path

import disk_steps
import numpy as np
import pytest
import tifffile

from napari_mesmerize.errors import WriteError
from napari_mesmerize.io import read_recording
from napari_mesmerize.io.write_facts import facts_file, write_facts

DATA = Path(__file__).parents[1] / "data"
FACTS = {
    "frame_rate": 12.5,
    "pixel_size_um": (0.5, 0.25),
    "date": "2026-01-31T14:05:00",
    "origin": "my microscope",
}


@pytest.fixture
def movie(tmp_path):
    frames = np.random.default_rng(0).integers(0, 99, (6, 8, 9)).astype(np.uint16)
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, frames, photometric="minisblack")
    return path


def test_facts_that_were_given_are_there_when_the_file_is_opened_again(movie):
    recording = read_recording(movie)
    recording.attrs.update(FACTS)
    assert write_facts(recording) == movie.with_suffix(".json")
    again = read_recording(movie)
    assert {fact: again.attrs[fact] for fact in FACTS} == FACTS
    again.attrs["frame_rate"] = 10.0
    write_facts(again)
    assert read_recording(movie).attrs["frame_rate"] == 10.0


def test_other_entries_stay(movie):
    path = movie.with_suffix(".json")
    path.write_text(json.dumps({"origin": "x", "fps": 3, "date": "", "laser": 920}))
    recording = read_recording(movie)
    recording.attrs.update(FACTS)
    assert write_facts(recording) == path
    content = json.loads(path.read_text())
    assert content["laser"] == 920
    assert content["fps"] == 12.5
    assert not path.with_name("movie.json.orig").exists()


def test_the_file_of_another_program_is_kept(movie):
    path = movie.with_suffix(".json")
    text = json.dumps({"framerate": 7.0, "date": "20250101", "version": "2"})
    path.write_text(text)
    recording = read_recording(movie)
    assert recording.attrs["frame_rate"] == 7.0
    recording.attrs.update(FACTS)
    write_facts(recording)
    assert path.with_name("movie.json.orig").read_text() == text
    again = read_recording(movie)
    assert again.attrs["frame_rate"] == 12.5
    assert again.attrs["meta"]["orig_meta"]["orig_meta"]["version"] == "2"


def test_several_files_opened_as_one_find_them_too(tmp_path):
    for i in range(3):
        frame = np.full((2, 4, 5), i, np.uint8)
        tifffile.imwrite(tmp_path / f"part{i}.tif", frame, photometric="minisblack")
    recording = read_recording(str(tmp_path))
    recording.attrs.update(FACTS)
    write_facts(recording)
    assert read_recording(str(tmp_path)).attrs["frame_rate"] == 12.5


def test_what_has_no_file_of_its_own_says_why(movie, recording):
    assert facts_file(recording) == (None, "it was not opened from a file")
    computed = read_recording(movie)
    computed.attrs["history"].append({"operation": "correct_motion"})
    path, reason = facts_file(computed)
    assert path is None
    assert "computed" in reason
    with pytest.raises(WriteError, match="project"):
        write_facts(computed)


def test_a_file_with_several_kinds_of_recordings_is_left_alone(tmp_path):
    name = "two_channels.mes"
    path = Path(shutil.copy(DATA / "mes" / name, tmp_path / name))
    recording = read_recording(path, selection="Df0001/pmtUG")
    with pytest.raises(WriteError, match="4 recordings"):
        write_facts(recording)
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_can_not_be_written_is_explained(movie):
    recording = read_recording(movie)
    with (
        disk_steps.failing(movie.parent, 0, errno.EROFS),
        pytest.raises(WriteError, match=r"read-only for you .* add the recording to a"),
    ):
        write_facts(recording)
    assert [path.name for path in movie.parent.iterdir()] == ["movie.tif"]
