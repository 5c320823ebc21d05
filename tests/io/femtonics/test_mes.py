"""Femtonics .mes: every value that the sample files are known to hold."""

import json
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io import list_recordings, read_recording
from napari_mesmerize.io.femtonics.mes_voltages import read_voltages
from napari_mesmerize.io.items import ReadWarning

DATA = Path(__file__).parents[2] / "data" / "mes"
EXPECTED = json.loads((DATA / "expected.json").read_text("utf-8"))
ARRAYS = dict(np.load(DATA / "expected.npz"))
CASES = [
    ("two_channels.mes", "Df0001/pmtUG", "two_channels/If0001/pmtUG_TYX"),
    ("two_channels.mes", "Df0001/pmtUR", "two_channels/If0001/pmtUR_TYX"),
    ("two_channels.mes", "Df0002/pmtUG", "two_channels/If0002/pmtUG_ZYX"),
    ("two_channels.mes", "Df0002/pmtUR", "two_channels/If0002/pmtUR_ZYX"),
    ("one_channel.mes", "Df0001/pmtUG", "one_channel/IF0001/pmtUG_TYX"),
]


@pytest.fixture
def rewrite(tmp_path):
    """Write a sample again, its first record and its variables changed."""

    def write(name="one_channel.mes", *, fields=None, drop=(), compress=False):
        content = loadmat(DATA / name, appendmat=False, chars_as_strings=True)
        content = {k: v for k, v in content.items() if k[0] != "_" and k not in drop}
        for key, value in (fields or {}).items():
            if "__" in key:
                outer, inner = key.split("__")
                content["Df0001"][0, 0][outer][0, 0][inner] = np.array([[value]])
            else:
                content["Df0001"][0, 0][key] = value
        path = tmp_path / name
        savemat(
            path,
            content,
            appendmat=False,
            format="5",
            do_compression=compress,
            long_field_names=True,
        )
        return path

    return write


@pytest.mark.parametrize(("name", "selection", "key"), CASES)
def test_read_returns_the_frames_from_the_first_whole_one(name, selection, key):
    recording = read_recording(DATA / name, selection=selection)
    values = recording.to_numpy()
    expected = ARRAYS[key].reshape(values.shape)
    assert recording.dtype == np.uint16
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(recording[-1].to_numpy(), expected[-1])
    np.testing.assert_array_equal(recording[::-4].to_numpy(), expected[::-4])


@pytest.mark.parametrize("name", list(EXPECTED))
def test_facts_are_those_of_the_file(name):
    infos = list_recordings(DATA / name)
    for record, facts in EXPECTED[name]["records"].items():
        mine = [i for i in infos if i.selection.startswith(record)]
        assert [i.channel for i in mine] == facts["channels"]
        recording = read_recording(DATA / name, selection=mine[0].selection)
        attrs, meta = recording.attrs, recording.attrs["meta"]
        assert list(recording.squeeze().shape) == facts["shape"]
        assert attrs["frame_rate"] == facts.get("fps")
        assert attrs["z_step_um"] == facts.get("z_step_um")
        if "date" in facts:
            assert attrs["date"] == facts["date"]
        if "pixel_um" in facts:
            assert list(attrs["pixel_size_um"]) == facts["pixel_um"]
        if "aux" in facts:
            assert meta["voltages"] == facts["aux"]
        for key in ("comment", "t0_ms", "frame_period_ms"):
            if key in facts:
                assert meta[key] == facts[key]


@pytest.mark.parametrize("compress", [False, True])
def test_compressed_files_are_read_alike(rewrite, compress):
    path = rewrite("two_channels.mes", compress=compress)
    recording = read_recording(path, selection="Df0001/pmtUR")
    np.testing.assert_array_equal(recording, ARRAYS[CASES[1][2]])


def test_a_record_finds_its_image_by_name_and_not_by_place(rewrite):
    path = rewrite("two_channels.mes", fields={"IMAGE": np.array(["If0001_0002"])})
    first, second = list_recordings(path)[:2]
    np.testing.assert_array_equal(
        read_recording(path, selection=first.selection), ARRAYS[CASES[1][2]]
    )
    assert second.selection == "Df0001/pmtUR"


def test_a_first_line_that_can_not_be_is_told(rewrite):
    path = rewrite(fields={"FoldedFrameInfo__firstFramePos": 10.0**6})
    with pytest.warns(ReadWarning, match="firstFramePos=1000000"):
        recording = read_recording(path)
    np.testing.assert_array_equal(recording, ARRAYS[CASES[4][2]])


def test_the_first_line_can_be_given():
    recording = read_recording(
        DATA / "two_channels.mes", selection="Df0001/pmtUG", first_line=7
    )
    expected = ARRAYS[CASES[0][2]]
    rolled = np.concatenate(list(expected))[1 : 29 * 24 + 1].reshape(29, 24, 32)
    np.testing.assert_array_equal(recording[:29], rolled)


@pytest.mark.parametrize("claimed", [10.0**9, 31.0])
def test_more_frames_than_there_are_are_told(rewrite, claimed):
    path = rewrite(fields={"FoldedFrameInfo__numFrames": claimed})
    with pytest.warns(ReadWarning, match=r"claims .* frames, 30 are in the file"):
        assert read_recording(path).shape == (30, 24, 32)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"drop": ("IF0001_0001",)}, "'IF0001_0001' is not in the file"),
        ({"fields": {"FoldedFrameInfo__numFrameLines": 10.0**6}}, "lines per frame"),
        ({"fields": {"FoldedFrameInfo__firstFramePos": 720.0}}, "no whole frame"),
    ],
)
def test_records_that_can_not_be_read_are_listed(rewrite, change, said):
    path = rewrite(**change)
    assert said in list_recordings(path)[0].problem
    with pytest.raises(ReadError, match=said):
        read_recording(path)


def test_a_mat_file_without_records_is_refused(tmp_path):
    path = tmp_path / "other.mes"
    savemat(path, {"a": np.ones(3)}, appendmat=False)
    with pytest.raises(ReadError, match="without the variables Df0001"):
        list_recordings(path)


def write_v73(path, *, table=""):
    """Write the sample with one channel as MATLAB v7.3 does."""
    stem = f"{table}/" if table else ""
    with h5py.File(path, "w", userblock_size=512) as file:
        frames = ARRAYS[CASES[4][2]]
        file[f"{stem}IF0001_0001"] = frames.reshape(-1, 32)
        group = file.create_group(f"{stem}Df0001")
        for key, text in (
            ("Channel", "pmtUG"),
            ("IMAGE", "IF0001_0001"),
            ("Type", "FF"),
            ("Context", "Measure"),
            ("MeasurementDate", "2018.05.13. 11:22:33,456"),
        ):
            codes = np.array([ord(c) for c in text], np.uint16)[:, None]
            group[key] = codes
            group[key].attrs["MATLAB_class"] = np.bytes_(b"char")
        folded = group.create_group("FoldedFrameInfo")
        for key, value in (
            ("firstFramePos", 1),
            ("numFrames", 30),
            ("numFrameLines", 24),
            ("firstFrameStartTime", 0),
            ("frameTimeLength", 30),
            ("TransverseStep", 0.5),
        ):
            folded[key] = np.array([[float(value)]])
        group["WidthStep"] = np.array([[0.5]])
        group["Comment"] = np.zeros(2, np.uint64)
        group["Comment"].attrs["MATLAB_empty"] = 1
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, written by a test".ljust(128))


@pytest.mark.parametrize("table", ["", "DATA"])
def test_files_saved_again_as_v73_are_read_alike(tmp_path, table):
    path = tmp_path / "again.mes"
    write_v73(path, table=table)
    recording = read_recording(path)
    np.testing.assert_array_equal(recording, ARRAYS[CASES[4][2]])
    assert recording.attrs["frame_rate"] == pytest.approx(1000 / 30)
    assert recording.attrs["date"] == "2018-05-13T11:22:33.456"
    assert recording.attrs["pixel_size_um"] == (0.5, 0.5)


def test_v73_struct_arrays_of_references(tmp_path):
    path = tmp_path / "refs.mes"
    write_v73(path)
    with h5py.File(path, "r+") as file:
        file["IF0001_0002"] = np.zeros((720, 32), np.uint16)
        old = file["Df0001"]
        file.move("Df0001", "#refs#/a")
        old = file["#refs#/a"]
        file["#refs#/name"] = np.array([ord(c) for c in "IF0001_0002"], np.uint16)
        file["#refs#/name"].attrs["MATLAB_class"] = np.bytes_(b"char")
        new = file.create_group("Df0001")
        for key in old:
            second = file["#refs#/name"] if key == "IMAGE" else old[key]
            links = np.array([[old[key].ref, second.ref]], h5py.ref_dtype)
            new.create_dataset(key, data=links, dtype=h5py.ref_dtype)
    assert [i.selection for i in list_recordings(path)] == ["Df0001/1", "Df0001/2"]
    assert read_recording(path, selection="Df0001/2").to_numpy().max() == 0
    np.testing.assert_array_equal(
        read_recording(path, selection="Df0001/1"), ARRAYS[CASES[4][2]]
    )


def test_v73_structs_in_circles_end(tmp_path):
    path = tmp_path / "circle.mes"
    write_v73(path)
    with h5py.File(path, "r+") as file:
        group = file["Df0001"]
        for name in ("a", "b", "c"):
            group[name] = h5py.SoftLink("/Df0001")
    with pytest.raises(ReadError, match="in circles"):
        list_recordings(path)


def test_recordings_travel_to_other_processes():
    recording = read_recording(DATA / "one_channel.mes")
    again = pickle.loads(pickle.dumps(recording))  # noqa: S301
    np.testing.assert_array_equal(again, recording)


def test_records_without_voltages_say_so():
    with pytest.raises(ReadError, match="no voltage channels"):
        read_voltages(DATA / "one_channel.mes")
