"""ImageJ's ROIs: shapes, half a pixel, holes, positions."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.imagej.results import read_rois
from napari_mesmerize.io.items import ReadWarning
from napari_mesmerize.io.results import read_results

DATA = Path(__file__).parents[2] / "data" / "imagej"
EXPECTED = json.loads((DATA / "expected.json").read_text("utf-8"))["rois.zip"]


@pytest.fixture(scope="module")
def table():
    return read_results(DATA / "rois.zip").set_index("name")


def test_every_roi_is_there_with_its_type(table):
    assert list(table.index) == list(EXPECTED)
    assert dict(table["type"].items()) == {
        name: expected["type"] for name, expected in EXPECTED.items()
    }
    assert (table["kind"] == "imported").all()


def test_areas_are_moved_by_half_a_pixel_and_have_y_first(table):
    for name, expected in EXPECTED.items():
        if "xy" in expected and expected["type"] not in ("point", "polyline"):
            outline = np.array(table.loc[name, "outline"])
            corner = np.array(expected["xy"])[:, ::-1] - 0.5
            np.testing.assert_allclose(outline, corner, atol=1e-5)


def test_rectangles_and_ovals_fill_their_bounds(table):
    for name in ("0002-oval", "0003-rectangle"):
        bounds = EXPECTED[name]
        outline = np.array(table.loc[name, "outline"])
        low = np.array([bounds["top"], bounds["left"]]) - 0.5
        size = [bounds["height"], bounds["width"]]
        np.testing.assert_allclose(outline.min(0), low, atol=1e-6)
        np.testing.assert_allclose(outline.max(0), low + size, atol=1e-6)


def test_points_are_not_moved(table):
    points = table.loc["0007-points", "outline"]
    assert all(value == round(value) for point in points for value in point)


def test_positions_and_names(table):
    assert tuple(table.loc["0005-traced", ["c", "z", "t"]]) == (1, 2, 4)
    assert "0009-µ-name" in table.index


def test_a_composite_keeps_its_holes_as_a_footprint(table):
    expected = EXPECTED["0008-composite"]["parts"]
    rings = table.loc["0008-composite", "rings"]
    for ring, part in zip(rings, expected, strict=True):
        np.testing.assert_allclose(ring, np.array(part)[:, ::-1] - 0.5)
    found = read_results(DATA / "0008-composite.roi", image_shape=(32, 32))
    image = np.zeros((32, 32))
    image[2:12, 2:12] = 1
    image[5:9, 5:9] = 0
    image[15:20, 20:26] = 1
    np.testing.assert_array_equal(found.footprint_image(0), image)


def test_areas_become_footprints_and_lines_are_left_out():
    found = read_results(DATA / "rois.zip", image_shape=(48, 48))
    assert len(found) == 7
    assert not {"polyline", "point"} & set(found.scores["type"])
    rectangle = found.footprint_image(
        list(found.scores["name"]).index("0003-rectangle")
    )
    assert rectangle[15:21, 3:12].all()
    assert rectangle.sum() == 54


def test_in_volumes_a_roi_is_in_its_plane():
    found = read_results(DATA / "rois.zip", image_shape=(3, 48, 48))
    traced = found.footprint_image(list(found.scores["name"]).index("0005-traced"))
    assert traced[1].any()
    assert not traced[0].any()
    polygon = found.footprint_image(0)
    np.testing.assert_array_equal(polygon[0], polygon[2])


def test_an_area_outside_the_image_is_named():
    with pytest.raises(
        ReadError, match=r"cover no pixel of an image of shape \(2, 2\)"
    ):
        read_results(DATA / "rois.zip", image_shape=(2, 2))
    with pytest.warns(ReadWarning, match="ROIs of .* cover no pixel"):
        some = read_results(DATA / "rois.zip", image_shape=(12, 15))
    assert 0 < (np.diff(some.footprints.indptr) == 0).sum() < len(some)


def test_what_macos_packs_beside_the_rois_is_left_out(tmp_path):
    path = tmp_path / "a.zip"
    content = (DATA / "0001-polygon.roi").read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("set/0001-polygon.roi", content)
        archive.writestr("__MACOSX/set/._0001-polygon.roi", b"\0\5\x16\7")
        archive.writestr("set/.DS_Store", b"")
    assert list(read_results(path)["name"]) == ["0001-polygon"]


def test_truncated_or_wrong_it_is_a_read_error(tmp_path):
    path = tmp_path / "a.roi"
    path.write_text("hello")
    with pytest.raises(ReadError, match=r"a\.roi is no ImageJ ROI"):
        read_results(path)
    for name in ("0001-polygon.roi", "0008-composite.roi"):
        content = (DATA / name).read_bytes()
        for length in range(0, 64, 5):
            path.write_bytes(content[:length])
            with pytest.raises(ReadError):
                read_results(path)
    archive = tmp_path / "a.zip"
    content = (DATA / "rois.zip").read_bytes()
    for share in np.random.default_rng(0).random(10):
        archive.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ReadError):
            read_results(archive, format="imagej")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("notes.txt", "none")
    with pytest.raises(ReadError, match=r"holds no \.roi files"):
        read_results(archive)


def test_absurd_numbers_do_not_allocate(tmp_path):
    content = bytearray((DATA / "0001-polygon.roi").read_bytes())
    content[16:22] = b"\x00\x00\x7f\xff\xff\xff"
    (tmp_path / "a.roi").write_bytes(content)
    with pytest.raises(ReadError, match="it claims 2147483647 points"):
        read_results(tmp_path / "a.roi")
    content = bytearray((DATA / "0008-composite.roi").read_bytes())
    content[64:68] = b"\x7f\x80\0\0"  # infinity
    (tmp_path / "b.roi").write_bytes(content)
    with pytest.raises(ReadError, match="unknown step inf at 0"):
        read_results(tmp_path / "b.roi")


def test_random_bytes_raise_only_read_errors(tmp_path):
    random, path = np.random.default_rng(5), tmp_path / "a.roi"
    content = (DATA / "0008-composite.roi").read_bytes()
    for _ in range(300):
        changed = bytearray(content)
        for place in random.integers(4, len(content), 6):
            changed[place] = random.integers(256)
        path.write_bytes(changed)
        try:
            (roi,) = read_rois(path)
        except ReadError:
            continue
        assert isinstance(roi.name, str)
