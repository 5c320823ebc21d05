import threading
import warnings

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mesmerize.data.recording import LayerArray
from napari_mesmerize.errors import ParameterError, ReadError
from napari_mesmerize.io import ReadWarning, list_recordings, read_recording

PLAIN = {"photometric": "minisblack", "metadata": None}


def read(path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadWarning)
        return read_recording(path, **options)


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_plain_pages_are_frames(tmp_path, bigtiff, byteorder, compression, movie):
    frames = movie()
    path = tmp_path / "ünï.tif"
    tifffile.imwrite(
        path, frames, bigtiff=bigtiff, byteorder=byteorder, compression=compression,
        **PLAIN,
    )  # fmt: skip
    recording = read(path)
    assert recording.dims == ("frame", "y", "x")
    assert recording.dtype.isnative
    np.testing.assert_array_equal(recording, frames)
    np.testing.assert_array_equal(recording[7, 2:5].to_numpy(), frames[7, 2:5])
    np.testing.assert_array_equal(LayerArray(recording)[3], frames[3])
    unknown = ("frame_rate", "pixel_size_um", "z_step_um", "date")
    assert all(recording.attrs[name] is None for name in unknown)
    assert recording.attrs["source"]["uri"] == str(path)
    assert recording.attrs["history"][0]["operation"] == "read_recording"


@pytest.mark.parametrize(
    "dtype", ["uint8", "int16", "uint16", "uint32", "float32", "float64"]
)
def test_pixel_types_are_kept(tmp_path, dtype, movie, write_frame_by_frame):
    frames = movie(dtype=dtype, shape=(20, 8, 9))
    write_frame_by_frame(tmp_path / "a.tif", frames)
    recording = read(tmp_path / "a.tif")
    assert recording.dtype == dtype
    np.testing.assert_array_equal(recording, frames)


@pytest.mark.parametrize("n_frames", [1, 2, 3, 7, 8, 9, 10, 40, 700])
@pytest.mark.parametrize("rows", [None, 3])
def test_files_written_frame_by_frame(tmp_path, n_frames, rows, movie):
    frames = movie(shape=(n_frames, 10, 14))
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for frame in frames:
            writer.write(frame, contiguous=False, rowsperstrip=rows, metadata=None)
    recording = read(path)
    np.testing.assert_array_equal(recording, frames)
    np.testing.assert_array_equal(recording[::3], frames[::3])
    np.testing.assert_array_equal(recording[[0, -1]], frames[[0, -1]])


def test_nan_frames_pass(tmp_path, movie):
    frames = movie(dtype=np.float32)
    frames[3] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", frames, **PLAIN)
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), frames)


@pytest.mark.parametrize("shape", [(1, 10, 14), (6, 1, 14), (6, 10, 1), (6, 1, 1)])
def test_thin_recordings(tmp_path, shape, movie):
    frames = movie(shape=shape)
    tifffile.imwrite(tmp_path / "a.tif", frames, **PLAIN)
    recording = read(tmp_path / "a.tif")
    assert recording.shape == shape
    np.testing.assert_array_equal(recording, frames)


def test_appended_series_are_one_movie(tmp_path, movie):
    frames = movie()
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for k, frame in enumerate(frames):
            writer.write(frame, metadata={"frame": k}, photometric="minisblack")
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), frames)
    assert len(list_recordings(tmp_path / "a.tif")) == 1


def test_series_of_different_shape_are_a_choice(tmp_path, movie):
    frames = movie()
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(frames, metadata={"axes": "TYX"}, photometric="minisblack")
        writer.write(frames[:3, :5], metadata={"axes": "ZYX"}, photometric="minisblack")
    first, second = list_recordings(path)
    assert (first.kind, first.shape) == ("movie", (12, 10, 14))
    assert (second.kind, second.shape) == ("stack", (1, 3, 5, 14))
    with pytest.warns(ReadWarning, match="series-1"):
        np.testing.assert_array_equal(read_recording(path), frames)
    stack = read(path, selection=second.selection)
    np.testing.assert_array_equal(stack[0], frames[:3, :5])
    with pytest.raises(ReadError, match="it has 'series-0'"):
        read(path, selection="series-9")


@pytest.mark.parametrize("many", [False, True])
def test_mixed_page_sizes_are_refused_or_chosen(tmp_path, many, movie):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for k in range(200 if many else 8):
            height = 10 + (k % 2 if many else k // 4)
            writer.write(movie(k, (1, height, 14))[0], contiguous=False, metadata=None)
    with pytest.raises(ReadError, match="different sizes"):
        read(path)
    if not many:
        assert read(path, selection="series-1").shape == (4, 11, 14)


def test_imagej_hyperstack(tmp_path, hyperstack):
    frames = hyperstack()
    tifffile.imwrite(
        tmp_path / "a.tif", frames, imagej=True, byteorder=">",
        resolution=(1 / 0.6, 1 / 0.5),
        metadata={"axes": "TZCYX", "finterval": 0.25, "unit": "um", "spacing": 4.0},
    )  # fmt: skip
    infos = list_recordings(tmp_path / "a.tif")
    assert [info.selection for info in infos] == ["channel-0", "channel-1"]
    for c, info in enumerate(infos):
        recording = read(tmp_path / "a.tif", selection=info.selection)
        assert recording.dims == ("frame", "z", "y", "x")
        np.testing.assert_array_equal(recording, frames[:, :, c])
        assert recording.attrs["frame_rate"] == pytest.approx(4)
        assert recording.attrs["pixel_size_um"] == pytest.approx((0.5, 0.6))
        assert recording.attrs["z_step_um"] == 4


@pytest.mark.parametrize("unit", ["\\u00B5m", "micron", "pixel"])
def test_imagej_units(tmp_path, unit, movie):
    tifffile.imwrite(
        tmp_path / "a.tif", movie(), imagej=True, resolution=(2, 4),
        metadata={"axes": "TYX", "unit": unit},
    )  # fmt: skip
    expected = None if unit == "pixel" else (0.25, 0.5)
    assert read(tmp_path / "a.tif").attrs["pixel_size_um"] == expected
    assert read(tmp_path / "a.tif").attrs["frame_rate"] is None


def test_imagej_without_a_count_of_images(tmp_path, movie):
    path = tmp_path / "a.tif"
    frames = movie()
    with tifffile.TiffWriter(path) as tif:
        for frame in frames:
            tif.write(
                frame,
                description="ImageJ=1.48v\nmin=0.0\nmax=4094.0",
                metadata=None,
                contiguous=False,
            )
    recording = read_recording(path)
    np.testing.assert_array_equal(recording.to_numpy(), frames)


def test_imagej_stacks_that_do_not_say_what_they_are(tmp_path, movie):
    frames = movie()
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, frames, imagej=True)
    with pytest.warns(ReadWarning, match="took them for frames"):
        recording = read_recording(path)
    np.testing.assert_array_equal(recording, frames)
    np.testing.assert_array_equal(read(path, axes="ZYX")[0], frames)


def test_imagej_slices_that_are_a_movie(tmp_path, movie):
    frames = movie()
    path = tmp_path / "a.tif"
    facts = {"axes": "ZYX", "spacing": 2.0, "unit": "um"}
    tifffile.imwrite(path, frames, imagej=True, metadata=facts)
    with pytest.warns(ReadWarning, match="axes='TYX'"):
        assert read_recording(path).shape == (1, 12, 10, 14)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_recording(path, axes="TYX"), frames)
    tifffile.imwrite(path, frames, imagej=True, metadata=facts | {"finterval": 0.1})
    assert read(path).shape == (12, 10, 14)


@pytest.mark.parametrize("n", [3, 4])
def test_few_frames_that_were_written_as_colours(tmp_path, movie, n):
    """tifffile writes (n, y, x) as planes of a colour page for n of 3 and 4."""
    frames = movie(shape=(5 * n, 10, 14))
    path = tmp_path / "a.tif"
    volumes = frames.reshape(5, n, 10, 14)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tifffile.imwrite(path, volumes, metadata={"axes": "TZYX"})
    np.testing.assert_array_equal(read(path), volumes)
    with warnings.catch_warnings(), tifffile.TiffWriter(path) as writer:
        warnings.simplefilter("ignore")
        for part in volumes:
            writer.write(part)
    with pytest.raises(ReadError, match="axes='TYX'"):
        read(path)
    np.testing.assert_array_equal(read(path, axes="TYX"), frames)
    np.testing.assert_array_equal(read(path, axes="TZYX"), volumes)


def test_imagej_beyond_4_gb_has_one_header(tmp_path, movie, write_single_header):
    frames = movie()
    write_single_header(tmp_path / "a.tif", frames)
    recording = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(recording, frames)
    assert recording.attrs["frame_rate"] == pytest.approx(25)


@pytest.mark.parametrize("n_claimed", [13, 10**9])
def test_more_pages_claimed_than_there_are(
    tmp_path, n_claimed, movie, write_single_header
):
    write_single_header(tmp_path / "a.tif", movie(), n_claimed=n_claimed)
    with pytest.raises(ReadError, match=r"cut short.*allow_truncated"):
        read(tmp_path / "a.tif")


def test_ome_times(tmp_path, movie):
    frames = movie()
    times = 0.1 * np.arange(12) + np.linspace(0, 0.001, 12)
    tifffile.imwrite(
        tmp_path / "a.ome.tif", frames, photometric="minisblack",
        metadata={
            "axes": "TYX", "TimeIncrement": 0.2, "PhysicalSizeX": 0.65,
            "PhysicalSizeY": 700, "PhysicalSizeYUnit": "nm",
            "Plane": {"DeltaT": (1e3 * times).tolist(), "DeltaTUnit": ["ms"] * 12,
                      "TheT": list(range(12)), "TheZ": [0] * 12, "TheC": [0] * 12},
            "Channel": {"Name": ["GCaMP6s"]},
        },
    )  # fmt: skip
    recording = read(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(recording, frames)
    np.testing.assert_allclose(recording.time_s, times)
    assert recording.attrs["frame_rate"] == pytest.approx(1 / 0.1000909, rel=1e-4)
    assert recording.attrs["pixel_size_um"] == pytest.approx((0.7, 0.65))
    assert recording.attrs["meta"]["channel"] == "GCaMP6s"


def test_ome_volumes_and_order_of_pages(tmp_path, hyperstack):
    frames = hyperstack()
    tifffile.imwrite(
        tmp_path / "a.ome.tif", frames, photometric="minisblack",
        metadata={"axes": "TZCYX", "TimeIncrement": 500, "TimeIncrementUnit": "ms",
                  "PhysicalSizeZ": 5.0},
    )  # fmt: skip
    recording = read(tmp_path / "a.ome.tif", selection=1)
    np.testing.assert_array_equal(recording, frames[:, :, 1])
    assert recording.attrs["frame_rate"] == pytest.approx(2)
    assert recording.attrs["z_step_um"] == 5


@pytest.mark.parametrize("prefix", ["OME:", "", "undeclared:"])
def test_ome_prefixes(tmp_path, prefix, movie, ome_xml):
    frames = movie()
    planes = "".join(
        f'<{prefix}Plane TheZ="0" TheT="{k}" TheC="0" DeltaT="{k / 8}"/>'
        for k in range(12)
    )
    xml = ome_xml(12, 14, 10, planes, prefix=prefix)
    tifffile.imwrite(tmp_path / "a.ome.tif", frames, description=xml, **PLAIN)
    recording = read(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(recording, frames)
    assert recording.attrs["frame_rate"] == pytest.approx(8)
    assert recording.attrs["date"] == "2020-11-23T17:23:45+00:00"


def test_ome_planes_named_one_by_one(tmp_path, movie, ome_xml):
    frames = movie()
    blocks = "".join(
        f'<TiffData FirstT="{k}" FirstZ="0" FirstC="0" IFD="{11 - k}" PlaneCount="1"/>'
        for k in range(12)
    )
    xml = ome_xml(12, 14, 10, blocks, prefix="").replace(
        '<TiffData IFD="0" PlaneCount="12"/>', ""
    )
    tifffile.imwrite(tmp_path / "a.ome.tif", frames, description=xml, **PLAIN)
    np.testing.assert_array_equal(read(tmp_path / "a.ome.tif"), frames[::-1])


def test_ome_acquisition_that_was_stopped(tmp_path, movie, ome_xml):
    xml = ome_xml(99, 14, 10, attributes='TimeIncrement="0.1"')
    tifffile.imwrite(tmp_path / "a.ome.tif", movie(), description=xml, **PLAIN)
    with pytest.warns(ReadWarning, match="announced with 99 frames, but holds 12"):
        recording = read_recording(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(recording, movie())
    assert recording.attrs["frame_rate"] == pytest.approx(10)


def test_ome_file_set(tmp_path, movie, ome_xml):
    frames = movie()
    blocks = "".join(
        f'<TiffData FirstT="{k}" IFD="{k % 6}" PlaneCount="1">'
        f'<UUID FileName="set_{k // 6}.ome.tif">urn:uuid:{k // 6}</UUID></TiffData>'
        for k in range(12)
    )
    facts = 'TimeIncrement="0.1" PhysicalSizeX="0.5" PhysicalSizeY="0.5"'
    xml = ome_xml(12, 14, 10, blocks, facts, prefix="").replace(
        '<TiffData IFD="0" PlaneCount="12"/>', ""
    )
    for k in range(2):
        path = tmp_path / f"set_{k}.ome.tif"
        part = frames[6 * k : 6 * k + 6]
        tifffile.imwrite(path, part, description=xml, **PLAIN)
    with pytest.warns(ReadWarning, match="one file of an OME-TIFF set"):
        recording = read_recording(path)
    np.testing.assert_array_equal(recording, frames[6:])
    whole = read(tmp_path)
    np.testing.assert_array_equal(whole, frames)
    assert whole.attrs["frame_rate"] == pytest.approx(10)
    assert whole.attrs["pixel_size_um"] == (0.5, 0.5)


@pytest.mark.parametrize("broken", ['SizeT="x"', 'SizeT="12', 'SizeT="1000000000000"'])
def test_broken_ome_xml_warns_and_shows_the_pages(tmp_path, broken, movie, ome_xml):
    xml = ome_xml(12, 14, 10).replace('SizeT="12"', broken)
    frames = movie()
    tifffile.imwrite(tmp_path / "a.ome.tif", frames, description=xml, **PLAIN)
    with pytest.warns(ReadWarning, match="OME-XML"):
        recording = read_recording(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(recording, frames)


def test_colour_is_a_choice(tmp_path, movie):
    frames = np.stack([movie(k, dtype=np.uint8) for k in range(3)], axis=-1)
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric="rgb", metadata=None)
    with pytest.raises(ReadError, match=r"colour.*selection='channel-0'"):
        read(tmp_path / "a.tif")
    green = read(tmp_path / "a.tif", selection="green")
    np.testing.assert_array_equal(green, frames[..., 1])
    planar = np.moveaxis(frames, -1, 1)
    tifffile.imwrite(
        tmp_path / "b.tif", planar, photometric="rgb", planarconfig="separate",
        metadata=None, compression="zlib",
    )  # fmt: skip
    blue = read(tmp_path / "b.tif", selection="channel-2")
    np.testing.assert_array_equal(blue, frames[..., 2])


def test_axes_override(tmp_path, movie):
    frames = movie()
    tifffile.imwrite(tmp_path / "a.tif", frames, **PLAIN)
    path = tmp_path / "a.tif"
    np.testing.assert_array_equal(read(path, axes="ZYX")[0], frames)
    np.testing.assert_array_equal(read(path, axes="txy"), frames.swapaxes(1, 2))
    volumes = read(path, axes="TZYX", n_planes=3)
    np.testing.assert_array_equal(volumes, frames.reshape(4, 3, 10, 14))
    second = read(path, n_channels=2, selection="channel-1")
    np.testing.assert_array_equal(second, frames[1::2])
    both = read(path, n_channels=2, n_planes=3, selection="channel-1")
    np.testing.assert_array_equal(both, frames.reshape(2, 3, 2, 10, 14)[:, :, 1])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"axes": "YXT"}, "Y and X last"),
        ({"axes": "TTYX"}, "each axis once"),
        ({"axes": "TZYX"}, "Say how many planes"),
        ({"n_planes": 5}, "divide 12"),
        ({"planes": 5}, "has no option 'planes'"),
    ],
)
def test_axes_that_do_not_fit(tmp_path, options, match, movie):
    tifffile.imwrite(tmp_path / "a.tif", movie(), **PLAIN)
    with pytest.raises(ParameterError, match=match):
        read(tmp_path / "a.tif", **options)


@pytest.mark.parametrize("content", [b"", b"not a picture\n", b"II*\0", b"II*\0" * 20])
def test_no_tiff(tmp_path, content):
    path = tmp_path / "notes.tif"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"notes\.tif"):
        read(path)


def test_no_page(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0\0\0\0\0" + bytes(20))
    with pytest.raises(ReadError, match="no page"):
        read(path)


def test_damaged_page_is_found_when_it_is_read(tmp_path, movie, write_frame_by_frame):
    frames = movie(shape=(3000, 64, 64))
    path = tmp_path / "a.tif"
    write_frame_by_frame(path, frames)
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[1501].tags[257].overwrite(32)
    recording = read(path)
    np.testing.assert_array_equal(recording[1400:1500], frames[1400:1500])
    with pytest.raises(ReadError, match=r"a\.tif.*page 1501 is 32 x 64"):
        recording[1490:1510].to_numpy()


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory, movie, write_frame_by_frame):
    folder = tmp_path_factory.mktemp("whole")
    frames = movie()
    tifffile.imwrite(folder / "plain.tif", frames, **PLAIN)
    tifffile.imwrite(folder / "zlib.tif", frames, compression="zlib", **PLAIN)
    tifffile.imwrite(folder / "ij.tif", frames, imagej=True, metadata={"axes": "TYX"})
    tifffile.imwrite(folder / "x.ome.tif", frames, metadata={"axes": "TYX"})
    write_frame_by_frame(folder / "appended.tif", frames)
    return frames, {file.name: file.read_bytes() for file in folder.iterdir()}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_truncated_files_never_give_wrong_frames(whole_files, tmp_path_factory, data):
    frames, contents = whole_files
    name = data.draw(st.sampled_from(sorted(contents)))
    content = contents[name]
    keep = data.draw(st.integers(0, len(content) - 1))
    path = tmp_path_factory.mktemp("cut") / name
    path.write_bytes(content[:keep])
    try:
        found = read(path).to_numpy()
    except ReadError as error:
        said = str(error)
    else:
        said = name
        np.testing.assert_array_equal(found, frames)
    assert name in said


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damaged_bytes_raise_only_read_errors(whole_files, tmp_path_factory, data):
    _, contents = whole_files
    name = data.draw(st.sampled_from(sorted(contents)))
    content = bytearray(contents[name])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / name
    path.write_bytes(content)
    try:
        for info in list_recordings(path):
            if not info.problem and info.n_bytes < 10**8:
                read(path, selection=info.selection)[:1].to_numpy()
    except ReadError:
        pass


def test_whole_frames_of_a_truncated_file(tmp_path, movie, write_frame_by_frame):
    frames = movie()
    path = tmp_path / "a.tif"
    write_frame_by_frame(path, frames)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ReadError, match="allow_truncated"):
        read(path)
    recording = read(path, allow_truncated=True)
    assert len(recording) >= 10
    np.testing.assert_array_equal(recording, frames[: len(recording)])


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_threads(tmp_path, compression, movie):
    frames = movie(shape=(60, 32, 32))
    tifffile.imwrite(tmp_path / "a.tif", frames, compression=compression, **PLAIN)
    recording = read(tmp_path / "a.tif")
    other = read(tmp_path / "a.tif")
    wrong = []

    def work(seed):
        order = np.random.default_rng(seed).permutation(60)
        for i in order:
            source = recording if seed % 2 else other
            if not np.array_equal(source[int(i)].to_numpy(), frames[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_copies_and_pickles(tmp_path, movie):
    import copy
    import pickle

    tifffile.imwrite(tmp_path / "a.tif", movie(), **PLAIN)
    recording = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(copy.deepcopy(recording), movie())
    again = pickle.loads(pickle.dumps(recording))  # noqa: S301
    np.testing.assert_array_equal(again, movie())


@pytest.mark.parametrize("head", [b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"\0\0\0\0"])
@pytest.mark.parametrize("length", range(1, 20))
def test_a_few_bytes_are_no_tiff(tmp_path, head, length):
    path = tmp_path / "a.tif"
    path.write_bytes((head + bytes(20))[:length])
    with pytest.raises(ReadError, match=r"a\.tif"):
        read_recording(path)
