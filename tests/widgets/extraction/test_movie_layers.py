from dataclasses import replace

import numpy as np
import pytest

from napari_mesmerize.data.components import Background
from napari_mesmerize.widgets.extraction.dock import CnmfDock
from napari_mesmerize.widgets.extraction.movie_layers import KINDS
from napari_mesmerize.widgets.layers.recordings import recording_of
from napari_mesmerize.workspace.roi_set import RoiSet


@pytest.fixture
def dock(viewer, qtbot):
    made = CnmfDock(viewer)
    qtbot.addWidget(made)
    return made


def show(dock, kind, wait_for_job):
    dock.movies.kind.setCurrentText({v: k for k, v in KINDS.items()}[kind])
    dock.movies.add.click()
    wait_for_job(dock.job)


def test_movies_are_lazy_layers_that_add_up(
    viewer, session, dock, components, recording, wait_for_job
):
    assert dock.movies.isHidden()
    denoised = components.traces["raw"]
    background = Background(
        spatial=np.zeros((600, 0), np.float32),
        temporal=np.zeros((0, 40), np.float32),
        static=np.full(600, 7, np.float32),
    )
    found = replace(components, traces={"denoised": denoised}, background=background)
    layer = session.show_recording(recording, name="movie")
    session.show_rois(RoiSet(found, recording=recording, name="ROIs of movie"))
    assert not dock.movies.isHidden()
    for kind in KINDS.values():
        show(dock, kind, wait_for_job)
    parts = {kind: viewer.layers[f"{kind} of movie"].data for kind in KINDS.values()}
    whole = np.asarray(parts["reconstructed"][5])
    np.testing.assert_allclose(whole, parts["components"][5] + parts["background"][5])
    np.testing.assert_allclose(
        parts["residual"][5], layer.data[5] - whole, rtol=1e-5, atol=1e-4
    )
    assert not isinstance(parts["residual"], np.ndarray)
    facts = recording_of(viewer.layers["residual of movie"]).attrs
    assert facts["pixel_size_um"] == (2.0, 2.0)
    assert facts["frame_rate"] == 10.0


def test_a_residual_without_its_recording_is_explained(
    viewer, session, dock, components, wait_for_job
):
    found = replace(components, traces={"denoised": components.traces["raw"]})
    session.show_rois(RoiSet(found, name="cells"))
    show(dock, "residual", wait_for_job)
    assert "needs the recording" in dock.job.text.text()
    assert len(viewer.layers) == 1
