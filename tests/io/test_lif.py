import struct
import sys

import numpy as np
import pytest

from napari_mesmerize.errors import MissingExtraError, ReadError
from napari_mesmerize.io import list_recordings, read_recording

pytest.importorskip("liffile")


def block(text, body=b"", *, header=b""):
    coded = text.encode("utf-16-le")
    inside = header + struct.pack("<BI", 0x2A, len(text)) + coded
    return struct.pack("<II", 0x70, len(inside)) + inside + body


def image_xml(name, number, frames, interval_s):
    """Describe frames (T, Z, C, Y, X) of 16 bits."""
    n_bytes = [int(np.prod(frames.shape[i + 1 :])) * 2 for i in range(5)]
    channels = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" Unit="" '
        'NameOfMeasuredQuantity="" IsLUTInverted="0" '
        f'LUTName="Green" BytesInc="{c * n_bytes[2]}" BitInc="0" Min="0" Max="65535"/>'
        for c in range(frames.shape[2])
    )
    dims = "".join(
        f'<DimensionDescription DimID="{dim}" NumberOfElements="{frames.shape[axis]}" '
        f'Origin="0" Length="{(frames.shape[axis] - 1) * step}" Unit="{unit}" '
        f'BitInc="0" BytesInc="{n_bytes[axis]}"/>'
        for dim, axis, step, unit in (
            (1, 4, 0.5e-6, "m"), (2, 3, 0.8e-6, "m"), (3, 1, 4e-6, "m"),
            (4, 0, interval_s, "s"),
        )
    )  # fmt: skip
    return (
        f'<Element Name="{name}" Visibility="1"><Data><Image TextDescription="">'
        f"<ImageDescription><Channels>{channels}</Channels>"
        f"<Dimensions>{dims}</Dimensions></ImageDescription></Image></Data>"
        f'<Memory Size="{frames.nbytes}" MemoryBlockID="MemBlock_{number}"/>'
        "<Children/></Element>"
    )


def write_lif(path, images):
    """Write a Leica file of version 2."""
    elements = "".join(
        image_xml(name, i, frames, step)
        for i, (name, frames, step) in enumerate(images)
    )
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="rec"><Data/>'
        f'<Memory Size="0" MemoryBlockID="MemBlock_9"/><Children>{elements}</Children>'
        "</Element></LMSDataContainerHeader>"
    )
    content = block(xml)
    for i, (_, frames, _) in enumerate(images):
        pixels = frames.astype("<u2").tobytes()
        size = struct.pack("<BQ", 0x2A, len(pixels))
        content += block(f"MemBlock_{i}", pixels, header=size)
    path.write_bytes(content)


@pytest.fixture
def path(tmp_path, hyperstack):
    first, second = hyperstack(0), hyperstack(1)[:, :, :1]
    write_lif(tmp_path / "rec.lif", [("a", first, 0.25), ("b", second, 0.5)])
    return tmp_path / "rec.lif"


def test_images_and_channels(path, hyperstack):
    infos = list_recordings(path)
    assert [info.selection for info in infos] == [
        "image-0/channel-0", "image-0/channel-1", "image-1"
    ]  # fmt: skip
    for c in range(2):
        recording = read_recording(path, selection=f"image-0/channel-{c}")
        np.testing.assert_array_equal(recording, hyperstack(0)[:, :, c])
        np.testing.assert_array_equal(recording[3], hyperstack(0)[3, :, c])
    assert recording.attrs["frame_rate"] == pytest.approx(4)
    assert recording.attrs["pixel_size_um"] == pytest.approx((0.8, 0.5))
    assert recording.attrs["z_step_um"] == pytest.approx(4)
    second = read_recording(path, selection="image-1")
    np.testing.assert_array_equal(second, hyperstack(1)[:, :, 0])
    assert second.attrs["frame_rate"] == pytest.approx(2)


def test_bad_files(path):
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for keep in (0, 5, 100, *rng.integers(100, len(content) - 1, 8)):
        path.write_bytes(content[:keep])
        with pytest.raises(ReadError, match=r"rec\.lif"):
            read_recording(path, selection="image-1")


def test_missing_library_is_named(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "liffile", None)
    with pytest.raises(MissingExtraError, match="pip install liffile"):
        read_recording(path)
