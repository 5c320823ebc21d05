"""Leica files: images and channels, and what damaged ones say."""

import sys

import numpy as np
import pytest

from napari_mesmerize.errors import MissingExtraError, ReadError
from napari_mesmerize.io import list_recordings, read_recording

pytest.importorskip("liffile")


@pytest.fixture
def path(tmp_path, hyperstack, write_lif):
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
    with pytest.raises(MissingExtraError, match=r"mesmerize\[leica\]"):
        read_recording(path)


def test_a_description_longer_than_the_file(path):
    content = bytearray(path.read_bytes())
    content[9:13] = (10**9).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"rec\.lif.*2000000000 bytes"):
        list_recordings(path)


def test_axes_that_contradict_each_other_are_a_problem_of_the_image(path):
    content = path.read_bytes()
    step = 'BitInc="0" BytesInc="2"'.encode("utf-16-le")
    assert step in content
    wrong = 'BitInc="0" BytesInc="6"'.encode("utf-16-le")
    path.write_bytes(content.replace(step, wrong))
    problems = [info.problem for info in list_recordings(path)]
    assert any(problems)
