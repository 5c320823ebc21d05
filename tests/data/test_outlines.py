"""Outlines: exact round trips with masks, and what a polygon covers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_mesmerize.data.outlines import (
    largest_piece,
    mask_from_outline,
    outline_from_mask,
)
from napari_mesmerize.errors import ParameterError

planes = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))).filter(np.any)
volumes = arrays(
    bool, st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5))
).filter(np.any)


@given(planes)
def test_an_outline_gives_back_the_largest_piece_without_holes(mask):
    outline = outline_from_mask(mask)
    expected = ndimage.binary_fill_holes(largest_piece(mask))
    np.testing.assert_array_equal(mask_from_outline(outline, mask.shape), expected)


@given(volumes)
def test_in_volumes_each_plane_has_its_polygon(mask):
    outline = outline_from_mask(mask)
    found = mask_from_outline(outline, mask.shape)
    for plane, expected in zip(found, mask, strict=True):
        if expected.any():
            expected = ndimage.binary_fill_holes(largest_piece(expected))
        np.testing.assert_array_equal(plane, expected)


def test_largest_piece_counts_pixels_that_touch_by_a_corner():
    mask = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1]], bool)
    assert largest_piece(mask).tolist() == [
        [True, False, False, False],
        [False, True, False, False],
        [False, False, False, False],
    ]


def test_an_outline_has_no_vertices_on_straight_lines():
    outline = outline_from_mask(np.ones((20, 30), bool), origin=(5, 7))
    assert len(outline) == 8
    assert np.min(outline, 0).tolist() == [4.5, 6.5]
    assert all(isinstance(value, float) for point in outline for value in point)


def test_a_pixel_is_covered_if_its_centre_is_inside_or_on_the_line():
    mask = mask_from_outline([[1, 1], [1, 3], [3, 3], [3, 1]], (5, 6))
    expected = np.zeros((5, 6), bool)
    expected[1:4, 1:4] = True
    np.testing.assert_array_equal(mask, expected)
    assert mask_from_outline([[1.1, 1.1], [1.1, 1.9], [1.9, 1.9]], (5, 6)).sum() == 0


def test_what_lies_outside_the_image_is_cut_off():
    mask = mask_from_outline([[-9, -9], [-9, 1.5], [1.5, 1.5], [1.5, -9]], (5, 6))
    assert mask.sum() == 4
    assert mask_from_outline([[9, 9], [9, 12], [12, 12]], (5, 6)).sum() == 0
    deep = [[7, 0, 0], [7, 0, 3], [7, 3, 3]]
    assert mask_from_outline(deep, (2, 5, 6)).sum() == 0


@pytest.mark.parametrize(
    ("outline", "shape", "text"),
    [
        ([[0, 0], [1, 1]], (5, 5), "2 vertices; a polygon"),
        ([], (5, 5), "expected"),
        ([[0, 0, 0]] * 3, (5, 5), r"\(n_vertices, 2\)"),
        ([[0, 0], [1, np.nan], [3, 4]], (5, 5), "not finite"),
        ([[0, 0], [1], [3, 4]], (5, 5), "list of points"),
        ([[0, 0, 0], [0, 1, 1], [1, 1, 0], [0, 4, 0]], (2, 5, 5), "in a plane"),
        ([[0, 0], [1, 1], [3, 4]], (2, 5, 5), r"\(z, y, x\)"),
    ],
)
def test_what_is_no_polygon(outline, shape, text):
    with pytest.raises(ParameterError, match=text):
        mask_from_outline(outline, shape)


def test_an_empty_mask_has_no_outline():
    with pytest.raises(ParameterError, match="0 pixels has no outline"):
        outline_from_mask(np.zeros((4, 4)))
    with pytest.raises(ParameterError, match="shape"):
        outline_from_mask(np.ones(4))
