"""Femtonics .mesc: every value that the sample files are known to hold."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_mesmerize.errors import ParameterError, ReadError
from napari_mesmerize.io import list_recordings, read_recording
from napari_mesmerize.io.femtonics.mesc_attributes import number_of, text_of
from napari_mesmerize.io.femtonics.mesc_curves import Curve, read_curves
from napari_mesmerize.io.femtonics.mesc_frames import (
    ConvertedFrames,
    DatasetFrames,
    bare_images,
)
from napari_mesmerize.io.items import ReadWarning

DATA = Path(__file__).parents[2] / "data" / "mesc"
EXPECTED = json.loads((DATA / "expected.json").read_text("utf-8"))
ARRAYS = dict(np.load(DATA / "expected.npz"))
MOVIES = [key for key in ARRAYS if key.endswith(("/UG", "/UR"))]
FIRST = "MSession_0/MUnit_0"


def text(content, dtype=np.uint8):
    return np.array([*content.encode("latin-1"), 0], dtype)


@pytest.fixture
def write_unit(tmp_path):
    """Write a file of one unit with one channel."""

    def write(
        stored, *, name="small.mesc", scale=1.0, offset=-500.0, attrs=None, **options
    ):
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            unit = file.create_group(FIRST)
            unit.create_dataset("Channel_0", data=stored, **options)
            unit.attrs["VecChannelsSize"] = np.uint32(1)
            unit.attrs["Channel_0_Name"] = text("UG")
            if scale is not None:
                stem = "Channel_0_Conversion_ConversionLinear"
                unit.attrs[f"{stem}Scale"] = scale
                unit.attrs[f"{stem}Offset"] = offset
            unit.attrs["ZAxisConversionConversionLinearScale"] = 40.0
            unit.attrs["ZAxisConversionUnitName"] = text("ms")
            for key, value in (attrs or {}).items():
                unit.attrs[key] = value
        return path

    return write


@pytest.mark.parametrize("key", MOVIES)
@pytest.mark.filterwarnings("ignore::napari_mesmerize.io.ReadWarning")
def test_read_returns_the_values_that_mesc_shows(key):
    stem, selection = key.split("/", 1)
    recording = read_recording(DATA / f"{stem}.mesc", selection=selection)
    values = recording.to_numpy()
    expected = ARRAYS[key].reshape(values.shape)
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(recording[0].to_numpy(), expected[0])
    np.testing.assert_array_equal(recording[::-3].to_numpy(), expected[::-3])


def test_a_unit_or_session_opens_its_first_channel():
    path = DATA / "two_sessions.mesc"
    for selection, others in (("MSession_0/MUnit_1", 2), ("MSession_0", 8)):
        with pytest.warns(ReadWarning, match=f"'{selection}' holds {others} rec"):
            recording = read_recording(path, selection=selection)
        channel = recording.attrs["source"]["selection"]
        assert channel.startswith(selection)
        assert channel.endswith("/UG")
    with pytest.raises(ReadError, match="has no recording selection='MSession_0/MUn"):
        read_recording(path, selection="MSession_0/MUnit_")


@pytest.mark.parametrize("name", list(EXPECTED))
def test_list_recordings_names_units_in_the_order_of_their_numbers(name):
    found = [i.selection.rpartition("/")[0] for i in list_recordings(DATA / name)]
    assert list(dict.fromkeys(found)) == EXPECTED[name]["units"]


@pytest.mark.parametrize(
    ("name", "unit"),
    [(n, u) for n, facts in EXPECTED.items() for u in facts if u.startswith("MS")],
)
@pytest.mark.filterwarnings("ignore::napari_mesmerize.io.ReadWarning")
def test_facts_are_those_of_the_file(name, unit):
    facts = EXPECTED[name][unit]
    recording = read_recording(DATA / name, selection=f"{unit}/UG")
    attrs, meta = recording.attrs, recording.attrs["meta"]
    if facts["axes"] == "ZYX":
        assert recording.dims == ("frame", "z", "y", "x")
        assert attrs["frame_rate"] is None
        assert attrs["z_step_um"] == facts["z_step_um"]
    elif "fps" in facts:
        assert attrs["frame_rate"] == facts["fps"]
    if "shape" in facts:
        assert (
            list(recording.squeeze().shape[-3:])
            == facts["shape"][-recording.squeeze().ndim :]
        )
    if "pixel_um_x" in facts:
        assert attrs["pixel_size_um"] == (facts["pixel_um_y"], facts["pixel_um_x"])
    for key in ("comment", "curves", "frame_period_ms", "t0_ms"):
        if key in facts:
            assert meta[key] == facts[key]
    if "date_unix" in facts:
        date = np.datetime64(attrs["date"].removesuffix("+00:00")).astype(float) / 1e6
        assert date == facts["date_unix"]


def test_the_start_time_shifts_times_and_not_the_rate():
    unit = EXPECTED["two_sessions.mesc"]["MSession_0/MUnit_10"]
    recording = read_recording(
        DATA / "two_sessions.mesc", selection="MSession_0/MUnit_10/UG"
    )
    assert recording.attrs["frame_rate"] == unit["fps"]
    times = recording["time_s"].to_numpy()
    assert times[0] == unit["t0_ms"] / 1000
    np.testing.assert_allclose(np.diff(times), 1 / unit["fps"])


def test_stored_values_are_returned_if_no_conversion_is_wanted():
    path = DATA / "inverted_v33.mesc"
    stored = read_recording(path, selection=f"{FIRST}/UG", convert=False)
    shown = ARRAYS[f"inverted_v33/{FIRST}/UG"]
    np.testing.assert_array_equal(stored.to_numpy(), 65535 - shown)


def test_flip_turns_pictures_as_mesc_shows_them():
    path = DATA / "two_sessions.mesc"
    flipped = read_recording(path, selection=f"{FIRST}/UG", flip=True)
    shown = ARRAYS[f"two_sessions/{FIRST}/UG"]
    np.testing.assert_array_equal(flipped.to_numpy(), shown[:, ::-1])


def test_a_file_without_conversion_says_so():
    with pytest.warns(ReadWarning, match="conversion of intensities"):
        recording = read_recording(DATA / "no_conversion.mesc")
    assert recording.dtype == np.uint16


@pytest.mark.parametrize(
    ("scale", "offset"), [(1.0, -786.0), (-1.0, 65535.0), (0.5, -3.25), (-1.0, 4000.0)]
)
def test_conversion_is_exact_and_never_wraps(write_unit, scale, offset):
    stored = np.array([0, 1, 785, 786, 787, 65535], np.uint16).reshape(1, 2, 3)
    recording = read_recording(write_unit(stored, scale=scale, offset=offset))
    expected = stored.astype(np.float64) * scale + offset
    np.testing.assert_array_equal(recording.to_numpy(), expected)


def test_multicubes_are_volumes_and_other_aod_scans_raw_pages():
    path = DATA / "aod.mesc"
    infos = [i for i in list_recordings(path) if "patch" not in i.selection]
    assert [info.kind for info in infos] == ["other", "other", "movie"]
    cube = read_recording(path, selection="MSession_0/MUnit_2/UG")
    np.testing.assert_array_equal(cube.to_numpy(), ARRAYS["aod/multicube_TZYX"])
    with pytest.warns(ReadWarning, match="chessboard"):
        page = read_recording(path, selection="MSession_0/MUnit_0/UG")
    patches = ARRAYS["aod/chessboard_TRYX_unflipped"]
    np.testing.assert_array_equal(
        page.to_numpy(), np.concatenate([*np.moveaxis(patches, 1, 0)], axis=-1)
    )


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    ("selection", "key", "patch"),
    [
        *((f"MUnit_0/UG:patch-{i}", "chessboard_TRYX_unflipped", i) for i in range(3)),
        ("MUnit_1/UG:patch-0", "line0_TLX", None),
        ("MUnit_1/UG:patch-1", "line1_TLX", None),
    ],
)
def test_single_patches_and_lines_are_recordings(selection, key, patch, flip):
    recording = read_recording(
        DATA / "aod.mesc", selection=f"MSession_0/{selection}", flip=flip
    )
    expected = ARRAYS[f"aod/{key}"]
    expected = expected if patch is None else expected[:, patch]
    expected = expected[:, ::-1] if flip else expected
    np.testing.assert_array_equal(recording, expected)
    np.testing.assert_array_equal(recording[3:9:2], expected[3:9:2])


@pytest.mark.parametrize(
    "protocol",
    [
        b"",
        b"{",
        b"[1, 2]",
        b'{"scanPatterns": 3}',
        b'{"scanPatterns": {"patterns": [{"centerPoints": [1, 2, 3, 4, 5]}]}}',
    ],
)
def test_scans_that_do_not_say_where_patches_lie_open_as_pages(write_unit, protocol):
    path = write_unit(
        np.zeros((4, 3, 12), np.uint16),
        attrs={
            "MethodType": 8,
            "MultiROIProtocolJSON": np.frombuffer(protocol + b"\0", np.uint8),
        },
    )
    assert [info.kind for info in list_recordings(path)] == ["other"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": (1, 9, 11)},
        {"chunks": (4, 9, 11)},
        {"chunks": (3, 4, 5)},
        {"chunks": (2, 9, 11), "compression": "gzip"},
    ],
)
def test_every_storage_layout_is_read_alike(write_unit, options):
    stored = np.arange(10 * 9 * 11, dtype=np.uint16).reshape(10, 9, 11)
    path = write_unit(stored, scale=None, attrs={}, **options)
    with pytest.warns(ReadWarning):
        recording = read_recording(path)
    for frames in (slice(None), slice(3, 9), slice(1, 10, 3), slice(8, None)):
        np.testing.assert_array_equal(recording[frames].to_numpy(), stored[frames])
    with h5py.File(path) as file:
        whole = options.get("chunks", (1, 9, 11))[1:] == (9, 11)
        bare = whole and "compression" not in options
        assert (bare_images(path, file[f"{FIRST}/Channel_0"]) is not None) == bare


def test_chunks_of_many_images_are_unpacked_once(write_unit):
    stored = np.random.default_rng(0).integers(0, 4000, (60, 64, 64), np.uint16)
    path = write_unit(stored, chunks=(30, 16, 16), compression="gzip")
    frames = DatasetFrames(path, f"{FIRST}/Channel_0", stored.shape)
    first = frames[3:4]
    np.testing.assert_array_equal(first, stored[3:4])
    assert np.shares_memory(first.base, frames[29:30].base)
    np.testing.assert_array_equal(frames[28:32], stored[28:32])


def test_the_cache_holds_all_chunks_of_an_image(write_unit, monkeypatch):
    monkeypatch.setattr("napari_mesmerize.io.hdf5.CACHE_BYTES", 2**20)
    stored = np.zeros((3, 2048, 2048), np.uint16)
    path = write_unit(stored, chunks=(1, 64, 2048), compression="gzip")
    frames = DatasetFrames(path, f"{FIRST}/Channel_0", stored.shape)
    cache = frames._data.id.get_access_plist().get_chunk_cache()
    assert cache[1] >= 2048 * 2048 * 2
    np.testing.assert_array_equal(frames[1:2], stored[1:2])


def test_images_beyond_the_last_whole_volume_are_left_out(write_unit):
    stored = np.arange(7 * 4 * 5, dtype=np.uint16).reshape(7, 4, 5)
    path = write_unit(stored)
    frames = DatasetFrames(path, f"{FIRST}/Channel_0", (2, 3, 4, 5))
    whole = stored[:6].reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(frames.mapped, whole)
    np.testing.assert_array_equal(frames[1:2], whole[1:])
    np.testing.assert_array_equal(ConvertedFrames(frames, 1, -5)[:], whole - 5.0)


def test_curves_have_the_file_own_units():
    curves = read_curves(DATA / "two_sessions.mesc", f"{FIRST}/UG")
    assert list(curves) == EXPECTED["two_sessions.mesc"][FIRST]["curves"]
    stem = f"two_sessions/{FIRST}"
    np.testing.assert_array_equal(curves["DI2"].x, ARRAYS[f"{stem}/DI2_edges_ms"])
    np.testing.assert_array_equal(curves["AI1"].x, ARRAYS[f"{stem}/AI1_x_ms"])
    np.testing.assert_array_equal(curves["AI1"].y, ARRAYS[f"{stem}/AI1_y_V"])
    np.testing.assert_array_equal(curves["Speed"].y, ARRAYS[f"{stem}/Speed_cm_s"])
    assert curves["Speed"].y_unit == "cm/s"
    with pytest.raises(ParameterError, match="'frame', which is no time"):
        curves["frame times"].at([0.0])


def test_a_digital_curve_gives_epochs():
    curve = read_curves(DATA / "two_sessions.mesc", FIRST)["DI2"]
    epochs = curve.epochs("light")
    np.testing.assert_allclose(epochs["start_s"], [0.2, 0.6])
    np.testing.assert_allclose(epochs["stop_s"], [0.3, 0.7])
    assert set(epochs["name"]) == {"DI2"}


def test_values_of_curves_at_frame_times():
    runs = Curve("DI", np.array([0.0, 20.0]), np.array([0.0, 1.0]), "ms", "", 30.0)
    values = runs.at([-0.001, 0.0, 0.0199, 0.02, 0.0299, 0.03])
    np.testing.assert_array_equal(values, [np.nan, 0, 0, 1, 1, np.nan])
    ramp = Curve("AI", np.array([0.0, 10.0]), np.array([1.0, 3.0]), "ms", "V")
    np.testing.assert_array_equal(ramp.at([0.005, 0.02]), [2.0, np.nan])


def test_read_curves_names_the_units_there_are():
    with pytest.raises(ReadError, match=r"MSession_9/MUnit_0.*MSession_0/MUnit_10"):
        read_curves(DATA / "two_sessions.mesc", "MSession_9/MUnit_0")


def test_a_missing_channel_is_listed_with_its_reason(write_unit):
    path = write_unit(np.zeros((2, 3, 4), np.uint16), attrs={"VecChannelsSize": 2})
    first, second = list_recordings(path)
    assert not first.problem
    assert "announces" in second.problem
    with pytest.raises(ReadError, match="announces"):
        read_recording(path, selection=second.selection)


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 3, 4, 5)])
def test_a_channel_of_impossible_shape_is_listed_with_its_reason(write_unit, shape):
    path = write_unit(np.zeros(shape, np.uint16))
    assert "expected (frames, height, width)" in list_recordings(path)[0].problem


def test_hdf5_without_units_is_refused(tmp_path):
    path = tmp_path / "other.mesc"
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros(3)
    with pytest.raises(ReadError, match=r"other\.mesc.*MSession"):
        list_recordings(path)


def test_absurd_sizes_allocate_nothing(tmp_path):
    path = tmp_path / "huge.mesc"
    with h5py.File(path, "w") as file:
        unit = file.create_group(FIRST)
        unit.create_dataset(
            "Channel_0", (10**9, 512, 512), np.uint16, chunks=(1, 512, 512)
        )
    with pytest.warns(ReadWarning, match="conversion"):
        recording = read_recording(path)
    assert recording.shape == (10**9, 512, 512)
    assert recording[10**8].to_numpy().shape == (512, 512)


def test_equal_channel_names_are_told_apart(tmp_path):
    path = tmp_path / "twins.mesc"
    with h5py.File(path, "w") as file:
        unit = file.create_group(FIRST)
        for i in range(2):
            unit[f"Channel_{i}"] = np.full((2, 3, 4), i, np.uint16)
            unit.attrs[f"Channel_{i}_Name"] = text("UG")
    names = [info.selection for info in list_recordings(path)]
    assert names == [f"{FIRST}/Channel_0", f"{FIRST}/Channel_1"]
    with pytest.warns(ReadWarning):
        assert read_recording(path, selection=names[1]).to_numpy().max() == 1


def test_text_and_numbers_in_all_their_spellings():
    for dtype in (np.uint8, np.int16, np.uint16):
        assert text_of(text("µm", dtype)) == "µm"
    assert text_of(np.bytes_(b"ms\0")) == "ms"
    assert number_of(np.array([3.5])) == number_of(np.float32(3.5)) == 3.5
    assert number_of(np.array([1, 2])) is None
    assert number_of(np.float64("nan")) is None


def test_recordings_travel_to_other_processes():
    path = DATA / "two_sessions.mesc"
    recording = read_recording(path, selection=f"{FIRST}/UG")
    again = pickle.loads(pickle.dumps(recording))  # noqa: S301
    np.testing.assert_array_equal(again.to_numpy(), recording.to_numpy())


def test_two_threads_read_the_same_file():
    path = DATA / "two_sessions.mesc"
    key = "MSession_0/MUnit_10/UG"  # compressed: read through HDF5
    recording = read_recording(path, selection=key)
    expected = ARRAYS[f"two_sessions/{key}"]

    def is_right(i):
        return np.array_equal(recording[int(i)].to_numpy(), expected[i])

    with ThreadPoolExecutor(2) as pool:
        frames = np.random.default_rng(0).integers(0, len(expected), 120)
        assert all(pool.map(is_right, frames))
