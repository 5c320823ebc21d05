import numpy as np
import pytest

from napari_mesmerize.data.colours import colours_for, distinct_colours, hex_colour


def test_neighbours_differ():
    colours = distinct_colours(50)
    steps = np.abs(np.diff(colours[:, :3], axis=0)).sum(axis=1)
    assert (steps > 0.3).all()
    assert distinct_colours(0).shape == (0, 4)


@pytest.mark.parametrize("colour_by", ["ROI", "accepted", "cell_type", "snr", "kind"])
def test_every_column_gives_a_colour_per_roi(roi_set, colour_by):
    roi_set.set_tag("cell_type", "soma", [0, 2])
    colours = colours_for(roi_set.table, colour_by)
    assert colours.shape == (4, 4)
    assert ((colours >= 0) & (colours <= 1)).all()


def test_equal_tags_have_equal_colours(roi_set):
    roi_set.set_accepted(True, [3])
    roi_set.set_tag("cell_type", "soma", [0, 2])
    colours = colours_for(roi_set.table, "cell_type")
    np.testing.assert_array_equal(colours[0], colours[2])
    np.testing.assert_array_equal(colours[1], colours[3])
    assert (colours[0] != colours[1]).any()


def test_missing_scores_are_grey(roi_set):
    roi_set.table["snr"] = [np.nan, 1.0, 2.0, 3.0]
    assert np.ptp(colours_for(roi_set.table, "snr")[0, :3]) == 0
    roi_set.table["snr"] = np.nan
    assert np.isfinite(colours_for(roi_set.table, "snr")).all()


def test_hex():
    assert hex_colour(np.array([1.0, 0.5, 0.0, 1.0])) == "#ff8000"
