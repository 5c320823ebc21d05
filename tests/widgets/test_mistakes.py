"""What people do by mistake: no exception, nothing lost, and words that help."""

import threading

import numpy as np
import pytest
import tifffile

from napari_mesmerize.data.pictures import drawn_areas
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.widgets.extraction.dock import CnmfDock
from napari_mesmerize.widgets.extraction.inspect_dock import InspectDock
from napari_mesmerize.widgets.motion.dock import MotionDock
from napari_mesmerize.widgets.project.dock import ProjectDock
from napari_mesmerize.widgets.recordings.facts_dock import FactsDock
from napari_mesmerize.widgets.recordings.open_dock import OpenDock
from napari_mesmerize.widgets.results.import_dock import ImportDock
from napari_mesmerize.widgets.rois.evaluation_dock import EvaluationDock
from napari_mesmerize.widgets.stimulus.dock import StimulusDock
from napari_mesmerize.workspace import compute as work
from napari_mesmerize.workspace import import_results

COLUMNS = (
    CnmfDock,
    EvaluationDock,
    FactsDock,
    ImportDock,
    InspectDock,
    MotionDock,
    OpenDock,
    ProjectDock,
    StimulusDock,
)


@pytest.fixture
def gate():
    """A gate that a computation waits at until the test opens it."""
    opened = threading.Event()
    yield opened
    opened.set()


def through(gate, result):
    def compute(*_, progress, **__):
        for _ in progress(range(200), desc="Waiting", total=200):
            if gate.wait(0.05):
                break
        return result

    return compute


@pytest.fixture
def extracted(components):
    table = roi_table_from_components(components)
    return work.Extracted(components, table, drawn_areas(components))


def test_a_layer_that_is_deleted_while_cells_are_sought(
    viewer, session, recording, extracted, gate, monkeypatch, qtbot, wait_for_job
):
    monkeypatch.setattr(work, "extract", through(gate, extracted))
    dock = CnmfDock(viewer)
    qtbot.addWidget(dock)
    layer = session.show_recording(recording)
    dock.run.click()
    viewer.layers.remove(layer)
    gate.set()
    wait_for_job(dock.job)
    assert len(session.roi_set) == 4, "the work of minutes is not thrown away"
    assert session.roi_set.recording is recording
    assert "Start here" in dock.hint.text()


def test_a_layer_that_is_deleted_while_results_are_read(
    viewer, session, recording, components, gate, monkeypatch, qtbot, wait_for_job
):
    found = import_results.Found("caiman", components)
    monkeypatch.setattr(import_results, "read", through(gate, found))
    dock = ImportDock(viewer)
    qtbot.addWidget(dock)
    layer = session.show_recording(recording)
    dock.look_at("cells.hdf5", show=True)
    dock.look_at("another.hdf5", show=True)
    assert "Still reading" in dock.job.text.text()
    viewer.layers.remove(layer)
    gate.set()
    wait_for_job(dock.job)
    qtbot.wait(30)
    wait_for_job(dock.job)
    assert len(session.roi_set) == 4


def test_cancel_changes_nothing(
    viewer, session, recording, extracted, gate, monkeypatch, qtbot, wait_for_job
):
    monkeypatch.setattr(work, "extract", through(gate, extracted))
    dock = CnmfDock(viewer)
    qtbot.addWidget(dock)
    session.show_recording(recording)
    dock.run.click()
    dock.run.click()
    dock.job.cancel_button.click()
    wait_for_job(dock.job)
    assert "nothing was changed" in dock.job.text.text()
    assert session.roi_set is None
    assert len(viewer.layers) == 1


def test_helper_layers_that_are_deleted_come_back(
    viewer, session, roi_set, recording, qtbot
):
    layer = session.show_recording(recording)
    session.show_rois(roi_set, like=layer)
    dock = EvaluationDock(viewer)
    qtbot.addWidget(dock)
    roi_set.select(0)
    dock.editors["min_snr"].set_value(5.0)
    dock.show_now()
    for name in ("selected ROI", "evaluation"):
        viewer.layers.remove(name)
    assert session.roi_layer.layer.opacity > 0.5, "the ROIs are seen again"
    roi_set.select(1)
    dock.editors["min_snr"].set_value(6.0)
    dock.show_now()
    assert {"selected ROI", "evaluation"} <= {other.name for other in viewer.layers}


@pytest.mark.parametrize("kind", COLUMNS)
def test_every_button_may_be_pressed_without_data(viewer, session, kind, qtbot):
    from qtpy.QtWidgets import QPushButton

    dock = kind(viewer)
    qtbot.addWidget(dock)
    for button in dock.findChildren(QPushButton):
        if button.isEnabled() and not button.text().endswith("…"):
            button.click()
    qtbot.wait(10)
    assert len(viewer.layers) == 0
    hint = dock.hint.text()
    assert "Start here" in hint or "<b>" in hint, "it says what to do"


@pytest.mark.parametrize("kind", COLUMNS)
def test_layers_that_are_no_recordings_are_not_offered(viewer, session, kind, qtbot):
    dock = kind(viewer)
    qtbot.addWidget(dock)
    viewer.add_image(np.zeros((9, 8, 3), np.uint8), rgb=True)
    viewer.add_image(np.zeros((9, 8)))
    viewer.add_image(np.zeros((2, 3, 4, 9, 8)))
    viewer.add_labels(np.zeros((4, 9, 8), int))
    viewer.add_points(np.zeros((3, 3)))
    if hasattr(dock, "chooser"):
        assert dock.chooser.layer is None
    viewer.layers.clear()


def test_a_file_that_vanishes_between_looking_and_opening(
    viewer, session, tmp_path, qtbot, wait_for_job
):
    dock = OpenDock(viewer)
    qtbot.addWidget(dock)
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, np.zeros((5, 8, 9), np.uint8), photometric="minisblack")
    dock.look_into([path])
    wait_for_job(dock.job)
    qtbot.wait(30)
    wait_for_job(dock.job)
    path.unlink()
    dock.open.click()
    wait_for_job(dock.job)
    assert "movie.tif" in dock.job.text.text()
    assert len(viewer.layers) == 0
