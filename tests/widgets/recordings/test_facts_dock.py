import numpy as np
import pytest
import tifffile

from napari_mesmerize.io import read_recording
from napari_mesmerize.widgets.layers.recordings import recording_of
from napari_mesmerize.widgets.recordings.facts_dock import FactsDock


@pytest.fixture
def dock(viewer, qtbot):
    made = FactsDock(viewer)
    qtbot.addWidget(made)
    return made


def test_without_a_recording_it_says_what_to_do(dock):
    assert "Start here" in dock.hint.text()
    assert not dock.apply.isEnabled()


def test_facts_are_shown_and_written_back(dock, session, recording):
    layer = session.show_recording(recording)
    assert dock.pixel_x.value() == 2.0
    assert not dock.z_step.isEnabled()
    dock.pixel_y.setValue(0.5)
    dock.pixel_x.setValue(0.25)
    dock.date.setText("2026-01-31")
    dock.apply.click()
    attrs = recording_of(layer).attrs
    assert attrs["pixel_size_um"] == (0.5, 0.25)
    assert attrs["date"] == "2026-01-31"
    assert attrs["history"][-1]["operation"] == "edit_facts"
    assert tuple(layer.scale) == (1.0, 0.5, 0.25)
    assert layer.metadata["mesmerize"]["facts"]["date"] == "2026-01-31"


def test_half_a_pixel_size_is_refused(dock, session, recording):
    layer = session.show_recording(recording)
    dock.pixel_y.setValue(0.0)
    dock.apply.click()
    assert "both" in dock.hint.text()
    assert recording_of(layer).attrs["pixel_size_um"] == (2.0, 2.0)


def test_a_varying_frame_rate_is_warned_of(dock, session, recording):
    recording.attrs["meta"] = {"fps_std": 0.2, "fps_max_dev": 0.5, "deep": {"a": [1]}}
    session.show_recording(recording)
    assert not dock.warning.isHidden()
    assert "0.2 Hz" in dock.warning.text()
    assert dock.meta.topLevelItemCount() == 3


def test_facts_are_kept_beside_the_file_and_found_again(dock, session, tmp_path):
    frames = np.zeros((6, 8, 9), np.uint16)
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, frames, photometric="minisblack")
    session.show_recording(read_recording(path))
    assert "frame rate" in dock.hint.text()
    assert "pixel size" in dock.hint.text()
    assert dock.keep.text() == "Keep them in movie.json"
    dock.pixel_x.setValue(0.25)
    dock.pixel_y.setValue(0.25)
    dock.chooser.rate.setValue(8.0)
    assert dock.pixel_x.value() == 0.25, "what was typed stays"
    dock.apply.click()
    assert "movie.json" in dock.hint.text()
    again = read_recording(path)
    assert again.attrs["pixel_size_um"] == (0.25, 0.25)
    assert again.attrs["frame_rate"] == 8.0


def test_what_was_computed_says_that_a_project_keeps_its_facts(
    dock, session, recording
):
    session.show_recording(recording)
    assert dock.keep.isHidden()
    assert "Project" in dock.why_not.text()


def test_a_date_that_is_none_is_refused(dock, session, recording):
    layer = session.show_recording(recording)
    dock.date.setText("last Tuesday")
    dock.apply.click()
    assert "2026-01-31" in dock.hint.text()
    assert recording_of(layer).attrs["date"] is None


def test_time_stamps_that_vary_are_warned_of(dock, session, recording):
    times = np.arange(recording.sizes["frame"]) / 10
    times[7] += 0.03
    session.show_recording(recording.assign_coords(time_s=("frame", times)))
    assert not dock.warning.isHidden()
