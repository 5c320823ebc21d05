import numpy as np
import pytest
import tifffile

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io import list_recordings, read_recording, series

PLAIN = {"photometric": "minisblack", "metadata": None}


@pytest.fixture
def folder(tmp_path, movie):
    for k, frame in enumerate(movie(shape=(60, 10, 14))):
        tifffile.imwrite(tmp_path / f"t{k}.tif", frame, **PLAIN)
    return tmp_path


def test_many_files_are_opened_when_needed(folder, movie, monkeypatch):
    frames = movie(shape=(60, 10, 14))
    looked_at = []
    scan = series.scan_file

    def noted(path, options):
        looked_at.append(path.name)
        return scan(path, options)

    monkeypatch.setattr(series, "scan_file", noted)
    recording = read_recording(folder)
    assert recording.shape == frames.shape
    assert not looked_at
    np.testing.assert_array_equal(recording[40:43], frames[40:43])
    assert looked_at == ["t40.tif", "t41.tif", "t42.tif"]
    np.testing.assert_array_equal(recording, frames)


def test_a_file_that_differs_is_found_when_it_is_read(folder, movie):
    path = folder / "t50.tif"
    size = path.stat().st_size
    tifffile.imwrite(path, movie(shape=(1, 9, 14))[0], **PLAIN)
    path.write_bytes(path.read_bytes().ljust(size, b"\0"))
    recording = read_recording(folder)
    recording[:50].to_numpy()
    with pytest.raises(ReadError, match=r"t50\.tif has shape \(1, 9, 14\), expected"):
        recording[50].to_numpy()


def test_compressed_files_are_all_looked_at(tmp_path, movie):
    frames = movie(shape=(40, 10, 14))
    for k in range(20):
        part = frames[2 * k : 2 * k + 2]
        tifffile.imwrite(tmp_path / f"t{k}.tif", part, compression="zlib", **PLAIN)
    assert list_recordings(tmp_path)[0].shape == frames.shape
    np.testing.assert_array_equal(read_recording(tmp_path), frames)


def test_times_that_go_on(tmp_path, movie):
    from napari_mesmerize.data.recording import lazy_recording
    from napari_mesmerize.io import write_recording

    frames, times = movie(), np.arange(12) / 4
    paths = [tmp_path / "a.tif", tmp_path / "b.tif"]
    for path, part in zip(paths, (slice(0, 7), slice(7, 12)), strict=True):
        recording = lazy_recording(frames[part], frame_rate=4, time_s=times[part])
        write_recording(recording, path)
    joined = read_recording(paths)
    np.testing.assert_array_equal(joined, frames)
    np.testing.assert_allclose(joined.time_s, times)
    with pytest.warns(UserWarning, match="do not go on"):
        assert "time_s" not in read_recording(paths[::-1]).coords
