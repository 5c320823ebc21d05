"""Inscopix .isxd movies: every value that the vendor's library wrote."""

import importlib
import json
import pickle
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import ReadError
from napari_mesmerize.io import list_recordings, read_recording
from napari_mesmerize.io.inscopix.frames import StoredFrames
from napari_mesmerize.io.inscopix.recording import read_time_stamps
from napari_mesmerize.io.inscopix.write import write_movie

DATA = Path(__file__).parents[2] / "data" / "isxd"
EXPECTED = json.loads((DATA / "expected.json").read_text())["files"]
ARRAYS = dict(np.load(DATA / "expected.npz"))
MOVIES = [n for n, facts in EXPECTED.items() if facts["kind"] in ("movie", "image")]
OTHERS = [n for n in EXPECTED if n not in MOVIES]


@pytest.fixture
def write_footer(tmp_path):
    """Write a file: the float movie's data, and its footer with changes."""

    def write(name="changed.isxd", *, data=None, **changes):
        content = (DATA / "movie_f32.isxd").read_bytes()
        length = struct.unpack("<Q", content[-8:])[0]
        footer = json.loads(content[-9 - length : -9])
        for place, value in changes.items():
            *parents, last = place.split("__")
            table = footer
            for parent in parents:
                table = table[parent]
            table[last] = value
        text = json.dumps(footer).encode()
        pixels = content[: -9 - length] if data is None else data
        path = tmp_path / name
        path.write_bytes(pixels + text + b"\0" + struct.pack("<Q", len(text)))
        return path

    return write


@pytest.mark.parametrize("name", MOVIES)
@pytest.mark.filterwarnings("ignore::napari_mesmerize.io.ReadWarning")
def test_read_returns_the_stored_frames_and_no_others(name):
    facts = EXPECTED[name]
    recording = read_recording(DATA / name)
    expected = ARRAYS[name.removesuffix(".isxd")].reshape(-1, *facts["shape"][-2:])
    expected = np.delete(expected, facts.get("invalid", []), axis=0)
    assert recording.dtype == facts["dtype"]
    np.testing.assert_array_equal(recording.to_numpy(), expected)
    np.testing.assert_array_equal(recording[::-3].to_numpy(), expected[::-3])
    np.testing.assert_array_equal(recording[-1].to_numpy(), expected[-1])
    if facts["kind"] == "movie":
        rate = recording.attrs["frame_rate"]
        assert rate == pytest.approx(1 / facts["period_s"], rel=1e-12)
    if "start_unix_s" in facts:
        date = np.datetime64(recording.attrs["date"].removesuffix("+00:00"))
        assert date.astype("datetime64[ms]").astype(int) / 1e3 == facts["start_unix_s"]


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_say_what_they_are(name):
    (info,) = list_recordings(DATA / name)
    module, _, function = info.problem.rpartition(" ")[2].rpartition(".")
    assert callable(getattr(importlib.import_module(module), function))
    with pytest.raises(ReadError, match=rf"{name}.*no movie"):
        read_recording(DATA / name)


def test_missing_samples_are_gaps_in_time():
    facts = EXPECTED["movie_u16_gaps.isxd"]
    with pytest.warns(UserWarning, match="varies"):
        recording = read_recording(DATA / "movie_u16_gaps.isxd")
    valid = np.delete(np.arange(facts["shape"][0]), facts["invalid"])
    assert recording.sizes["frame"] == facts["stored_frames"]
    np.testing.assert_allclose(recording["time_s"], valid * facts["period_s"])
    missing = recording.attrs["meta"]["missing"]
    assert missing == {key: facts[key] for key in ("dropped", "cropped", "blank")}


def test_time_stamps_in_frame_headers_are_the_times():
    name = "movie_u16_headers_spec"
    recording = read_recording(DATA / f"{name}.isxd")
    stamps = ARRAYS[f"{name}_tsc_us"].astype(np.int64)
    np.testing.assert_array_equal(read_time_stamps(DATA / f"{name}.isxd"), stamps)
    np.testing.assert_allclose(recording["time_s"], (stamps - stamps[0]) / 1e6)
    acquisition = recording.attrs["meta"]["acquisition_info"]
    assert acquisition == EXPECTED[f"{name}.isxd"]["acquisition_info"]
    assert recording.attrs["origin"] == "Inscopix NVista3"


def test_frames_without_headers_have_no_time_stamps():
    with pytest.raises(ReadError, match="has no time stamps"):
        read_time_stamps(DATA / "movie_f32.isxd")


@pytest.mark.parametrize("limit", [8, 12])
def test_times_between_sampled_headers_are_interpolated(limit, monkeypatch):
    monkeypatch.setattr("napari_mesmerize.io.inscopix.recording.MAX_STAMPS", limit)
    recording = read_recording(DATA / "movie_u16_headers_spec.isxd")
    steps = np.diff(recording["time_s"])
    np.testing.assert_allclose(steps, 0.050037, atol=1e-6)


def test_coloured_movies_have_three_channels(write_footer):
    pixels = np.arange(5 * 24 * 32 * 3, dtype=np.uint8)
    path = write_footer(data=pixels.tobytes(), dataType=3, timingInfo__numTimes=5)
    assert [i.channel for i in list_recordings(path)] == ["red", "green", "blue"]
    with pytest.raises(ReadError, match="choose selection='red'"):
        read_recording(path)
    green = read_recording(path, selection="green")
    np.testing.assert_array_equal(
        green.to_numpy(), pixels.reshape(5, 24, 32, 3)[..., 1]
    )


def test_the_time_zone_is_kept(write_footer):
    path = write_footer(timingInfo__start__utcOffset=7200)
    date = read_recording(path).attrs["date"]
    assert date == "2023-11-15T00:15:23.456+02:00"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"timingInfo__numTimes": 10**9}, "1000000000 frames"),
        ({"timingInfo__numTimes": 0}, "numTimes = 0"),
        ({"timingInfo__numTimes": "forty"}, "numTimes = 'forty'"),
        ({"timingInfo__numTimes": 2.5}, "numTimes = 2.5"),
        ({"timingInfo__period": {"num": 1, "den": 0}}, "den not 0"),
        ({"timingInfo__period": {"num": -1, "den": 20}}, "a time above 0"),
        ({"timingInfo__period": None}, "period"),
        ({"timingInfo__dropped": [-1]}, "dropped"),
        ({"timingInfo__dropped": "all"}, "dropped"),
        ({"timingInfo__cropped": ["1 to 3"]}, "first - last"),
        ({"timingInfo__cropped": ["0 - 39"]}, "holds no frame"),
        ({"spacingInfo__numPixels": {"x": 10**6, "y": 10**6}}, "take"),
        ({"spacingInfo__numPixels": {"x": 0, "y": 24}}, "numPixels.x = 0"),
        ({"spacingInfo": None}, "numPixels"),
        ({"dataType": 9}, "dataType = 9"),
        ({"type": 77}, "type = 77"),
        ({"hasFrameHeaderFooter": True}, "take"),
    ],
)
def test_wrong_footers_are_named(write_footer, changes, said):
    path = write_footer(**changes)
    tracemalloc.start()
    with pytest.raises(ReadError, match=said) as caught:
        read_recording(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    assert path.name in str(caught.value)


def test_a_billion_cropped_samples_take_no_memory(write_footer):
    path = write_footer(
        timingInfo__numTimes=10**9, timingInfo__cropped=["40 - 999999999"]
    )
    tracemalloc.start()
    recording = read_recording(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    np.testing.assert_array_equal(recording.to_numpy(), ARRAYS["movie_f32"])


def test_frames_are_views_of_the_file():
    from napari_mesmerize.io.inscopix.recording import scan

    frames = scan(DATA / "movie_f32.isxd")[0].frames()
    assert isinstance(frames, StoredFrames)
    assert frames[3:9].base is not None
    assert not frames[3:9].flags.writeable


def test_recordings_travel_to_other_processes():
    recording = read_recording(DATA / "movie_f32.isxd")
    again = pickle.loads(pickle.dumps(recording))  # noqa: S301
    np.testing.assert_array_equal(again.to_numpy(), ARRAYS["movie_f32"])


@pytest.fixture
def series(tmp_path):
    """Three files of 10 frames at 20 Hz, starting at 0, 2 and 5 seconds."""
    paths = []
    for i, start in enumerate((0, 2, 5)):
        frames = np.full((10, 4, 6), i, np.uint16)
        part = as_recording(
            frames, frame_rate=20.0, date=f"2024-01-01T00:00:{start:02d}+00:00"
        )
        paths.append(write_movie(part, tmp_path / f"part_{i}.isxd"))
    return paths


@pytest.mark.filterwarnings("ignore::napari_mesmerize.io.ReadWarning")
def test_a_series_keeps_the_gaps_between_its_files(series):
    recording = read_recording([series[2], series[0], series[1]])
    expected = np.add.outer([0, 2, 5], np.arange(10) / 20).ravel()
    np.testing.assert_allclose(recording["time_s"], expected)
    np.testing.assert_array_equal(recording[:, 0, 0], np.repeat([0, 1, 2], 10))
    assert recording.attrs["frame_rate"] == 20.0
    assert recording.attrs["date"].startswith("2024-01-01T00:00:00")
    assert len(recording.attrs["source"]["files"]) == 3
    missing = recording.attrs["meta"]["missing_by_file"]
    assert set(missing) == {path.name for path in series}
    again = pickle.loads(pickle.dumps(recording))  # noqa: S301
    np.testing.assert_array_equal(again[25], recording[25])


@pytest.mark.filterwarnings("ignore::napari_mesmerize.io.ReadWarning")
def test_a_series_is_written_as_one_movie_with_gaps(series, tmp_path):
    recording = read_recording(series)
    again = read_recording(write_movie(recording, tmp_path / "one.isxd"))
    np.testing.assert_array_equal(again, recording)
    np.testing.assert_allclose(again["time_s"], recording["time_s"])


@pytest.mark.filterwarnings("ignore::napari_mesmerize.io.ReadWarning")
def test_a_series_opens_by_glob_and_folder_and_is_listed(series):
    # names sort otherwise than starts
    first = series[0].rename(series[0].with_name("z.isxd"))
    for path in (first.parent / "*.isxd", first.parent):
        (info,) = list_recordings(path)
        assert info.name == "z"
        assert info.shape == (30, 4, 6)
        recording = read_recording(path, selection=info.selection, name="day 1")
        np.testing.assert_array_equal(recording[:, 0, 0], np.repeat([0, 1, 2], 10))
        assert recording.name == "day 1"
        assert recording["time_s"][29] == 5.45


def test_a_series_that_does_not_fit_is_refused(series, tmp_path):
    with pytest.raises(ReadError, match="overlap"):
        read_recording([series[0], series[0]])
    slow = as_recording(
        np.zeros((3, 4, 6), np.uint16), frame_rate=10.0, date="2024-01-02T00:00:00"
    )
    path = write_movie(slow, tmp_path / "slow.isxd")
    with pytest.raises(ReadError, match=r"slow\.isxd has 10 Hz"):
        read_recording([series[0], path])
    series[1].write_bytes(series[1].read_bytes()[:-9])
    with pytest.raises(ReadError, match="part_1"):
        read_recording(series)
    with pytest.raises(ReadError, match="no movie"):
        read_recording([series[0], DATA / "cellset.isxd"])


def test_files_without_a_start_follow_in_the_order_given(tmp_path):
    paths = []
    for i in range(2):
        frames = np.full((3, 4, 6), i, np.uint16)
        undated = as_recording(frames, frame_rate=20.0)
        paths.append(write_movie(undated, tmp_path / f"undated_{i}.isxd"))
    recording = read_recording(paths[::-1])
    np.testing.assert_array_equal(recording[:, 0, 0], np.repeat([1, 0], 3))
    assert "time_s" not in recording.coords
