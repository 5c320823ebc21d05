"""What we write, the library roifile reads, and the other way round."""

import numpy as np
import pandas as pd
import pytest
import roifile
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.imagej.export import write_imagej_rois
from napari_mesmerize.io.imagej.results import read
from napari_mesmerize.io.imagej.roi_file import parse_roi

TRIANGLE = [[2.5, 3.0], [8.25, 4.5], [5.0, 12.75]]  # (y, x)


@pytest.fixture
def write(tmp_path):
    """Write ROIs that have these columns; return what roifile reads."""

    def write(**columns):
        table = pd.DataFrame(
            {k: pd.Series(v, dtype=object) for k, v in columns.items()}
        )
        path = write_imagej_rois(table, tmp_path / "rois.zip", overwrite=True)
        return roifile.roiread(path)

    return write


def test_roifile_reads_polygons_lines_names_and_positions(write):
    polygon, line = write(
        outline=[TRIANGLE, TRIANGLE],
        name=["left µ", "axon"],
        type=["polygon", "polyline"],
        c=[0, 1],
        z=[3, 2],
        t=[0, 7],
    )
    xy = np.array(TRIANGLE)[:, ::-1]
    assert polygon.name == "left µ"
    assert polygon.roitype == roifile.ROI_TYPE.POLYGON
    np.testing.assert_allclose(polygon.coordinates(), xy + 0.5)
    assert (polygon.left, polygon.top) == (3, 3)
    assert (polygon.right, polygon.bottom) == (14, 9)
    assert polygon.z_position == 3
    assert line.roitype == roifile.ROI_TYPE.POLYLINE
    np.testing.assert_allclose(line.coordinates(), xy)
    assert (line.c_position, line.z_position, line.t_position) == (1, 2, 7)


def test_roifile_reads_composites(write):
    rings = [[[2, 2], [2, 12], [12, 12], [12, 2]], [[5, 5], [5, 9], [9, 9], [9, 5]]]
    (roi,) = write(outline=[rings[0]], type=["composite"], rings=[rings])
    found = roi.coordinates(multi=True)
    for ring, back in zip(rings, found, strict=True):
        np.testing.assert_allclose(back[:-1], np.array(ring)[:, ::-1] + 0.5)


@pytest.mark.parametrize("shift", [40_000, 70_000, -3])
def test_outlines_far_out_come_back(shift, write, tmp_path):
    outline = (np.array(TRIANGLE) + shift).tolist()
    (roi,) = write(outline=[outline])
    np.testing.assert_allclose(roi.coordinates(), np.array(outline)[:, ::-1] + 0.5)
    back = read(tmp_path / "rois.zip")["outline"].iloc[0]
    np.testing.assert_allclose(back, outline)


def test_an_outline_of_many_vertices_comes_back(write, tmp_path):
    angle = np.linspace(0, 2 * np.pi, 70_000, endpoint=False)
    outline = np.stack([500 + 400 * np.sin(angle), 500 + 400 * np.cos(angle)], axis=1)
    (roi,) = write(outline=[outline.tolist()])
    assert roi.n_coordinates == 70_000
    back = read(tmp_path / "rois.zip")["outline"].iloc[0]
    np.testing.assert_allclose(back, outline, atol=1e-4)


@given(
    points=st.lists(
        st.tuples(st.integers(-500, 60_000), st.integers(-500, 60_000)),
        min_size=1,
        max_size=20,
    ),
    kind=st.sampled_from(["POLYGON", "FREEHAND", "TRACED", "POLYLINE", "POINT"]),
    whole=st.booleans(),
)
def test_what_roifile_writes_is_read(points, kind, whole):
    xy = np.array(points, np.int64 if whole else np.float64)
    roi = roifile.ImagejRoi.frompoints(xy, name="a", z=2)
    roi.roitype = roifile.ROI_TYPE[kind]
    found = parse_roi(roi.tobytes(), "a.roi")
    assert found.type == kind.lower()
    assert (found.c, found.z, found.t) == (0, 3, 0)
    np.testing.assert_array_equal(found.rings[0], xy)


def test_ovals_and_rectangles_keep_their_fractions():
    for kind in (roifile.ROI_TYPE.OVAL, roifile.ROI_TYPE.RECT):
        roi = roifile.ImagejRoi(
            roitype=kind,
            options=roifile.ROI_OPTIONS.SUB_PIXEL_RESOLUTION,
            left=2, top=3, right=8, bottom=7, xd=2.25, yd=3.5, widthd=5.5, heightd=3.25,
        )  # fmt: skip
        (ring,) = parse_roi(roi.tobytes(), "a.roi").rings
        np.testing.assert_allclose(ring.min(0), [2.25, 3.5])
        np.testing.assert_allclose(ring.max(0), [7.75, 6.75])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_coordinate_that_is_no_number_is_damage(value):
    roi = roifile.ImagejRoi.frompoints([[1.0, 2.0], [3.0, 4.0], [5.0, 1.0]])
    roi.subpixel_coordinates[1, 0] = value
    with pytest.raises(ReadError, match="a coordinate is not a number"):
        parse_roi(roi.tobytes(), "a.roi")
