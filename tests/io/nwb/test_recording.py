import h5py
import numpy as np
import pytest

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io import list_recordings, read_recording
from napari_mesmerize.io.results import read_results


@pytest.fixture
def path(tmp_path, movie):
    frames = movie()
    with h5py.File(tmp_path / "rec.nwb", "w") as file:
        file["session_start_time"] = "2024-05-06T07:08:09+02:00"
        file["session_description"] = "a mouse"
        plane = file.create_group("general/optophysiology/plane")
        plane["grid_spacing"] = [0.5e-6, 0.8e-6]
        plane["grid_spacing"].attrs["unit"] = "meters"
        plane["imaging_rate"] = 30.0
        plane["device"] = file.create_group("general/devices/Scope")
        rated = file.create_group("acquisition/rated")
        rated.attrs["neurodata_type"] = "TwoPhotonSeries"
        rated["data"] = frames.transpose(0, 2, 1)
        rated["data"].attrs["unit"] = "n.a."
        rated["starting_time"] = 0.0
        rated["starting_time"].attrs["rate"] = 7.5
        rated["imaging_plane"] = h5py.SoftLink(plane.name)
        timed = file.create_group("acquisition/timed")
        timed.attrs["neurodata_type"] = "OnePhotonSeries"
        timed["data"] = (
            frames.transpose(0, 2, 1).reshape(4, 3, 14, 10).transpose(0, 2, 3, 1)
        )
        timed["timestamps"] = 0.25 * np.arange(4) + 3
        linked = file.create_group("acquisition/linked")
        linked.attrs["neurodata_type"] = "TwoPhotonSeries"
        linked["external_file"] = np.array([b"raw.tif"])
        speed = file.create_group("acquisition/speed")
        speed.attrs["neurodata_type"] = "TimeSeries"
        speed["data"] = np.arange(10)
    return tmp_path / "rec.nwb"


def test_photon_series(path, movie):
    infos = {info.selection.rpartition("/")[2]: info for info in list_recordings(path)}
    assert set(infos) == {"rated", "timed", "linked"}
    assert "raw.tif" in infos["linked"].problem
    recording = read_recording(path, selection="rated")
    np.testing.assert_array_equal(recording, movie())
    attrs = recording.attrs
    assert attrs["frame_rate"] == 7.5
    assert attrs["pixel_size_um"] == pytest.approx((0.8, 0.5))
    assert attrs["date"] == "2024-05-06T07:08:09+02:00"
    assert attrs["origin"] == "Scope"
    assert attrs["meta"]["session_description"] == "a mouse"


def test_volumes_and_time_stamps(path, movie):
    recording = read_recording(path, selection="acquisition/timed")
    assert recording.dims == ("frame", "z", "y", "x")
    np.testing.assert_array_equal(recording, movie().reshape(4, 3, 10, 14))
    np.testing.assert_allclose(recording.time_s, 0.25 * np.arange(4) + 3)
    assert recording.attrs["frame_rate"] == pytest.approx(4)


def test_axes_and_external_files(path, movie):
    turned = read_recording(path, selection="rated", axes="TYX")
    np.testing.assert_array_equal(turned, movie().transpose(0, 2, 1))
    with pytest.raises(ReadError, match=r"other files; open raw\.tif"):
        read_recording(path, selection="linked")


def test_no_images(tmp_path):
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file["x"] = 1
    with pytest.raises(ReadError, match="holds no TwoPhotonSeries"):
        read_recording(tmp_path / "a.nwb")
    (tmp_path / "a.nwb").write_bytes(b"nothing")
    with pytest.raises(ReadError, match=r"a\.nwb can not be read"):
        read_recording(tmp_path / "a.nwb")


def test_written_by_pynwb(tmp_path, movie):
    pynwb = pytest.importorskip("pynwb")
    from datetime import UTC, datetime

    nwb = pynwb.NWBFile("d", "i", datetime(2024, 1, 2, tzinfo=UTC))
    series = pynwb.image.ImageSeries(
        name="movie", data=movie().transpose(0, 2, 1), unit="n.a.", rate=5.0
    )
    nwb.add_acquisition(series)
    with pynwb.NWBHDF5IO(tmp_path / "a.nwb", "w") as io:
        io.write(nwb)
    recording = read_recording(tmp_path / "a.nwb")
    np.testing.assert_array_equal(recording, movie())
    assert recording.attrs["frame_rate"] == 5
    assert recording.attrs["date"] == "2024-01-02T00:00:00+00:00"


def test_a_series_that_starts_later(path):
    with h5py.File(path, "r+") as file:
        file["acquisition/rated/starting_time"][()] = 3.5
    recording = read_recording(path, selection="rated")
    np.testing.assert_allclose(recording["time_s"], 3.5 + np.arange(12) / 7.5)


def test_claims_of_a_billion_frames_take_no_memory(path):
    with h5py.File(path, "r+") as file:
        for name in ("rated", "timed"):
            del file[f"acquisition/{name}/data"]
            file[f"acquisition/{name}"].create_dataset(
                "data", (10**9, 14, 10), "u2", chunks=(1, 14, 10)
            )
        file["acquisition/rated/starting_time"][()] = 3.5
        del file["acquisition/timed/timestamps"]
        file["acquisition/timed"].create_dataset(
            "timestamps", (10**9,), "f8", chunks=(100,)
        )
    assert read_recording(path, selection="rated").shape == (10**9, 10, 14)
    with pytest.raises(ReadError, match="claims 8000000000 bytes and holds 0"):
        read_recording(path, selection="timed")


def test_text_without_an_end_is_refused_and_does_not_hang(path):
    """The HDF5 library never comes back from such a heap."""
    content = bytearray(path.read_bytes())
    at = content.find(b"GCOL\x01\0\0\0") + 16
    while int.from_bytes(content[at : at + 2], "little"):
        at += 16 + -(-int.from_bytes(content[at + 8 : at + 16], "little") // 8) * 8
    content[at : at + 16] = bytes(16)
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"rec\.nwb is damaged: its text at byte"):
        list_recordings(path)
    with pytest.raises(ReadError, match=r"rec\.nwb is damaged: its text at byte"):
        read_results(path)
