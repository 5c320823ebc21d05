"""Every reader: damaged, cut short, elsewhere, twice. Only ReadError comes out."""

import os
import shutil
import sys
import warnings

import h5py
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io import ReadWarning, list_recordings, read_recording
from napari_mesmerize.io.tiff_write import write_tiff

MAX_BYTES = 10**7
FORMATS = (
    "rec.tif",
    "rec.npy",
    "rec.h5",
    "chunked.h5",
    "rec.nwb",
    "rec.sbx",
    "rec.mat",
    "rec.avi",
    "rec.mkv",
    "rec.zarr.zip",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, movie):
    """Return a folder with a small file of each format."""
    folder = tmp_path_factory.mktemp("whole")
    frames = (movie(shape=(12, 16, 32)) % 256).astype(np.uint16)
    write_tiff(frames, folder / "rec.tif")
    np.save(folder / "rec.npy", frames)
    with h5py.File(folder / "rec.h5", "w") as file:
        file["mov"] = frames
    with h5py.File(folder / "chunked.h5", "w") as file:
        file.create_dataset("mov", data=frames, chunks=(3, 16, 32), compression=1)
    with h5py.File(folder / "rec.nwb", "w") as file:
        group = file.create_group("acquisition/movie")
        group.attrs["neurodata_type"] = "TwoPhotonSeries"
        group["data"] = frames
        group["timestamps"] = np.arange(12) / 10
    frames.tofile(folder / "rec.sbx")
    info = {"sz": [16, 32], "channels": 2, "resfreq": 8000.0, "scanmode": 1}
    savemat(folder / "rec.mat", {"info": info})
    with zarr.storage.ZipStore(folder / "rec.zarr.zip", mode="w") as store:
        zarr.create_array(store, data=frames, chunks=(4, 16, 32))
    av = pytest.importorskip("av")
    for name in ("rec.avi", "rec.mkv"):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream("ffv1", rate=20)
            stream.width, stream.height, stream.pix_fmt = 32, 16, "gray"
            for frame in frames.astype(np.uint8):
                picture = av.VideoFrame.from_ndarray(frame, format="gray")
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
    return folder


def open_all(path):
    """Open what there is; return the ReadErrors."""
    errors = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadWarning)
        try:
            infos = list_recordings(path)
        except ReadError as error:
            return [error]
        for info in infos:
            frame_bytes = info.n_bytes // max(1, info.n_frames)
            if info.problem or frame_bytes > MAX_BYTES:
                continue
            try:
                recording = read_recording(path, selection=info.selection)
                recording[:1].to_numpy()
                recording[-1].to_numpy()
            except ReadError as error:
                errors.append(error)
    return errors


def copy_of(whole, folder, name, content):
    """Put damaged content into a folder, with the file it needs beside it."""
    for beside in ("rec.sbx", "rec.mat") if name in ("rec.sbx", "rec.mat") else ():
        shutil.copy(whole / beside, folder)
    (folder / name).write_bytes(content)
    return folder / ("rec.sbx" if name == "rec.mat" else name)


@pytest.mark.parametrize("name", FORMATS)
def test_cut_short_at_ten_places(whole, tmp_path, name):
    content = (whole / name).read_bytes()
    rng = np.random.default_rng(len(name))
    for keep in (0, 1, *np.sort(rng.integers(2, len(content), 10))):
        path = copy_of(whole, tmp_path, name, content[:keep])
        for error in open_all(path):
            assert path.stem in str(error)


@pytest.mark.parametrize("name", FORMATS)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_damaged_bytes(whole, tmp_path, name, data):
    content = bytearray((whole / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 10))):
        near = data.draw(st.booleans())
        last = min(len(content), 300) if near else len(content)
        content[data.draw(st.integers(0, last - 1))] = data.draw(st.integers(0, 255))
    path = copy_of(whole, tmp_path, name, bytes(content))
    for error in open_all(path):
        assert path.stem in str(error)


@pytest.mark.parametrize("name", FORMATS)
def test_another_format_inside(whole, tmp_path, name):
    for other in FORMATS:
        if other.rpartition(".")[2] == name.rpartition(".")[2] or name == "rec.mat":
            continue
        path = copy_of(whole, tmp_path, name, (whole / other).read_bytes())
        open_all(path)


@pytest.mark.parametrize("name", [n for n in FORMATS if n != "rec.mat"])
def test_strange_places(whole, tmp_path, name):
    """Non-ASCII and long paths, files that can only be read, two readers at once."""
    folder = tmp_path / ("größe " + "x" * 150) / ("深" * 60)
    folder.mkdir(parents=True)
    path = folder / name
    shutil.copy(whole / name, path)
    if name == "rec.sbx":
        shutil.copy(whole / "rec.mat", folder)
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        first, second = read_recording(path), read_recording(path)
        np.testing.assert_array_equal(first[3], second[3])
        np.testing.assert_array_equal(first[11], second[11])
    finally:
        folder.chmod(0o755)


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything"
)
def test_a_file_that_may_not_be_read(whole, tmp_path):
    shutil.copy(whole / "rec.tif", tmp_path)
    (tmp_path / "rec.tif").chmod(0)
    with pytest.raises(ReadError, match="Permission denied"):
        read_recording(tmp_path / "rec.tif")
