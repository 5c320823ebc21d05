import json
import warnings

import numpy as np
import pytest
import tifffile

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import ParameterError, ReadError
from napari_mesmerize.io import (
    METADATA_FORMATS,
    READERS,
    SUFFIXES,
    ReadWarning,
    list_recordings,
    read_recording,
    write_recording,
)
from napari_mesmerize.io.items import iso_date
from napari_mesmerize.io.paths import JoinedFrames, natural_key
from napari_mesmerize.io.times import rate_of_times, rate_spread

PLAIN = {"photometric": "minisblack", "metadata": None}


@pytest.fixture
def path(tmp_path, movie):
    tifffile.imwrite(tmp_path / "rec.tif", movie(), **PLAIN)
    return tmp_path / "rec.tif"


def test_suffixes():
    assert tuple(READERS) == SUFFIXES
    assert all(suffix == suffix.lower() for suffix in SUFFIXES)


def test_unknown_suffix_lists_known_ones(tmp_path):
    (tmp_path / "a.xyz").write_bytes(b"1")
    with pytest.raises(ReadError, match=r"a\.xyz has no known suffix.*\.tif.*\.npy"):
        read_recording(tmp_path / "a.xyz")
    with pytest.raises(ReadError, match=r"b\.tif does not exist"):
        read_recording(tmp_path / "b.tif")
    with pytest.raises(ReadError, match="No file fits"):
        read_recording(tmp_path / "b*.tif")
    with pytest.raises(ReadError, match="empty list"):
        read_recording([])
    with pytest.raises(ReadError, match="holds no recording"):
        read_recording(tmp_path)


def test_case_of_suffix_and_uri(tmp_path, movie):
    path = tmp_path / "My Récording.TIF"
    tifffile.imwrite(path, movie(), **PLAIN)
    np.testing.assert_array_equal(read_recording(path.as_uri()), movie())
    np.testing.assert_array_equal(read_recording(str(path)), movie())


def test_facts_given_stand_above_the_metadata_file(path):
    said = {"origin": "scope", "fps": 10.5, "date": "20201123_172345", "level": 3}
    path.with_suffix(".json").write_text(json.dumps(said))
    attrs = read_recording(path).attrs
    assert attrs["frame_rate"] == 10.5
    assert attrs["origin"] == "scope"
    assert attrs["date"] == "2020-11-23T17:23:45"
    assert attrs["meta"]["orig_meta"]["level"] == 3
    attrs = read_recording(
        path, frame_rate=3, pixel_size_um=2, name="a", origin="me", date="2020-01-01"
    ).attrs
    assert (attrs["frame_rate"], attrs["origin"]) == (3, "me")
    assert attrs["pixel_size_um"] == (2, 2)
    assert attrs["date"] == "2020-01-01"
    assert read_recording(path, metadata=False).attrs["frame_rate"] is None


def test_metadata_file_elsewhere(path, tmp_path):
    other = tmp_path / "elsewhere.json"
    other.write_text('{"fps": 7, "origin": "a", "date": ""}')
    assert read_recording(path, metadata=other).attrs["frame_rate"] == 7
    other.write_text("{")
    with pytest.raises(ReadError, match=r"elsewhere\.json can not be read as JSON"):
        read_recording(path, metadata=other)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("{broken", "can not be read as JSON.*fps"),
        ("[1, 2]", "expected the keys 'origin', 'fps' and 'date'"),
        ('{"other": 1}', "expected the keys"),
        ('{"fps": "fast"}', "fps='fast' is not understood"),
        ('{"fps": -3}', "expected a number above 0"),
        ('{"fps": 3, "date": "yesterday"}', "date='yesterday' is not understood"),
    ],
)
def test_unreadable_metadata_file_warns(path, content, match):
    path.with_suffix(".json").write_text(content)
    with pytest.warns(ReadWarning, match=match):
        recording = read_recording(path)
    assert recording.attrs["frame_rate"] == (3 if '"fps": 3' in content else None)


def test_other_metadata_dialects(path):
    beside = path.with_suffix(".json")
    beside.write_text(
        '{"framerate": 12.5, "date": "20200102", "time": "101112", "version": "2"}'
    )
    attrs = read_recording(path).attrs
    assert (attrs["frame_rate"], attrs["date"]) == (12.5, "2020-01-02T10:11:12")
    assert attrs["origin"] == "AwesomeImager 2"
    beside.write_text('{"Exposure Time (ms)": 50, "Microscope Type": "NVista3"}')
    attrs = read_recording(path).attrs
    assert (attrs["frame_rate"], attrs["origin"]) == (20, "NVista3")


def test_metadata_formats_by_name_and_ones_own(path, tmp_path, movie):
    other = tmp_path / "notes.txt"
    other.write_text("rate 31")

    def notes(file):
        rate = float(file.read_text().split()[1])
        return {"fps": rate, "origin": "lab", "date": "20200102_030405", "extra": 1}

    attrs = read_recording(path, metadata=other, metadata_format=notes).attrs
    assert (attrs["frame_rate"], attrs["origin"]) == (31, "lab")
    assert attrs["meta"]["orig_meta"]["extra"] == 1
    METADATA_FORMATS["notes"] = notes
    try:
        attrs = read_recording(path, metadata=other, metadata_format="notes").attrs
    finally:
        del METADATA_FORMATS["notes"]
    assert attrs["date"] == "2020-01-02T03:04:05"
    vendor = tmp_path / "vendor.ome.tif"
    write_recording(as_recording(movie(), frame_rate=6, origin="scope"), vendor)
    attrs = read_recording(path, metadata=vendor, metadata_format="ome").attrs
    assert (attrs["frame_rate"], attrs["origin"]) == (pytest.approx(6), "scope")
    with pytest.raises(ParameterError, match="known are json_minimal"):
        read_recording(path, metadata=other, metadata_format="nothing")
    with pytest.raises(ReadError, match="came as NoneType"):
        read_recording(path, metadata=other, metadata_format=lambda file: None)


def test_conflicting_rates_warn(tmp_path, movie):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, movie(), imagej=True, metadata={"axes": "TYX", "finterval": 0.1}
    )
    path.with_suffix(".json").write_text('{"fps": 20, "origin": "", "date": ""}')
    with pytest.warns(ReadWarning, match="says 10 Hz.*says 20 Hz"):
        assert read_recording(path).attrs["frame_rate"] == 20


def test_folder_glob_and_list_are_one_recording(tmp_path, movie):
    frames = movie(shape=(33, 10, 14))
    for k in range(11):
        name = f"part{k}.tif" if k % 2 else f"part{k}.tiff"
        tifffile.imwrite(tmp_path / name, frames[3 * k : 3 * k + 3], **PLAIN)
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "metadata.json").write_text('{"fps": 5, "origin": "a", "date": ""}')
    recording = read_recording(tmp_path)
    np.testing.assert_array_equal(recording, frames)
    assert recording.attrs["frame_rate"] == 5
    assert len(recording.attrs["source"]["files"]) == 11
    np.testing.assert_array_equal(read_recording(tmp_path / "part*"), frames)
    order = [tmp_path / "part3.tif", tmp_path / "part2.tiff"]
    expected = np.concatenate([frames[9:12], frames[6:9]])
    np.testing.assert_array_equal(read_recording(order), expected)
    (info,) = list_recordings(tmp_path)
    assert info.shape == (33, 10, 14)
    for step in (1, 2, 4, 7):
        np.testing.assert_array_equal(recording[1:30:step], frames[1:30:step])


def test_single_pages_are_one_movie(tmp_path, movie):
    frames = movie()
    for k, frame in enumerate(frames):
        tifffile.imwrite(tmp_path / f"t{k}.tif", frame, **PLAIN)
    np.testing.assert_array_equal(read_recording(tmp_path), frames)
    assert list_recordings(tmp_path)[0].kind == "movie"


def test_channels_side_by_side_are_not_joined_in_time(tmp_path, movie):
    """PrairieView writes a file for each frame and channel."""
    frames = movie(shape=(6, 10, 14))
    for i, frame in enumerate(frames):
        for channel in (1, 2):
            name = f"T-001_Cycle00001_Ch{channel}_{i + 1:06}.ome.tif"
            tifffile.imwrite(tmp_path / name, frame + channel, metadata=None)
    for path in (tmp_path, tmp_path / "*.tif"):
        with pytest.raises(ReadError, match=r"2 channels \(Ch1, Ch2\), .*\*_Ch1_\*"):
            read_recording(str(path))
    recording = read_recording(str(tmp_path / "*_Ch2_*"))
    np.testing.assert_array_equal(recording, frames + 2)


def test_files_that_differ_are_named(tmp_path, movie):
    for k in range(4):
        height = 11 if k == 2 else 10
        tifffile.imwrite(tmp_path / f"t{k}.tif", movie(shape=(2, height, 14)), **PLAIN)
    with pytest.raises(ReadError, match=r"t2\.tif has frames of shape \(11, 14\)"):
        read_recording(tmp_path)


def test_folder_of_several_kinds(tmp_path, movie, path):
    np.save(tmp_path / "a.npy", movie())
    with pytest.raises(ReadError, match=r"several kinds.*1 \.tif"):
        read_recording(tmp_path)


def test_natural_order(tmp_path):
    names = ["b10", "b9", "a", "b09x", "B1"]
    found = sorted((tmp_path / name for name in names), key=natural_key)
    assert [path.name for path in found] == ["a", "B1", "b9", "b09x", "b10"]


@pytest.mark.parametrize("dtype", ["uint16", ">i2", "float32"])
def test_npy(tmp_path, movie, dtype):
    frames = movie(dtype=dtype)
    np.save(tmp_path / "a.npy", frames)
    recording = read_recording(tmp_path / "a.npy", frame_rate=4)
    assert recording.dtype.isnative
    np.testing.assert_array_equal(recording, frames)
    assert recording.attrs["frame_rate"] == 4
    np.testing.assert_array_equal(
        read_recording(tmp_path / "a.npy", axes="YXT"), frames.transpose(2, 0, 1)
    )
    np.testing.assert_array_equal(
        read_recording(tmp_path / "a.npy", axes="CYX", selection="channel-3")[0],
        frames[3],
    )
    with pytest.raises(ParameterError, match="one letter an axis"):
        read_recording(tmp_path / "a.npy", axes="TZYX")


def test_npy_volumes(tmp_path, hyperstack):
    frames = hyperstack()
    np.save(tmp_path / "a.npy", frames)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadWarning)
        recording = read_recording(tmp_path / "a.npy", selection=1)
    np.testing.assert_array_equal(recording, frames[:, :, 1])


def test_npy_that_is_none(tmp_path, movie):
    path = tmp_path / "a.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ReadError, match=r"a\.npy"):
        read_recording(path)
    np.save(path, movie())
    content = path.read_bytes()
    for keep in (0, 5, 60, 130, len(content) - 1):
        path.write_bytes(content[:keep])
        with pytest.raises(ReadError, match=r"a\.npy"):
            read_recording(path)
    path.write_bytes(content.replace(b"(12,", b"(10**9,"))
    with pytest.raises(ReadError, match=r"a\.npy"):
        read_recording(path)
    np.save(path, movie()[:0])
    with pytest.raises(ReadError, match="no frames"):
        read_recording(path)
    np.save(path, movie().astype(complex))
    with pytest.raises(ReadError, match="complex128"):
        read_recording(path)


def test_info_is_json_safe(path):
    (info,) = list_recordings(path)
    plain = json.loads(json.dumps(info.to_dict()))
    assert plain["shape"] == [12, 10, 14]
    assert plain["n_bytes"] == 12 * 10 * 14 * 2
    assert plain["duration_s"] is None
    assert plain["dims"] == ["frame", "y", "x"]


def test_joined_frames_read_only_what_is_asked(movie):
    asked = []

    class Part:
        shape = (5, 2, 2)
        dtype = np.dtype("u1")

        def __init__(self, at):
            self.at = at

        def __getitem__(self, frames):
            asked.append(self.at)
            return np.full((len(range(*frames.indices(5))), 2, 2), self.at, "u1")

    joined = JoinedFrames([Part(k) for k in range(4)], list("abcd"))
    assert joined[7:11].max(axis=(1, 2)).tolist() == [1, 1, 1, 2]
    assert asked == [1, 2]


def test_dates_and_rates():
    assert iso_date("20201123_172345") == "2020-11-23T17:23:45"
    assert iso_date(0) is None
    assert iso_date(1_600_000_000) == "2020-09-13T12:26:40+00:00"
    assert iso_date("2020-11-23T17:23:45Z") == "2020-11-23T17:23:45+00:00"
    assert iso_date("soon") is None
    assert rate_of_times([0, 0.1, 0.2, 0.9]) == pytest.approx(10)
    assert rate_of_times([0]) is None
    assert rate_of_times([1, 1, 1]) is None
    assert rate_spread([0, 0.1, 0.2]) == pytest.approx((0, 0))
