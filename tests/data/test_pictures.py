import time

import numpy as np
from scipy import sparse
from squares import SHAPE, square

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.pictures import area_mask, drawn_areas, label_picture


def test_masks_keep_their_shape(components):
    areas = drawn_areas(components)
    image = areas[:, [0]].toarray().reshape(SHAPE)
    expected = square(2, 2) > 0
    expected[[2, 2, 6, 6], [2, 6, 2, 6]] = image[[2, 2, 6, 6], [2, 6, 2, 6]]
    np.testing.assert_array_equal(image, expected)  # corners may be rounded


def test_noise_holes_and_specks_are_not_drawn():
    rng = np.random.default_rng(0)
    image = np.zeros(SHAPE, np.float32)
    image[4:14, 4:14] = rng.uniform(0.3, 1, (10, 10))
    image[8:10, 8:10] = 0
    image[17, 25] = 0.9
    components = Components.build(sparse.csc_array(image.reshape(-1, 1)), SHAPE, {})
    area = drawn_areas(components).toarray().reshape(SHAPE)
    assert area[8:10, 8:10].all()
    assert not area[17, 25]
    assert area[5:13, 5:13].all()


def test_small_and_accepted_rois_lie_on_top():
    big, small, rejected = square(2, 2, 12), square(5, 5, 4), square(4, 4, 3)
    footprints = np.stack([small.ravel(), big.ravel(), rejected.ravel()], axis=1)
    components = Components.build(
        sparse.csc_array(footprints), SHAPE, {}, accepted=[True, True, False]
    )
    picture = label_picture(drawn_areas(components), components.accepted, SHAPE)
    assert picture[6, 6] == 1
    assert picture[10, 10] == 2
    assert picture[4, 4] == 2
    assert picture[0, 0] == 0


def test_an_area_is_cut_out_with_its_place(components):
    mask, corner = area_mask(drawn_areas(components), 2, SHAPE)
    image = np.zeros(SHAPE, bool)
    y, x = corner
    image[y : y + mask.shape[0], x : x + mask.shape[1]] = mask == 1
    assert image[14, 5]
    assert mask[0].sum() == mask[:, 0].sum() == 0  # a rim, so that outlines close


def test_a_cut_stays_inside_the_image():
    for y, x in ((0, 0), (15, 25)):
        image = square(y, x)
        components = Components.build(sparse.csc_array(image.reshape(-1, 1)), SHAPE, {})
        mask, corner = area_mask(drawn_areas(components), 0, SHAPE)
        assert (corner >= 0).all()
        assert (corner + mask.shape <= SHAPE).all()


def test_empty_footprints_and_volumes_are_fine():
    shape = (3, 6, 6)
    image = np.zeros(shape, np.float32)
    image[1, 1:5, 1:5] = 1
    footprints = sparse.csc_array(np.stack([image.ravel(), 0 * image.ravel()], axis=1))
    components = Components.build(footprints, shape, {})
    areas = drawn_areas(components)
    assert areas[:, [1]].nnz == 0
    picture = label_picture(areas, components.accepted, shape)
    assert set(np.unique(picture[1])) == {0, 1}
    assert picture[0].max() == 0
    assert area_mask(areas, 1, shape)[0].shape == (1, 1, 1)


def test_thousands_of_rois_take_less_than_two_seconds():
    rng = np.random.default_rng(0)
    n, shape = 2000, (512, 512)
    y, x = rng.integers(0, 500, (2, n))
    offsets = np.stack(np.mgrid[0:10, 0:10]).reshape(2, -1)
    pixels = (y[:, None] + offsets[0]) * 512 + x[:, None] + offsets[1]
    indptr = np.arange(n + 1) * 100
    weights = rng.random(n * 100).astype(np.float32)
    matrix = sparse.csc_array((weights, pixels.ravel(), indptr), shape=(512 * 512, n))
    components = Components.build(matrix, shape, {})
    started = time.process_time()
    label_picture(drawn_areas(components), components.accepted, shape)
    assert time.process_time() - started < 2
