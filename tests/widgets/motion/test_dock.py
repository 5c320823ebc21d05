import numpy as np
import pyqtgraph as pg
import pytest

from napari_mesmerize.motion import RigidParams
from napari_mesmerize.widgets.layers.recordings import KEY, recording_of, shown_frame
from napari_mesmerize.widgets.motion.dock import MotionDock
from napari_mesmerize.workspace import compute


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
    assert "Largest shift" in dock.view.summary.text()
    assert "corrected already" in dock.hint.text()
    dock.view.blink.setChecked(True)
    dock.view.swap()
    assert raw.visible
    assert not layer.visible
    dock.view.blink.setChecked(False)
    assert layer.visible
    dock.view.side_by_side.setChecked(True)
    assert raw.visible
    assert raw.extent.world[1][-1] < layer.extent.world[0][-1]
    dock.view.side_by_side.setChecked(False)
    np.testing.assert_array_equal(raw.translate, layer.translate)
    dock.view.what.setCurrentIndex(1)
    assert "outlier" in dock.view.legend.text()
    check_crispness(dock.view)
    viewer.layers.remove(layer)
    dock.view.blink.setChecked(True)
    assert not dock.view.blink.isChecked()


def test_a_preview_takes_frames_around_the_shown_one(
    viewer, session, dock, small_2p_rigid, wait_for_job
):
    session.show_recording(small_2p_rigid.recording, name="raw")
    viewer.dims.set_current_step(0, 290)
    dock.preview_frames.setValue(60)
    dock.preview.click()
    wait_for_job(dock.job)
    made = viewer.layers["raw preview"]
    assert made.data.shape[0] == 60
    first = compute.first_of_part(small_2p_rigid.recording, 60, 290)
    assert made.translate[0] == first > 0, "it lies where its frames come from"
    assert shown_frame(viewer, made) == 290 - first
    assert viewer.dims.nsteps[0] == small_2p_rigid.recording.sizes["frame"]
    dock.view.side_by_side.setChecked(True)
    assert viewer.layers["raw"].translate[0] == 0


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


def test_parameters_that_fit_the_recording_are_suggested(session, dock, recording):
    recording.attrs["pixel_size_um"] = (0.5, 0.5)
    session.show_recording(recording)
    assert dock.form.preset.currentText() == "two-photon"
    assert dock.form.value().cell_diameter == 24
    dock.form.fields["cell_diameter"].setValue(9)
    coarse = session.show_recording(recording.assign_attrs(pixel_size_um=(3.0, 3.0)))
    dock.chooser.choose(coarse)
    assert dock.form.value().cell_diameter == 9  # what the user chose stays


def test_the_patches_follow_the_parameters(viewer, session, dock, small_2p):
    layer = session.show_recording(small_2p.recording)
    dock.engine.setCurrentIndex(1)
    dock.show_patches.setChecked(True)
    patches = viewer.layers["patches"]
    before = len(patches.data)
    assert before > 1
    assert f"{before} patches" in dock.patches.text()
    assert patches.extent.world[1][0] <= layer.extent.world[1][1] + 1
    dock.form.fields["strides"].setValue(16)
    assert len(patches.data) > before
    dock.form.fields["strides"].setValue(999)
    assert "strides=999" in dock.patches.text()
    assert not patches.visible
    dock.form.fields["strides"].setValue(20)
    assert patches.visible
    dock.engine.setCurrentIndex(0)
    assert not patches.visible


def test_a_drawn_region_is_registered_on(
    viewer, session, dock, small_2p_rigid, wait_for_job
):
    layer = session.show_recording(small_2p_rigid.recording, name="raw")
    shapes = viewer.add_shapes(
        [np.array([[8, 8], [8, 50], [50, 50], [50, 8]])],
        shape_type="polygon",
        name="region",
    )
    dock.region.setCurrentText("region")
    mask = dock.region.mask_of(layer)
    assert mask.shape == (64, 64)
    assert mask.sum() == pytest.approx(42**2, rel=0.1)
    dock.run.click()
    wait_for_job(dock.job)
    assert dock.result is not None
    shapes.selected_data = {0}
    shapes.remove_selected()
    dock.chooser.choose(layer)
    dock.run.click()
    assert "cover no pixel" in dock.job.text.text()


def test_frames_are_stored_and_another_channel_is_carried_along(
    viewer, session, dock, small_2p_rigid, wait_for_job, tmp_path
):
    first = session.show_recording(small_2p_rigid.recording, name="red")
    dock.out.setText(str(tmp_path / "corrected.zarr"))
    dock.run.click()
    wait_for_job(dock.job)
    assert (tmp_path / "corrected.zarr").exists()
    second = session.show_recording(small_2p_rigid.recording.copy(), name="green")
    dock.chooser.choose(second)
    assert not dock.carry.isHidden()
    dock.carry.click()
    wait_for_job(dock.job)
    red, green = (viewer.layers[f"{name} corrected"] for name in ("red", "green"))
    np.testing.assert_allclose(
        np.asarray(red.data[40], float), np.asarray(green.data[40], float), atol=1
    )
    assert first in viewer.layers


def test_a_place_for_the_corrected_frames_can_be_chosen(
    session, dock, recording, tmp_path, monkeypatch
):
    from qtpy.QtWidgets import QFileDialog

    session.show_recording(recording, name="raw")
    asked = []

    def answer(parent, title, suggested, *_):
        asked.append(suggested)
        return (str(tmp_path / "mine"), "")

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    dock.choose_out.click()
    assert asked == ["raw corrected.zarr"]
    assert dock.out.text() == str(tmp_path / "mine.zarr")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    dock.choose_out.click()
    assert dock.out.text() == str(tmp_path / "mine.zarr")


def check_crispness(view):
    """A bar for each mean image, with its number; other plots are as before then."""
    quality = view._result.quality
    view.what.setCurrentText("Crispness")
    (bars,) = [i for i in view.plot.items() if isinstance(i, pg.BarGraphItem)]
    heights = [quality.crispness_after, quality.crispness_before]
    assert list(bars.opts["width"]) == heights
    texts = [i.toPlainText() for i in view.plot.items() if isinstance(i, pg.TextItem)]
    assert any("%" in text for text in texts)
    assert view.plot.viewRange()[0][1] > max(heights)
    view.what.setCurrentText("Correlation")
    assert not [i for i in view.plot.items() if isinstance(i, pg.BarGraphItem)]
    view.plot.getViewBox().updateAutoRange()
    assert view.plot.viewRange()[1][1] <= 1.1
