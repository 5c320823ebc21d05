"""Small files of known content, made here; each fixture is a function."""

import struct

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_mesmerize.data.components import Background, Components


def _movie(seed=0, shape=(12, 10, 14), dtype=np.uint16):
    """Return frames that show any flip, transpose or wrong order."""
    rng = np.random.default_rng(seed)
    n_frames, height, width = shape
    yy, xx = np.mgrid[:height, :width]
    frames = 100 * np.arange(n_frames)[:, None, None] + 10 * yy + xx
    return (frames + rng.integers(0, 5, shape)).astype(dtype)


def _hyperstack(seed=0, shape=(5, 3, 2, 10, 14), dtype=np.uint16):
    """Return T, Z, C, Y, X."""
    n = int(np.prod(shape[:3]))
    return _movie(seed, (n, *shape[3:]), dtype).reshape(shape)


def _ome_xml(n_frames, width, height, body="", attributes="", prefix="OME:"):
    """Return OME-XML of a movie."""
    space = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
    p = prefix
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{space}" '
        f'xmlns:OME="{space}"><{p}Image ID="Image:0" Name="rec">'
        f"<{p}AcquisitionDate>2020-11-23T17:23:45Z</{p}AcquisitionDate>"
        f'<{p}Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" '
        f'SizeX="{width}" SizeY="{height}" SizeZ="1" SizeC="1" SizeT="{n_frames}" '
        f'{attributes}><{p}Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        f'<{p}TiffData IFD="0" PlaneCount="{n_frames}"/>{body}</{p}Pixels></{p}Image>'
        "</OME>"
    )


def _write_single_header(path, frames, *, n_claimed=None):
    """Write an ImageJ stack as Fiji does beyond 4 GB: one header for all pages."""
    n_frames = len(frames) if n_claimed is None else n_claimed
    tifffile.imwrite(path, frames[:1], imagej=True, metadata={"axes": "TYX"})
    text = f"ImageJ=1.54f\nimages={n_frames}\nframes={n_frames}\nfinterval=0.04\n"
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[0].tags[270].overwrite(text)
        offset = tif.pages[0].dataoffsets[0]
        big_endian = tif.byteorder == ">"
    pixels = frames.astype(">u2" if big_endian else "<u2").tobytes()
    content = path.read_bytes()
    at = max(len(content), offset + len(pixels))
    with path.open("r+b") as stream:
        # whatever overwrite() appended lies behind the first page: move pixels away
        stream.seek(at)
        stream.write(pixels)
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[0].tags[273].overwrite(at)


def _write_frame_by_frame(path, frames, **options):
    """Write header and pixels of each page after one another."""
    with tifffile.TiffWriter(path, **options) as writer:
        for frame in frames:
            writer.write(frame, contiguous=False, metadata=None)


def _lif_block(text, body=b"", *, header=b""):
    coded = text.encode("utf-16-le")
    inside = header + struct.pack("<BI", 0x2A, len(text)) + coded
    return struct.pack("<II", 0x70, len(inside)) + inside + body


def _lif_image(name, number, frames, interval_s):
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


def _write_lif(path, images):
    """Write a Leica file of version 2."""
    elements = "".join(
        _lif_image(name, i, frames, step)
        for i, (name, frames, step) in enumerate(images)
    )
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="rec"><Data/>'
        f'<Memory Size="0" MemoryBlockID="MemBlock_9"/><Children>{elements}</Children>'
        "</Element></LMSDataContainerHeader>"
    )
    content = _lif_block(xml)
    for i, (_, frames, _) in enumerate(images):
        pixels = frames.astype("<u2").tobytes()
        size = struct.pack("<BQ", 0x2A, len(pixels))
        content += _lif_block(f"MemBlock_{i}", pixels, header=size)
    path.write_bytes(content)


@pytest.fixture(scope="session")
def movie():
    return _movie


@pytest.fixture(scope="session")
def hyperstack():
    return _hyperstack


@pytest.fixture(scope="session")
def ome_xml():
    return _ome_xml


@pytest.fixture(scope="session")
def write_single_header():
    return _write_single_header


@pytest.fixture(scope="session")
def write_frame_by_frame():
    return _write_frame_by_frame


@pytest.fixture(scope="session")
def write_lif():
    return _write_lif


def _make_components(shape, n_rois=5, n_frames=30):
    random = np.random.default_rng(4)
    footprints = np.zeros((n_rois, *shape), np.float32)
    for i in range(n_rois):
        at = (i % shape[0],) if len(shape) == 3 else ()
        footprints[(i, *at, slice(2 * i, 2 * i + 3), slice(i, i + 4))] = random.random(
            (3, 4)
        )
    kinds = ("raw", "denoised", "spikes", "dff", "neuropil")
    n_pixels = int(np.prod(shape))
    return Components.build(
        footprints.reshape(n_rois, -1).T,
        shape,
        {k: random.normal(size=(n_rois, n_frames)).astype(np.float32) for k in kinds},
        scores=pd.DataFrame(
            {"snr": random.random(n_rois), "r_value": random.random(n_rois)}
        ),
        accepted=np.arange(n_rois) % 2 == 0,
        background=Background(
            spatial=random.random((n_pixels, 2)).astype(np.float32),
            temporal=random.random((2, n_frames)).astype(np.float32),
            static=np.zeros(n_pixels, np.float32),
        ),
        frame_rate=12.5,
        history=[{"operation": "extract_components", "id": "1", "params": {}}],
    )


@pytest.fixture
def components():
    """Five components of images of 14 x 11."""
    return _make_components((14, 11))


@pytest.fixture
def volume_components():
    """Five components of volumes of 3 x 14 x 11."""
    return _make_components((3, 14, 11))
