"""Label images become footprints."""

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.results import read_results

LABELS = np.zeros((6, 8), np.uint16)
LABELS[1:3, 1:4], LABELS[4, 5:8] = 7, 300


def save_seg(path):
    np.save(path, np.array({"masks": LABELS, "filename": "a.tif"}, object))


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("a.tif", lambda path: tifffile.imwrite(path, LABELS)),
        ("a.png", lambda path: imsave(path, LABELS, check_contrast=False)),
        ("a.npy", lambda path: np.save(path, LABELS)),
        ("a_seg.npy", save_seg),
        ("b.tif", lambda path: tifffile.imwrite(path, LABELS.astype(np.float32))),
    ],
)
def test_each_number_is_a_footprint(tmp_path, name, save):
    save(tmp_path / name)
    found = read_results(tmp_path / name)
    assert list(found.scores["label"]) == [7, 300]
    np.testing.assert_array_equal(found.footprint_image(0), LABELS == 7)
    np.testing.assert_array_equal(found.footprint_image(1), LABELS == 300)
    assert found.traces == {}


def test_volumes_and_empty_images(tmp_path):
    volume = np.zeros((3, 6, 8), np.uint8)
    volume[1, 2, 3] = 1
    tifffile.imwrite(tmp_path / "a.tif", volume, photometric="minisblack")
    assert read_results(tmp_path / "a.tif").image_shape == (3, 6, 8)
    np.save(tmp_path / "a.npy", np.zeros((4, 4), int))
    assert len(read_results(tmp_path / "a.npy")) == 0


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((4, 4, 3), np.uint8), "not colours"),
        (np.full((4, 4), 0.5), "which are no labels"),
        (np.full((4, 4), -1), "which are no labels"),
        (np.zeros((2, 2, 4, 4), int), "expected labels of shape"),
    ],
)
def test_what_is_no_label_image_is_refused(tmp_path, image, words):
    np.save(tmp_path / "a.npy", image)
    with pytest.raises(ReadError, match=words):
        read_results(tmp_path / "a.npy")


def test_another_shape_and_damaged_files(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", LABELS)
    with pytest.raises(ReadError, match=r"shape \(6, 8\), expected \(5, 5\)"):
        read_results(tmp_path / "a.tif", image_shape=(5, 5))
    imsave(tmp_path / "a.png", LABELS, check_contrast=False)
    for name in ("a.tif", "a.png"):
        content = (tmp_path / name).read_bytes()
        for length in (0, 4, 10, len(content) // 2):
            (tmp_path / f"cut_{name}").write_bytes(content[:length])
            with pytest.raises(ReadError):
                read_results(tmp_path / f"cut_{name}")
    (tmp_path / "a.xyz").write_text("?")
    with pytest.raises(ReadError, match="none of the results that can be read"):
        read_results(tmp_path / "a.xyz")
    with pytest.raises(ReadError, match="does not exist"):
        read_results(tmp_path / "absent")


def test_an_image_that_claims_gigabytes_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, LABELS, metadata=None)
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[0].tags["ImageLength"].overwrite(2**30)
    with pytest.raises(ReadError, match=r"a\.tif is damaged: it claims \d{11}"):
        read_results(path, format="labels")
