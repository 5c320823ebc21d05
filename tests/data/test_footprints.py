"""Footprints from masks, outlines and labels, and back; neuropil rings."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage, sparse

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.footprints import (
    as_footprints,
    footprints_from_labels,
    footprints_from_masks,
    footprints_from_outlines,
    labels_from_footprints,
    outline_from_footprint,
    outlines_from_footprints,
    rois_at,
)
from napari_mesmerize.data.neuropil import neuropil_rings
from napari_mesmerize.data.outlines import mask_from_outline
from napari_mesmerize.errors import ParameterError

SHAPE = (6, 7)


def disc(centre, radius, shape=(40, 40)):
    yy, xx = np.indices(shape)
    return np.hypot(yy - centre[0], xx - centre[1]) <= radius


@given(arrays(np.float32, (3, *SHAPE), elements=st.floats(0, 4, width=32)))
def test_masks_keep_all_pieces_holes_and_weights(masks):
    footprints = footprints_from_masks(masks)
    assert footprints.shape == (42, 3)
    assert footprints.dtype == np.float32
    np.testing.assert_array_equal(footprints.toarray().T.reshape(masks.shape), masks)


@given(arrays(np.int16, SHAPE, elements=st.integers(0, 3)))
def test_labels_survive_a_round_trip(labels):
    present = np.unique(labels[labels > 0])
    again = labels_from_footprints(footprints_from_labels(labels), SHAPE)
    expected = np.searchsorted(present, labels) + 1
    expected[labels == 0] = 0
    np.testing.assert_array_equal(again, expected)
    assert again.dtype == np.int32


def test_outlines_become_the_pixels_inside():
    outlines = [[[0, 0], [0, 2], [2, 2], [2, 0]], [[3, 3], [3, 5], [5, 5]]]
    footprints = footprints_from_outlines(outlines, SHAPE)
    for i, outline in enumerate(outlines):
        np.testing.assert_array_equal(
            footprints[:, [i]].toarray().reshape(SHAPE),
            mask_from_outline(outline, SHAPE),
        )
    assert footprints_from_outlines([], SHAPE).shape == (42, 0)
    with pytest.raises(ParameterError, match="ROI 1 covers the centre of no pixel"):
        footprints_from_outlines([outlines[0], np.add(outlines[1], 50)], SHAPE)
    with pytest.raises(ParameterError, match=r"ROI 0: .*at least 3"):
        footprints_from_outlines([[[0, 0], [1, 1]]], SHAPE)


def test_of_overlapping_components_the_stronger_one_is_seen():
    a, b = np.zeros(SHAPE), np.zeros(SHAPE)
    a[2, :4] = [10, 10, 4, 4]
    b[2, 2:] = [0.3, 1, 1, 1, 0.1]
    footprints = footprints_from_masks(np.array([a, b]))
    labels = labels_from_footprints(footprints, SHAPE)
    assert labels[2].tolist() == [1, 1, 1, 2, 2, 2, 0]
    assert rois_at(footprints, (2, 2), SHAPE).tolist() == [0, 1]
    assert rois_at(footprints, (2.4, 3.4), SHAPE).tolist() == [1, 0]
    assert rois_at(footprints, (0, 0), SHAPE).size == 0
    assert rois_at(footprints, (-1, 90), SHAPE).size == 0
    equal = labels_from_footprints(footprints_from_masks(np.ones((2, *SHAPE))), SHAPE)
    assert (equal == 1).all()


def test_outlines_of_footprints_surround_what_is_strong(small_2p):
    components = Components.build(small_2p.truth.footprints, (64, 64), {})
    outlines = outlines_from_footprints(components)
    assert len(outlines) == len(components)
    for i, outline in enumerate(outlines):
        strong = components.footprint_image(i) > 0.2
        found = mask_from_outline(outline, (64, 64))
        assert (found & strong).sum() >= 0.9 * strong.sum()
        single = outline_from_footprint(components.footprint_image(i))
        np.testing.assert_array_equal(mask_from_outline(single, (64, 64)), found)
    empty = sparse.csc_array((42, 2))
    assert outlines_from_footprints(empty, SHAPE) == [[], []]


def test_outlines_of_volumes(small_3d):
    shape = small_3d.truth.image_shape
    outlines = outlines_from_footprints(small_3d.truth.footprints, shape)
    for i, outline in enumerate(outlines):
        weights = small_3d.truth.footprints[:, [i]].toarray().reshape(shape)
        found = mask_from_outline(outline, shape)
        assert ((weights > 0.2) <= ndimage.binary_dilation(found)).all()


def test_rois_come_in_many_forms():
    masks = np.zeros((2, *SHAPE), bool)
    masks[0, 1:4, 1:4] = True
    masks[1, 4:, 4:] = True
    expected = footprints_from_masks(masks).toarray()
    outlines = outlines_from_footprints(footprints_from_masks(masks), SHAPE)
    labels = masks[0] + 5 * masks[1].astype(int)
    components = Components.build(expected, SHAPE, {})
    table = pd.DataFrame({"outline": outlines})
    forms = [masks, list(masks), outlines, np.array(labels), components, table]
    forms += [sparse.csr_matrix(expected), sparse.coo_array(expected)]
    for rois in forms:
        np.testing.assert_array_equal(as_footprints(rois, SHAPE).toarray(), expected)
    np.testing.assert_array_equal(
        as_footprints(masks[0], SHAPE).toarray(), expected[:, :1]
    )
    assert as_footprints([], SHAPE).shape == (42, 0)


@pytest.mark.parametrize(
    ("rois", "text"),
    [
        (np.zeros((2, 5, 5), bool), "Masks have shape"),
        (sparse.csc_array((40, 2)), "40 pixels"),
        (np.zeros((2, *SHAPE), bool), "2 of 2 ROIs cover no pixel, the first is ROI 0"),
        (-np.ones((1, *SHAPE)), "below 0 or NaN"),
        (np.full((1, *SHAPE), np.nan), "below 0 or NaN"),
        (np.ones(SHAPE), "whole numbers"),
    ],
)
def test_rois_that_do_not_fit(rois, text):
    with pytest.raises(ParameterError, match=text):
        as_footprints(rois, SHAPE)


def test_footprints_need_their_image_shape():
    with pytest.raises(ParameterError, match="image_shape=None"):
        labels_from_footprints(sparse.csc_array((42, 2)))
    with pytest.raises(ParameterError, match="2 numbers"):
        rois_at(sparse.csc_array((42, 2)), (1, 2, 3), SHAPE)
    with pytest.raises(ParameterError, match="Masks have shape"):
        footprints_from_masks(np.zeros((2, 2)))


def test_a_ring_lies_around_its_roi_and_on_no_other():
    masks = np.array([disc((15, 15), 4), disc((15, 25), 4), disc((2, 2), 3)])
    footprints = footprints_from_masks(masks)
    rings = neuropil_rings(footprints, (40, 40), inner=2, width=3, min_pixels=1)
    rings = rings.toarray().T.reshape(masks.shape) > 0
    everything = masks.any(0)
    for mask, ring in zip(masks, rings, strict=True):
        distance = ndimage.distance_transform_edt(~mask)
        expected = (distance > 2) & (distance <= 5) & ~everything
        np.testing.assert_array_equal(ring, expected)


def test_a_crowded_ring_grows():
    masks = np.array([disc((20, 20), 4), disc((20, 20), 12) & ~disc((20, 20), 4)])
    rings = neuropil_rings(footprints_from_masks(masks), (40, 40), min_pixels=40)
    rings = rings.toarray().T.reshape(masks.shape) > 0
    assert not (rings & masks.any(0)).any()
    assert (rings.sum((1, 2)) >= 40).all()


def test_rings_of_volumes_stay_in_their_planes():
    masks = np.zeros((1, 4, 20, 20), bool)
    masks[0, 1:3] = disc((10, 10), 3, (20, 20))
    rings = neuropil_rings(footprints_from_masks(masks), (4, 20, 20)).toarray()
    planes = rings.reshape(4, 20, 20).any((1, 2))
    assert planes.tolist() == [False, True, True, False]


def test_rings_that_can_not_be():
    full = footprints_from_masks(np.ones((1, *SHAPE)))
    with pytest.raises(ParameterError, match=r"ROI 0 is free.*42 of 42"):
        neuropil_rings(full, SHAPE)
    with pytest.raises(ParameterError, match="inner=-1"):
        neuropil_rings(full, SHAPE, inner=-1)
    assert neuropil_rings(sparse.csc_array((42, 0)), SHAPE).shape == (42, 0)
