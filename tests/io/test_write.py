import numpy as np
import pytest
import tifffile

from napari_mesmerize.data.recording import lazy_recording
from napari_mesmerize.errors import ParameterError, WriteError
from napari_mesmerize.io import WRITERS, read_recording, write_recording

SUFFIXES = [".ome.tif", ".tif", ".zarr"]


@pytest.fixture
def volumes(hyperstack):
    return hyperstack()[:, :, 0]


def with_facts(frames, times=None):
    return lazy_recording(
        frames,
        name="rec",
        frame_rate=12.5,
        pixel_size_um=(0.5, 0.75),
        z_step_um=4.0 if frames.ndim == 4 else None,
        date="2024-05-06T07:08:09+00:00",
        origin="my scope",
        meta={"channel": "GCaMP"},
        time_s=times,
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_what_is_written_is_read_back(tmp_path, movie, suffix, dtype):
    frames = (movie() % 200).astype(dtype)
    if dtype.startswith("f"):
        frames[3] = np.nan
    path = write_recording(with_facts(frames), tmp_path / f"a{suffix}")
    recording = read_recording(path)
    assert recording.dtype == dtype
    np.testing.assert_array_equal(recording, frames)
    attrs = recording.attrs
    assert attrs["frame_rate"] == pytest.approx(12.5)
    assert attrs["pixel_size_um"] == pytest.approx((0.5, 0.75))
    assert attrs["date"] == "2024-05-06T07:08:09+00:00"
    assert attrs["origin"] == "my scope"
    assert attrs["meta"]["channel"] == "GCaMP"
    assert sorted(file.name for file in tmp_path.iterdir()) == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_volumes_and_time_stamps(tmp_path, volumes, suffix):
    times = np.arange(len(volumes)) * 0.1 + 2
    path = write_recording(with_facts(volumes, times), tmp_path / f"a{suffix}")
    recording = read_recording(path)
    np.testing.assert_array_equal(recording, volumes)
    np.testing.assert_allclose(recording.time_s, times)
    assert recording.attrs["z_step_um"] == pytest.approx(4)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_unknown_facts_stay_unknown(tmp_path, movie, suffix):
    write_recording(movie(), tmp_path / f"a{suffix}")
    attrs = read_recording(tmp_path / f"a{suffix}").attrs
    names = ("frame_rate", "pixel_size_um", "z_step_um", "date")
    assert all(attrs[name] is None for name in names)


@pytest.mark.parametrize("compression", ["zlib", "zstd", "lzw"])
def test_compressed_tiff(tmp_path, movie, compression):
    path = tmp_path / "a.tif"
    write_recording(movie(), path, compression=compression)
    np.testing.assert_array_equal(read_recording(path), movie())
    np.testing.assert_array_equal(tifffile.imread(path), movie())


def test_ome_zarr_0_4(tmp_path, movie):
    path = write_recording(with_facts(movie()), tmp_path / "a.ome.zarr", version="0.4")
    assert (path / ".zattrs").exists()
    np.testing.assert_array_equal(read_recording(path), movie())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_overwritten_unasked(tmp_path, movie, suffix):
    path = tmp_path / f"a{suffix}"
    write_recording(movie(0), path)
    with pytest.raises(WriteError, match="exists"):
        write_recording(movie(1), path)
    np.testing.assert_array_equal(read_recording(path), movie(0))
    write_recording(movie(1), path, overwrite=True)
    np.testing.assert_array_equal(read_recording(path), movie(1))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_half_file_stays(tmp_path, movie, suffix):
    path = tmp_path / f"a{suffix}"
    write_recording(movie(0), path)

    class Full:
        shape = (12, 10, 14)
        dtype = np.dtype(np.uint16)

        def __getitem__(self, frames):
            raise OSError(28, "No space left on device")

    with pytest.raises(WriteError, match="No space left"):
        write_recording(lazy_recording(Full()), path, overwrite=True)
    np.testing.assert_array_equal(read_recording(path), movie(0))
    assert len(list(tmp_path.iterdir())) == 1


def test_errors_say_what_to_do(tmp_path, movie):
    with pytest.raises(ParameterError, match=r"known are \.ome\.tif"):
        write_recording(movie(), tmp_path / "a.xyz")
    with pytest.raises(ParameterError, match="compression='rar'"):
        write_recording(movie(), tmp_path / "a.tif", compression="rar")
    with pytest.raises(ParameterError, match=r"astype\('float32'\)"):
        write_recording(movie().astype(np.int64), tmp_path / "a.tif")
    with pytest.raises(ParameterError, match=r"version='1'"):
        write_recording(movie(), tmp_path / "a.zarr", version="1")
    with pytest.raises(WriteError, match="was not written"):
        write_recording(movie(), tmp_path / "no" / "a.tif")
    assert list(WRITERS)[:3] == [".ome.tif", ".ome.tiff", ".tif"]
