import numpy as np
import pytest
import tifffile

from napari_mesmerize.recording import as_recording
from napari_mesmerize.widgets.import_dock import ImportDock


@pytest.fixture
def dock(viewer, qtbot):
    made = ImportDock(viewer)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def labels(tmp_path):
    image = np.zeros((20, 30), np.uint16)
    image[2:7, 2:7] = 1
    image[10:15, 20:25] = 2
    tifffile.imwrite(tmp_path / "masks.tif", image)
    return tmp_path / "masks.tif"


def _wait(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.job.running, timeout=30_000)


def test_it_asks_for_a_recording_first(dock, labels):
    assert "open the recording first" in dock.hint.text()
    dock.look_at(labels)
    assert not dock.job.running
    assert not dock.show_rois.isEnabled()


def test_a_label_image_becomes_rois(dock, labels, session, recording, qtbot):
    session.show_recording(recording)
    dock.look_at(labels)
    _wait(qtbot, dock)
    assert "2 ROIs" in dock.job.text.text()
    dock.show_rois.click()
    components = session.roi_set.components
    assert components.footprint_image(0)[3, 3] == 1
    assert components.footprint_image(1)[12, 22] == 1
    assert session.roi_layer is not None


def test_turned_results_are_found_and_turned_back(
    dock, labels, session, tmp_path, qtbot
):
    frames = np.random.default_rng(0).random((40, 30, 20)).astype(np.float32)
    session.show_recording(as_recording(frames, frame_rate=10.0))
    dock.look_at(labels)
    _wait(qtbot, dock)
    if dock._stored is None:  # the reader refuses another shape: it says both shapes
        assert "(20, 30)" in dock.job.text.text()
        assert "30" in dock.job.text.text()
        return
    assert dock.orientation.currentText() == "transpose"
    dock.show_rois.click()
    assert session.roi_set.components.image_shape == (30, 20)


def test_what_is_no_result_is_explained(dock, session, recording, tmp_path, qtbot):
    session.show_recording(recording)
    path = tmp_path / "notes.txt"
    path.write_text("nothing")
    dock.look_at(path)
    _wait(qtbot, dock)
    assert "notes.txt" in dock.job.text.text()
    assert not dock.show_rois.isEnabled()
