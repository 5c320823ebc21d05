"""Commands that convert recordings and make images of them."""

import json

import numpy as np
import pytest
import tifffile

from napari_mesmerize.cli import main
from napari_mesmerize.io import read_recording


@pytest.fixture
def path(tmp_path):
    frames = np.random.default_rng(0).integers(0, 900, (20, 12, 16)).astype(np.uint16)
    tifffile.imwrite(
        tmp_path / "a.tif", frames, imagej=True, metadata={"axes": "TYX", "fps": 8}
    )
    return tmp_path / "a.tif"


def test_convert_writes_a_part_in_another_format(path, tmp_path, capsys):
    out = tmp_path / "b.zarr"
    words = ["convert", str(path), str(out), "--frames", "4:", "--rows", "2:10"]
    assert main([*words, "--bin-time", "2", "--frame-rate", "8", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["shape"] == [8, 8, 16]
    recording = read_recording(out)
    stored = read_recording(path)[4:, 2:10].to_numpy()
    np.testing.assert_allclose(
        recording, stored.reshape(8, 2, 8, 16).mean(axis=1), rtol=1e-6
    )
    assert recording.attrs["frame_rate"] == 4.0
    assert main(words) == 1
    assert "exists" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["5:3", "0:21", "a:b", "7"])
def test_parts_that_are_not_there_are_refused(path, tmp_path, capsys, part):
    words = ["convert", str(path), str(tmp_path / "b.tif"), "--frames", part]
    assert main(words) == 1
    assert "is no part of the axis frame, which has 20" in capsys.readouterr().err
    assert not (tmp_path / "b.tif").exists()


def test_images_are_those_of_the_recording(path, tmp_path, capsys):
    out = tmp_path / "images"
    words = ["images", str(path), str(out), "--kinds", "mean, max"]
    assert main([*words, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["images"]) == 2
    frames = tifffile.imread(path)
    np.testing.assert_allclose(
        read_recording(out / "mean.tif")[0], frames.mean(axis=0), rtol=1e-6
    )
    np.testing.assert_array_equal(read_recording(out / "max.tif")[0], frames.max(0))
    assert main([*words[:-1], "median"]) == 1
    assert "median" in capsys.readouterr().err
