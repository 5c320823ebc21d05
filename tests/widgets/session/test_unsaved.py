"""napari's question before it closes names what would be lost."""

import functools

from napari_mesmerize.project import create_project
from napari_mesmerize.widgets.napari_api import close_notices
from napari_mesmerize.widgets.session.session import get_session


def test_the_question_names_curation_that_is_in_no_project(
    make_napari_viewer, recording, roi_set, tmp_path
):
    viewer = make_napari_viewer()
    status = functools.partial(close_notices, viewer)
    session = get_session(viewer)
    layer = session.show_recording(recording)
    roi_set.name = "cells"
    session.show_rois(roi_set, like=layer)
    assert status() == []
    roi_set.set_accepted(False, [0])
    (line,) = status()
    assert "cells" in line
    assert "not saved" in line
    roi_set.set_accepted(False, [1])
    assert len(status()) == 1
    viewer.layers.remove(session.roi_layer.layer)
    assert len(status()) == 1, "its layer is closed, it can still be kept"
    project = create_project(tmp_path / "project")
    components = roi_set.curated_components()
    sample = project.add_sample("a", "b", components=components, rois=roi_set.table)
    roi_set.project, roi_set.sample_id = project, sample.sample_id
    roi_set.mark_saved()
    roi_set.table_changed.emit()
    assert status() == []
    roi_set.set_accepted(True, [0])
    assert status() == [], "the journal of the project has it"


def test_a_model_without_a_window_is_not_asked(session, roi_set):
    session.show_rois(roi_set)
    roi_set.set_accepted(False, [0])
