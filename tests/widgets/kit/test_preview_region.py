import numpy as np
import pytest

from napari_mesmerize.widgets.extraction.dock import CnmfDock
from napari_mesmerize.widgets.kit.region import NAME


@pytest.fixture
def dock(viewer, qtbot):
    made = CnmfDock(viewer)
    qtbot.addWidget(made)
    return made


def test_a_drawn_region_is_extracted_within_seconds(
    viewer, session, dock, small_2p, wait_for_job
):
    session.show_recording(small_2p.recording, name="movie")
    dock.region.draw.click()
    layer = viewer.layers[NAME]
    assert layer.mode == "add_rectangle"
    assert viewer.layers.selection.active is layer
    scale = layer.scale[0]
    np.testing.assert_allclose(scale, viewer.layers["movie"].scale[-1])
    layer.add_rectangles([[8, 8], [8, 36], [36, 36], [36, 8]])
    dock.preview_frames.setValue(200)
    dock.preview.click()
    wait_for_job(dock.job, 60)
    roi_set = session.roi_set
    assert roi_set.name == "ROIs of movie (preview)"
    assert roi_set.components.image_shape == (64, 64)
    assert roi_set.components.n_frames == 200
    y, x = np.nonzero(roi_set.components.footprint_image(0))
    assert 2 < y.mean() < 42
    assert 2 < x.mean() < 42


def test_a_region_without_a_shape_is_explained(viewer, session, dock, recording):
    session.show_recording(recording)
    dock.region.draw.click()
    dock.preview.click()
    assert "cover no pixel" in dock.job.text.text()
    assert not dock.job.running


def test_drawing_anew_replaces_the_region(viewer, session, dock, recording):
    session.show_recording(recording)
    dock.region.draw.click()
    viewer.layers[NAME].add_rectangles([[2, 2], [2, 9], [9, 9], [9, 2]])
    dock.region.draw.click()
    assert len([layer for layer in viewer.layers if layer.name == NAME]) == 1
    assert len(viewer.layers[NAME].data) == 0


def test_without_a_recording_nothing_happens(viewer, dock):
    dock.region.draw.click()
    assert len(viewer.layers) == 0
