import numpy as np
import pytest
from scipy import sparse
from squares import make_two_pixels

from napari_mesmerize.widgets.layers.extracted import RoiLayer
from napari_mesmerize.widgets.layers.picking import select_at
from napari_mesmerize.widgets.layers.recordings import layer_data_tuple
from napari_mesmerize.widgets.layers.selected_roi import selection_layer
from napari_mesmerize.workspace.roi_set import RoiSet


@pytest.fixture
def image(session, recording):
    return session.show_recording(recording)


@pytest.fixture
def layer(session, roi_set, image):
    return session.show_rois(roi_set, like=image)


def test_rois_are_one_labels_layer_with_the_scale_of_the_recording(layer, image):
    assert layer.data.max() == 4
    np.testing.assert_array_equal(layer.scale, image.scale[-2:])
    assert layer.units == image.units[-2:]
    assert not layer.editable


def test_features_are_the_roi_table(layer, roi_set):
    features = layer.features
    assert list(features["index"]) == [1, 2, 3, 4]
    assert list(features["roi_id"]) == list(roi_set.table.index)
    assert {"accepted", "cell_type", "snr"} <= set(features.columns)
    roi_set.set_tag("cell_type", "soma", [2])
    assert layer.features["cell_type"].iat[2] == "soma"


def test_edits_of_the_features_reach_the_table(layer, roi_set):
    features = layer.features.copy()
    features.loc[3, "accepted"] = True
    layer.features = features
    assert roi_set.table["accepted"].all()


def test_rejected_rois_are_dimmed_or_hidden(session, layer, roi_set):
    alpha = [layer.get_color(i + 1)[3] for i in range(4)]
    assert alpha[3] < alpha[0]
    session.roi_layer.colour_like("ROI", show_rejected=False)
    assert layer.get_color(4)[3] == 0
    roi_set.set_accepted(True, [3])
    assert layer.get_color(4)[3] == 1


def test_the_selected_roi_is_drawn_whole_on_top(viewer, layer, roi_set):
    assert selection_layer(viewer) is None
    roi_set.select(0)
    drawn = selection_layer(viewer)
    assert drawn.visible
    assert viewer.layers[-1] is drawn
    # the pixel where ROI 0 lies under ROI 1 belongs to it too
    at = drawn.world_to_data(layer.data_to_world((5, 5)))
    assert drawn.data[tuple(np.round(at).astype(int))] == 1
    roi_set.select(2)
    assert sum(layer.name.startswith("selected") for layer in viewer.layers) == 1
    roi_set.select(None)
    assert not drawn.visible


def test_removing_the_drawn_selection_does_no_harm(viewer, layer, roi_set):
    roi_set.select(0)
    viewer.layers.remove(selection_layer(viewer))
    roi_set.select(1)
    assert selection_layer(viewer).visible


def test_clicks_select_overlapping_rois_in_turn(session, layer, roi_set):
    select_at(session, (0, *layer.data_to_world((5, 5))))
    first = roi_set.selected
    select_at(session, (0, *layer.data_to_world((5, 5))))
    assert {first, roi_set.selected} == {0, 1}
    select_at(session, (0, *layer.data_to_world((14, 5))))
    assert roi_set.selected == 2
    select_at(session, (0, *layer.data_to_world((0, 29))))
    assert roi_set.selected == 2


def test_a_new_extraction_replaces_the_rois_in_place(
    viewer, session, layer, components, recording
):
    again = RoiSet(components.select([0, 1]), recording=recording)
    assert session.show_rois(again) is layer
    assert layer.data.max() == 2
    assert session.roi_set is again
    assert len(viewer.layers) == 2
    again.set_accepted(False, [0])
    assert len(layer.features) == 2


def test_rois_of_another_image_get_a_layer_of_their_own(viewer, session, layer):
    data, _, _ = layer_data_tuple(session.recording_layers()[0].data.recording)
    assert data.ndim == 3
    small = RoiSet(make_two_pixels(), name="small")
    assert session.show_rois(small) is not layer
    assert not layer.visible


def test_zero_rois_are_fine(viewer):
    from napari_mesmerize.data.components import Components

    none = Components.build(sparse.csc_array((16, 0), dtype=np.float32), (4, 4), {})
    shown = RoiLayer(viewer, RoiSet(none))
    assert shown.layer.data.max() == 0


def test_the_plane_of_the_selected_roi_is_shown(viewer, session):
    from napari_mesmerize.data.components import Components
    from napari_mesmerize.data.recording import as_recording

    shape = (4, 8, 8)
    images = np.zeros((2, *shape), np.float32)
    images[0, 0, 1:5, 1:5] = 1
    images[1, 2:4, 3:7, 3:7] = 1
    components = Components.build(
        sparse.csc_array(images.reshape(2, -1).T), shape, {"raw": np.zeros((2, 5))}
    )
    recording = as_recording(np.zeros((5, *shape), np.float32))
    image = session.show_recording(recording)
    roi_set = RoiSet(components, recording=recording)
    session.show_rois(roi_set, like=image)
    viewer.dims.set_current_step(0, 3)
    viewer.dims.set_current_step(1, 1)
    roi_set.select(1)
    assert tuple(viewer.dims.current_step[:2]) == (3, 2)
    viewer.dims.set_current_step(1, 3)
    roi_set.select(None)
    roi_set.select(1)
    assert viewer.dims.current_step[1] == 3
    roi_set.select(0)
    assert viewer.dims.current_step[1] == 0
    assert selection_layer(viewer).ndim == 3
    select_at(session, (3, 3, 5, 5))
    assert roi_set.selected == 1
