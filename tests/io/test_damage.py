"""Every reader: damaged, cut short, elsewhere, twice. Only ReadError comes out."""

import os
import shutil
import sys
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io import (
    READERS,
    ReadWarning,
    list_recordings,
    read_recording,
)
from napari_mesmerize.io.ome_zarr.write import write_ome_zarr
from napari_mesmerize.io.paths import suffix_of
from napari_mesmerize.io.tiff.write import write_tiff

DATA = Path(__file__).parents[1] / "data"
SAMPLES = (
    "mesc/two_sessions.mesc",
    "mesc/aod.mesc",
    "mes/two_channels.mes",
    "isxd/movie_u16_gaps.isxd",
    "isxd/movie_u16_headers_spec.isxd",
)
MAX_BYTES = 10**7
FORMATS = (
    "rec.tif",
    "zlib.tif",
    "tiles.btf",
    "rec.npy",
    "rec.h5",
    "chunked.h5",
    "rec.nwb",
    "rec.sbx",
    "rec.mat",
    "rec.avi",
    "rec.mkv",
    "rec.mp4",
    "rec.lif",
    "rec.zarr.zip",
    *(Path(sample).name for sample in SAMPLES),
)
ODD_BYTES = (0, 1, 0x39, 0x7F, 0x80, 0xFE, 0xFF)
ODD_NUMBERS = (0, 10**9, 2**31 - 1, 2**32 - 1, 2**62)
FUZZ = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, movie, hyperstack, write_lif):
    """Return a folder with a small file of each format."""
    folder = tmp_path_factory.mktemp("whole")
    frames = (movie(shape=(12, 16, 32)) % 256).astype(np.uint16)
    write_tiff(frames, folder / "rec.tif")
    tifffile.imwrite(folder / "zlib.tif", frames, compression="zlib")
    tifffile.imwrite(folder / "tiles.btf", frames, tile=(16, 16), bigtiff=True)
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
    if pytest.importorskip("liffile"):
        write_lif(folder / "rec.lif", [("a", hyperstack(0), 0.25)])
    av = pytest.importorskip("av")
    for name, codec, pixels in (
        ("rec.avi", "ffv1", "gray"),
        ("rec.mkv", "ffv1", "gray"),
        ("rec.mp4", "h264", "yuv420p"),
    ):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=20)
            stream.width, stream.height, stream.pix_fmt = 32, 16, pixels
            for frame in frames.astype(np.uint8):
                picture = av.VideoFrame.from_ndarray(frame, format="gray")
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
    for sample in SAMPLES:
        shutil.copy(DATA / sample, folder)
    return folder


def open_all(path, like=None, most=99):
    """Open what there is; return the ReadErrors. Frames are those of ``like``."""
    errors = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadWarning)
        try:
            infos = list_recordings(path)
        except ReadError as error:
            return [error]
        for info in infos[:most]:
            frame_bytes = info.n_bytes // max(1, info.n_frames)
            if info.problem or frame_bytes > MAX_BYTES:
                continue
            try:
                recording = read_recording(path, selection=info.selection)
                first, last = recording[:1].to_numpy(), recording[-1].to_numpy()
            except ReadError as error:
                errors.append(error)
                continue
            if like is not None:
                known = read_recording(like, selection=info.selection)
                np.testing.assert_array_equal(first, known[:1])
                np.testing.assert_array_equal(last, known[len(recording) - 1])
    return errors


def copy_of(whole, folder, name, content):
    """Put damaged content into a folder, with the file it needs beside it."""
    for beside in ("rec.sbx", "rec.mat") if name in ("rec.sbx", "rec.mat") else ():
        shutil.copy(whole / beside, folder)
    (folder / name).write_bytes(content)
    return folder / ("rec.sbx" if name == "rec.mat" else name)


def check_errors(path, errors):
    """Check that each error names the file, and says more than that."""
    for error in errors:
        assert path.stem in str(error)
        assert len(str(error)) > len(path.name) + 10


def test_every_suffix_is_among_the_formats():
    tried = {READERS[suffix_of(Path(n), READERS)] for n in FORMATS if n != "rec.mat"}
    assert tried == set(READERS.values())


@pytest.mark.parametrize("name", FORMATS)
def test_cut_short_at_ten_places(whole, tmp_path, name):
    """It is refused, or the frames that are left are right."""
    content = (whole / name).read_bytes()
    rng = np.random.default_rng(len(name))
    like = whole / ("rec.sbx" if name == "rec.mat" else name)
    for keep in (0, 1, *np.sort(rng.integers(2, len(content), 10))):
        path = copy_of(whole, tmp_path, name, content[:keep])
        errors = open_all(path, None if path.suffix == ".mp4" else like)
        check_errors(path, errors)
        assert errors or keep > 1


@pytest.mark.parametrize("name", FORMATS)
@FUZZ
@given(data=st.data())
def test_damaged_bytes(whole, tmp_path, name, data):
    content = bytearray((whole / name).read_bytes())
    n_bytes = len(content)
    places = st.one_of(
        st.integers(0, n_bytes - 1),
        st.integers(0, min(n_bytes, 600) - 1),
        st.integers(max(0, n_bytes - 1500), n_bytes - 1),
    )
    for at in data.draw(st.lists(places, min_size=1, max_size=12)):
        content[at] = data.draw(st.sampled_from(ODD_BYTES) | st.integers(0, 255))
    path = copy_of(whole, tmp_path, name, bytes(content))
    check_errors(path, open_all(path))


@pytest.mark.parametrize("name", FORMATS)
@FUZZ
@given(
    at=st.integers(0, 3000),
    number=st.sampled_from(ODD_NUMBERS),
    size=st.sampled_from([2, 4, 8]),
    order=st.sampled_from(["little", "big"]),
)
def test_absurd_numbers_allocate_nothing(
    whole, tmp_path, name, at, number, size, order
):
    content = bytearray((whole / name).read_bytes())
    at %= len(content) - size
    content[at : at + size] = (number % 2 ** (8 * size)).to_bytes(size, order)
    path = copy_of(whole, tmp_path, name, bytes(content))
    tracemalloc.start()
    try:
        check_errors(path, open_all(path, most=2))
        assert tracemalloc.get_traced_memory()[1] < 3e8
    finally:
        tracemalloc.stop()


def test_a_compressed_page_that_claims_gigabytes_allocates_nothing(whole, tmp_path):
    content = bytearray((whole / "zlib.tif").read_bytes())
    content[123:131] = (2**31 - 1).to_bytes(8, "big")  # length of the first page
    path = copy_of(whole, tmp_path, "zlib.tif", content)
    tracemalloc.start()
    try:
        open_all(path)
        assert tracemalloc.get_traced_memory()[1] < 3e8
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "rec.mat"])
def test_another_format_inside(whole, tmp_path, name):
    for other in FORMATS:
        if READERS[suffix_of(Path(name), READERS)] == READERS.get(Path(other).suffix):
            continue
        path = copy_of(whole, tmp_path, name, (whole / other).read_bytes())
        check_errors(path, open_all(path))


@pytest.mark.skipif(sys.platform == "win32", reason="paths end at 260 characters")
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "rec.mat"])
@pytest.mark.filterwarnings("ignore::napari_mesmerize.io.ReadWarning")
def test_strange_places(whole, tmp_path, name):
    """Non-ASCII and long paths, files that can only be read, readers at once."""
    folder = tmp_path / ("größe µ " + "x" * 150) / ("深" * 60)
    folder.mkdir(parents=True)
    path = folder / name
    shutil.copy(whole / name, path)
    if name == "rec.sbx":
        shutil.copy(whole / "rec.mat", folder)
    path.chmod(0o444)
    folder.chmod(0o555)
    try:
        first, second = read_recording(path), read_recording(path)
        expected = first.to_numpy()
        which = [i % len(first) for i in (3, 11, 0, 7, 5, 2, 9, 1)]
        with ThreadPoolExecutor(4) as pool:
            for recording in (first, second):
                found = pool.map(lambda i, r=recording: r[i].to_numpy(), which)
                for i, frame in zip(which, found, strict=True):
                    np.testing.assert_array_equal(frame, expected[i])
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@FUZZ
@given(data=st.data())
def test_a_zarr_folder_with_damaged_files(tmp_path, movie, version, data):
    path = tmp_path / "rec.zarr"
    write_ome_zarr(movie(), path, version=version, overwrite=True)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    file = data.draw(st.sampled_from(files))
    content = bytearray(file.read_bytes())
    kind = data.draw(st.sampled_from(["gone", "cut", "changed"]))
    if kind == "gone":
        file.unlink()
    elif kind == "cut":
        file.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    else:
        for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=8)):
            content[at] = data.draw(st.sampled_from([*ODD_BYTES, *b'"[]{},:']))
        file.write_bytes(content)
    check_errors(path, open_all(path))


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything"
)
def test_a_file_that_may_not_be_read(whole, tmp_path):
    shutil.copy(whole / "rec.tif", tmp_path)
    (tmp_path / "rec.tif").chmod(0)
    with pytest.raises(ReadError, match="Permission denied"):
        read_recording(tmp_path / "rec.tif")


OWN = {
    "rec.tif": "tiff.recording._layouts",
    "rec.npy": "npy.parse_axes",
    "rec.h5": "hdf5._rank",
    "chunked.h5": "hdf5.check_name",  # which the library calls back
    "rec.nwb": "nwb.recording._kind",
    "rec.sbx": "scanbox._sides",
    "rec.avi": "video.recording._pixel_type",
    "rec.lif": "lif._items",
    "rec.zarr.zip": "ome_zarr.recording._plain",
    "two_sessions.mesc": "femtonics.mesc._channels",
    "two_channels.mes": "femtonics.mes._folded",
    "movie_u16_gaps.isxd": "inscopix.recording._origin",
}
FAULTS = (
    AttributeError,
    TypeError,
    AssertionError,
    ValueError,
    KeyError,
    RuntimeError,
    NotImplementedError,
)


def raising(error):
    def fail(*_, **__):
        raise type(error)(*error.args)  # a new one, which keeps no file open

    return fail


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", OWN)
def test_a_fault_of_ours_is_not_told_as_damage(whole, monkeypatch, name, fault):
    monkeypatch.setattr(f"napari_mesmerize.io.{OWN[name]}", raising(fault("ours")))
    with pytest.raises(fault, match="ours") as caught:
        list_recordings(whole / name)
    assert type(caught.value) is fault


@pytest.mark.parametrize("name", OWN)
def test_a_full_memory_is_not_told_as_damage(whole, monkeypatch, name):
    monkeypatch.setattr(f"napari_mesmerize.io.{OWN[name]}", raising(MemoryError()))
    with pytest.raises(MemoryError, match=rf"Memory ran out while {name} was read"):
        list_recordings(whole / name)


@pytest.mark.parametrize("fault", FAULTS)
def test_frames_that_fail_by_a_fault_of_ours(whole, monkeypatch, fault):
    broken = raising(fault("ours"))
    monkeypatch.setattr("napari_mesmerize.io.hdf5.StoredArray.__getitem__", broken)
    recording = read_recording(whole / "chunked.h5")
    with pytest.raises(fault, match="ours") as caught:
        recording[0].to_numpy()
    assert type(caught.value) is fault


def test_frames_for_which_memory_is_too_small(whole, monkeypatch):
    """It runs out in a library, as it does most often."""
    recording = read_recording(whole / "zlib.tif")
    monkeypatch.setattr(tifffile.TiffFrame, "asarray", raising(MemoryError("3 GiB")))
    with pytest.raises(MemoryError, match=r"zlib\.tif was read \(3 GiB\)"):
        recording[0].to_numpy()


def test_a_refusal_of_the_system_is_not_told_as_damage(whole, monkeypatch):
    refused = PermissionError(13, "whatever the library says")
    monkeypatch.setattr(h5py, "File", raising(refused))
    with pytest.raises(ReadError, match=r"rec\.h5 can not be read: .*denied") as caught:
        read_recording(whole / "rec.h5")
    assert "damaged" not in str(caught.value)
    assert "copy" not in str(caught.value)
