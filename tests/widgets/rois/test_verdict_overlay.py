import numpy as np

from napari_mesmerize.widgets.rois.verdict_overlay import VerdictLayer, legend, verdicts


def test_words_for_what_happens():
    before = np.array([True, False, False, True])
    after = np.array([True, False, True, False])
    assert verdicts(before, after).tolist() == [0, 1, 2, 3]
    assert legend().count("■") == 4


def test_outlines_take_the_colour_of_the_verdict(viewer, session, roi_set):
    rois = session.show_rois(roi_set)
    drawn = VerdictLayer(viewer)
    drawn.hide()
    before = roi_set.table["accepted"].to_numpy(bool)
    drawn.show(roi_set, rois, before)
    assert viewer.layers.index(drawn.layer) == viewer.layers.index(rois) + 1
    first = drawn.layer.data[2, 2].copy()
    assert first[3] == 255
    assert rois.opacity == 0  # its outlines would shine through
    assert not drawn.layer.data[14, 5].any()  # inside of the third square
    after = before.copy()
    after[0] = False
    drawn.show(roi_set, rois, after)
    assert (drawn.layer.data[2, 2] != first).any()
    assert len([layer for layer in viewer.layers if layer is drawn.layer]) == 1
    np.testing.assert_allclose(drawn.layer.scale, rois.scale)
    drawn.hide()
    assert not drawn.layer.visible
    assert rois.opacity == 0.9
    viewer.layers.clear()
    assert drawn.layer is None
