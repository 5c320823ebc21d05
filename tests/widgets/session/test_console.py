import gc

import numpy as np
import pytest

import napari_mesmerize
from napari_mesmerize.widgets.session.console import Api
from napari_mesmerize.widgets.session.session import get_session


@pytest.fixture
def api(session):
    return Api(session)


def test_the_functions_of_the_package_are_there(api):
    assert api.read_recording is napari_mesmerize.read_recording
    assert {"recording", "rois", "correct_motion"} <= set(dir(api))
    with pytest.raises(AttributeError):
        _ = api.no_such_function
    assert "mesmerize.recording" in repr(api)


def test_what_is_open_is_there(api, session, roi_set, recording):
    assert api.recording is None
    assert api.rois is None
    assert api.components is None
    session.show_recording(recording)
    session.show_rois(roi_set)
    assert api.recording is recording
    assert len(api.rois) == 4
    copy = api.rois
    copy["accepted"] = False
    assert roi_set.table["accepted"].any()
    assert len(api.components) == 4


def test_arrays_files_and_components_are_shown(api, viewer, components, tmp_path):
    array = np.zeros((9, 20, 30), np.float32)
    layer = api.show(array, name="mine", frame_rate=5.0)
    assert layer.name == "mine"
    assert api.recording.attrs["frame_rate"] == 5.0
    labels = api.show(components)
    assert labels.data.max() == 4
    np.save(tmp_path / "saved.npy", array)
    assert api.show(tmp_path / "saved.npy").data.shape == (9, 20, 30)
    assert len(viewer.layers) == 3


def test_mesmerize_is_a_name_in_the_console(make_napari_viewer, monkeypatch):
    viewer = make_napari_viewer()
    pushed = {}
    monkeypatch.setattr(
        type(viewer), "update_console", lambda self, v: pushed.update(v)
    )
    viewer.window.add_plugin_dock_widget("napari-mesmerize", "ROI manager")
    viewer.window.add_plugin_dock_widget("napari-mesmerize", "Project")
    assert isinstance(pushed["mesmerize"], Api)


def test_mesmerize_waits_for_a_console_that_is_opened_later(make_napari_viewer):
    viewer = make_napari_viewer()
    session = get_session(viewer)
    gc.collect()
    (waiting,) = viewer.window._qt_viewer.console_backlog
    api = waiting["mesmerize"]()  # a weak reference
    assert isinstance(api, Api)
    assert api.project is session.project
