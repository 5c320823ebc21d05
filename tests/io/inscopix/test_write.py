"""Writing .isxd movies: the bytes of the vendor's library, and what comes back."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import Cancelled, ParameterError, WriteError
from napari_mesmerize.io import read_recording
from napari_mesmerize.io.inscopix.write import write_movie
from napari_mesmerize.progress import reporting

DATA = Path(__file__).parents[2] / "data" / "isxd"
pytestmark = pytest.mark.filterwarnings("ignore::napari_mesmerize.io.ReadWarning")


def parts_of(path):
    """Return the data and the footer of a file."""
    content = Path(path).read_bytes()
    length = struct.unpack("<Q", content[-8:])[0]
    return content[: -9 - length], json.loads(content[-9 - length : -9])


@pytest.mark.parametrize("name", ["movie_f32.isxd", "movie_u16_gaps.isxd"])
def test_a_movie_is_written_as_the_vendor_writes_it(name, tmp_path):
    path = write_movie(read_recording(DATA / name), tmp_path / name)
    data, footer = parts_of(path)
    expected_data, expected = parts_of(DATA / name)
    assert data == expected_data
    assert footer.pop("writer").startswith("napari-mesmerize")
    assert footer == expected


@pytest.mark.parametrize(
    "dtype", ["uint8", "uint16", "float32", "float64", "int16", "bool"]
)
def test_every_type_comes_back(dtype, tmp_path):
    frames = (np.arange(3 * 4 * 5).reshape(3, 4, 5) % 7 > 3).astype(dtype)
    recording = as_recording(
        frames, frame_rate=12.5, pixel_size_um=(0.5, 0.25), date="2024-05-06T07:08:09"
    )
    again = read_recording(write_movie(recording, tmp_path / "m.isxd"))
    np.testing.assert_array_equal(again.to_numpy(), frames)
    assert again.attrs["frame_rate"] == 12.5
    assert again.attrs["pixel_size_um"] == (0.5, 0.25)
    assert again.attrs["date"] == "2024-05-06T07:08:09.000+00:00"


@pytest.mark.parametrize(
    ("frames", "keywords", "said"),
    [
        (np.zeros((2, 3, 4), np.int64), {}, "hold uint8, uint16 and float32"),
        (np.zeros((2, 2, 3, 4), np.uint16), {}, "one plane"),
        (np.zeros((2, 3, 4), np.uint16), {"frame_rate": None}, "needs the frame rate"),
    ],
)
def test_what_the_format_can_not_hold_is_refused(frames, keywords, said, tmp_path):
    recording = as_recording(frames, **{"frame_rate": 10.0} | keywords)
    with pytest.raises(ParameterError, match=said):
        write_movie(recording, tmp_path / "m.isxd")
    assert not list(tmp_path.iterdir())


def test_gaps_in_time_become_dropped_samples(tmp_path):
    times = np.array([0.0, 0.1, 0.4, 0.5, 0.7])
    recording = as_recording(
        np.arange(5 * 2 * 3, dtype=np.uint16).reshape(5, 2, 3), frame_rate=10.0
    ).assign_coords(time_s=("frame", times))
    path = write_movie(recording, tmp_path / "m.isxd")
    assert parts_of(path)[1]["timingInfo"]["dropped"] == [2, 3, 6]
    again = read_recording(path)
    np.testing.assert_allclose(again["time_s"], times)
    np.testing.assert_array_equal(again, recording)


def test_a_part_of_a_movie_starts_later(tmp_path):
    recording = read_recording(DATA / "movie_u16_gaps.isxd")[5:20]
    path = write_movie(recording, tmp_path / "m.isxd")
    again = read_recording(path)
    np.testing.assert_array_equal(again, recording)
    np.testing.assert_allclose(np.diff(again["time_s"]), np.diff(recording["time_s"]))
    shift = float(recording["time_s"][0])
    dates = [
        np.datetime64(r.attrs["date"].removesuffix("+00:00"))
        for r in (recording, again)
    ]
    assert (dates[1] - dates[0]) / np.timedelta64(1, "s") == pytest.approx(shift)


def test_long_gaps_are_ranges_and_drifting_clocks_make_no_gaps(tmp_path):
    times = np.concatenate([np.arange(5), 1e5 + np.arange(5)]) / 10
    recording = as_recording(np.zeros((10, 2, 3), np.uint8), frame_rate=10.0)
    gap = recording.assign_coords(time_s=("frame", times))
    path = write_movie(gap, tmp_path / "gap.isxd")
    assert parts_of(path)[1]["timingInfo"]["cropped"] == ["5 - 99999"]
    drift = as_recording(np.zeros((400, 1, 1), np.uint8), frame_rate=10.0)
    drift = drift.assign_coords(time_s=("frame", np.arange(400) * 0.101))
    path = write_movie(drift, tmp_path / "drift.isxd")
    assert parts_of(path)[1]["timingInfo"]["dropped"] == []


def test_an_existing_file_is_kept_unless_told(tmp_path):
    path = tmp_path / "m.isxd"
    path.write_text("precious")
    recording = as_recording(np.zeros((2, 3, 4), np.uint16), frame_rate=10.0)
    with pytest.raises(WriteError, match="overwrite=True"):
        write_movie(recording, path)
    assert path.read_text() == "precious"
    write_movie(recording, path, overwrite=True)
    assert read_recording(path).shape == (2, 3, 4)


def test_cancelling_leaves_nothing(tmp_path):
    recording = as_recording(np.zeros((2, 3, 4), np.uint16), frame_rate=10.0)

    def cancel(desc, done, total):
        raise Cancelled(desc)

    with pytest.raises(Cancelled):
        write_movie(recording, tmp_path / "m.isxd", progress=reporting(cancel))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path):
    recording = as_recording(np.zeros((2, 3, 4), np.uint16), frame_rate=10.0)
    with pytest.raises(WriteError, match="was not written"):
        write_movie(recording, tmp_path / "absent" / "m.isxd")


def test_a_movie_may_replace_itself(tmp_path):
    frames = np.arange(4 * 3 * 5, dtype=np.uint16).reshape(4, 3, 5)
    path = write_movie(as_recording(frames, frame_rate=5.0), tmp_path / "m.isxd")
    write_movie(read_recording(path)[1:], path, overwrite=True)
    np.testing.assert_array_equal(read_recording(path), frames[1:])
