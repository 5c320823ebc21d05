import numpy as np
import pytest

from napari_mesmerize.motion import RigidParams
from napari_mesmerize.widgets.layers import KEY, recording_of
from napari_mesmerize.widgets.motion_dock import MotionDock


@pytest.fixture
def dock(viewer, qtbot):
    made = MotionDock(viewer)
    qtbot.addWidget(made)
    return made


def test_it_says_what_to_do_and_runs_only_with_a_recording(session, dock, recording):
    assert "Start here" in dock.hint.text()
    assert not dock.run.isEnabled()
    session.show_recording(recording)
    assert dock.run.isEnabled()
    assert dock.chooser.facts.text().startswith("40 frames")
    assert "press" in dock.hint.text().lower()


def test_a_run_adds_the_corrected_recording_and_keeps_the_raw_one(
    viewer, session, dock, small_2p_rigid, wait_for_job
):
    raw = session.show_recording(small_2p_rigid.recording, name="raw")
    dock.run.click()
    wait_for_job(dock.job)
    assert raw in viewer.layers
    assert not raw.visible
    layer = viewer.layers["raw corrected"]
    recording = recording_of(layer)
    last = recording.attrs["history"][-1]
    assert last["operation"] == "correct_motion"
    assert layer.metadata[KEY]["raw_layer"] == "raw"
    error = dock.result.shifts + small_2p_rigid.truth.shifts
    error -= error.mean(axis=0)
    assert np.sqrt((error**2).mean()) < 0.3
    assert "Largest shift" in dock.summary.text()
    assert "corrected already" in dock.hint.text()
    dock.blink.setChecked(True)
    dock._swap()
    assert raw.visible
    assert not layer.visible
    dock.blink.setChecked(False)
    assert layer.visible
    viewer.layers.remove(layer)
    dock.blink.setChecked(True)
    assert not dock.blink.isChecked()


def test_a_preview_takes_frames_around_the_shown_one(
    viewer, session, dock, small_2p_rigid, wait_for_job
):
    session.show_recording(small_2p_rigid.recording, name="raw")
    viewer.dims.set_current_step(0, 290)
    dock.preview_frames.setValue(60)
    dock.preview.click()
    wait_for_job(dock.job)
    assert viewer.layers["raw preview"].data.shape[0] == 60


def test_the_form_of_the_chosen_method_is_shown(dock):
    assert isinstance(dock.form.value(), RigidParams)
    dock.engine.setCurrentIndex(1)
    assert "max_deviation" in type(dock.form.value()).model_fields
    shown = [form for form in dock.forms.values() if not form.isHidden()]
    assert shown == [dock.form]


def test_parameters_that_do_not_fit_the_recording_are_explained(
    viewer, session, dock, recording, wait_for_job
):
    session.show_recording(recording)
    dock.form.set_values({"max_shift": 30})
    dock.run.click()
    wait_for_job(dock.job)
    assert "max_shift=30" in dock.job.text.text()
    assert len(viewer.layers) == 1
    assert dock.run.isEnabled()


def test_a_recording_that_is_removed_meanwhile_does_no_harm(
    viewer, session, dock, small_2p_rigid, wait_for_job
):
    raw = session.show_recording(small_2p_rigid.recording, name="raw")
    dock.run.click()
    viewer.layers.remove(raw)
    wait_for_job(dock.job)
    assert [layer.name for layer in viewer.layers] == ["raw corrected"]


def test_cancel_leaves_everything_as_it_was(
    viewer, session, dock, small_2p_rigid, wait_for_job
):
    session.show_recording(small_2p_rigid.recording, name="raw")
    dock.run.click()
    dock.job.cancel_button.click()
    wait_for_job(dock.job)
    assert len(viewer.layers) == 1


def test_the_frame_rate_can_be_given(session, dock, recording):
    recording.attrs["frame_rate"] = None
    layer = session.show_recording(recording)
    assert "unknown" in dock.chooser.facts.text()
    dock.chooser.rate.setValue(12.5)
    assert recording_of(layer).attrs["frame_rate"] == 12.5
    assert "12.5 Hz" in dock.chooser.facts.text()
