"""A recording that was not copied is found again, or it is said what is missing."""

import shutil

import numpy as np
import pytest

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import ProjectError, ReadError
from napari_mesmerize.project import open_project
from napari_mesmerize.project.recording_source import find_source, fingerprint


def read(path, *, selection=None, **options):
    """Read a .npy file like a reader would."""
    try:
        frames = np.load(path)
    except (OSError, ValueError) as error:
        raise ReadError(f"{path} is no .npy file") from error
    source = {"uri": str(path), "selection": selection}
    return as_recording(frames, source=source, **options)


@pytest.fixture
def raw(tmp_path):
    """A recording's file in a folder beside the project."""
    path = tmp_path / "raw" / "movie.npy"
    path.parent.mkdir()
    np.save(path, np.arange(8 * 4 * 5, dtype=np.uint16).reshape(8, 4, 5))
    return path


@pytest.fixture
def pointing(project, raw):
    """A sample that points to its source."""
    recording = read(raw, frame_rate=12.0)
    return project.add_sample("m1", "t1", recording=recording)


def test_the_source_opens_with_the_facts_of_the_sample(pointing, raw):
    opened = pointing.open_recording(reader=read)
    np.testing.assert_array_equal(opened, np.load(raw))
    assert opened.attrs["frame_rate"] == 12.0
    assert "missing_steps" not in opened.attrs
    assert not pointing.has_recording


def test_project_and_recordings_may_move_together(project, pointing, raw, tmp_path):
    elsewhere = tmp_path / "other disk"
    elsewhere.mkdir()
    for folder in (project.path, raw.parent):
        shutil.move(folder, elsewhere / folder.name)
    sample = open_project(elsewhere / "project").sample("m1-_-t1")
    assert sample.open_recording(reader=read).shape == (8, 4, 5)


def test_a_missing_source_is_named_with_what_to_do(pointing, raw):
    raw.unlink()
    with pytest.raises(ProjectError, match=r"movie\.npy exists\. Mount.*path=.*copy"):
        pointing.open_recording(reader=read)


def test_a_source_that_changed_is_not_taken(pointing, raw, tmp_path):
    moved = tmp_path / "moved.npy"
    shutil.copy(raw, moved)
    np.save(raw, np.zeros((8, 4, 5), np.uint16))
    with pytest.raises(ProjectError, match="is not the file that sample m1-_-t1 was"):
        pointing.open_recording(reader=read)
    opened = pointing.open_recording(path=moved, reader=read)
    np.testing.assert_array_equal(opened, np.load(moved))


def test_a_source_that_opens_with_another_shape_is_refused(pointing, raw):
    def transposed(path, **options):
        return as_recording(np.load(path).transpose(2, 0, 1))

    with pytest.raises(ProjectError, match=r"shape \(5, 8, 4\).*options of then"):
        pointing.open_recording(reader=transposed)


def test_a_source_that_does_not_open_says_why(pointing, tmp_path):
    other = tmp_path / "text.npy"
    other.write_text("hello")
    with pytest.raises(ProjectError, match=r"does not open: .*text\.npy is no \.npy"):
        pointing.open_recording(path=other, reader=read)


def test_a_corrected_recording_says_which_steps_the_source_lacks(project, raw, caplog):
    recording = read(raw)[:, 1:]
    recording.attrs["history"] = [{"operation": "correct_motion", "id": "1"}]
    sample = project.add_sample("m1", "t1", recording=recording)
    opened = sample.open_recording(reader=read)
    assert opened.attrs["missing_steps"] == ["correct_motion"]
    assert opened.shape == (8, 4, 5)
    assert "without: correct_motion" in caplog.text


@pytest.mark.parametrize("uri", ["simulation:2p-small/none/1", "https://example.org/a"])
def test_a_source_that_is_no_file_suggests_a_copy(project, make_parts, uri):
    parts = {"recording": make_parts(0)["recording"]}
    parts["recording"].attrs["source"] = {"uri": uri}
    sample = project.add_sample("m1", "t1", **parts)
    with pytest.raises(ProjectError, match=r"no file and can not.*copy_recording=True"):
        sample.open_recording()


def test_a_drive_letter_is_a_path_and_says_what_is_missing(project, tmp_path):
    source = {"uri": "D:\\data\\movie.tif", "relative": None}
    with pytest.raises(ProjectError, match="is missing: neither"):
        find_source(source, project.path, "m1-_-t1")


def test_fingerprints_see_changes_at_the_ends_and_in_the_middle(tmp_path):
    path = tmp_path / "movie.bin"
    content = bytearray(np.random.default_rng(0).bytes(5 * 2**20))
    path.write_bytes(content)
    first = fingerprint(path)
    assert first["bytes"] == len(content)
    for place in (0, len(content) // 2 + 10, len(content) - 1):
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(changed)
        assert fingerprint(path)["value"] != first["value"]
    path.write_bytes(content)
    assert fingerprint(path) == first


def test_fingerprints_of_folders_and_patterns(tmp_path):
    for number in range(20):
        (tmp_path / f"{number:02}.tif").write_bytes(bytes([number]) * 100)
    folder, pattern = fingerprint(tmp_path), fingerprint(tmp_path / "*.tif")
    assert folder["value"] == pattern["value"]
    assert folder["files"] == 20
    (tmp_path / "05.tif").write_bytes(b"longer" * 100)
    assert fingerprint(tmp_path)["value"] != folder["value"]
    with pytest.raises(FileNotFoundError):
        fingerprint(tmp_path / "*.npy")
