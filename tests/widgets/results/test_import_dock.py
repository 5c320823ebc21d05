from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent

from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.io.results import read_results, write_results
from napari_mesmerize.widgets.results.import_dock import ImportDock

DATA = Path(__file__).parents[2] / "data"


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


def movie_of(components):
    """Return a recording in which the components are active as their traces say."""
    kind = "raw" if "raw" in components.traces else "denoised"
    traces = components.traces[kind]
    frames = (components.footprints @ traces).T.reshape(-1, *components.image_shape)
    return as_recording(
        frames.astype(np.float32), frame_rate=components.frame_rate or 10.0
    )


def _wait(qtbot, dock):
    """Wait until nothing runs any more; a job may start another one."""
    qtbot.wait(20)
    qtbot.waitUntil(lambda: not dock.job.running, timeout=30_000)
    qtbot.wait(20)
    qtbot.waitUntil(lambda: not dock.job.running, timeout=30_000)


def test_it_asks_for_a_recording_first(dock, labels):
    assert "open the recording first" in dock.hint.text()
    assert not dock.show_rois.isEnabled()


def test_a_label_image_becomes_rois_with_traces(
    dock, labels, session, recording, qtbot
):
    session.show_recording(recording)
    dock.look_at(labels)
    _wait(qtbot, dock)
    assert "2 ROIs" in dock.job.text.text()
    assert session.roi_set is None
    dock.show_rois.click()
    _wait(qtbot, dock)
    components = session.roi_set.components
    assert components.footprint_image(0)[3, 3] == 1
    assert components.footprint_image(1)[12, 22] == 1
    assert list(session.roi_set.table["kind"]) == ["labels", "labels"]
    expected = recording.to_numpy()[:, 2:7, 2:7].mean((1, 2))
    np.testing.assert_allclose(components.traces["raw"][0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    "name", ["suite2p", "caiman/cnmf.hdf5", "isxd/cellset.isxd", "imagej/rois.zip"]
)
def test_results_dropped_on_their_recording_are_shown_at_once(
    dock, session, qtbot, name
):
    shape = (64, 64)
    found = read_results(DATA / name, **_shape_option(name, shape))
    movie = movie_of(found) if found.traces else _noise(shape)
    session.show_recording(movie)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(DATA / name))])
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    dock.dropEvent(
        QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, mime, left, none)
    )
    _wait(qtbot, dock)
    assert "agree" in dock.findings.text()
    assert len(session.roi_set) == len(found)
    assert session.roi_set.recording is not None
    assert "raw" in session.roi_set.trace_kinds


def _shape_option(name, shape):
    return {"image_shape": shape} if name.startswith("imagej") else {}


def _noise(shape):
    frames = np.random.default_rng(0).random((30, *shape), np.float32)
    return as_recording(frames, frame_rate=10.0)


@pytest.mark.parametrize(("turn", "name"), [((0, 2, 1), "transpose"), (None, "flip_y")])
def test_turned_results_are_found_and_turned_back(
    dock, session, components, tmp_path, qtbot, turn, name
):
    path = write_results(components, tmp_path / "cells.hdf5")
    frames = movie_of(components).to_numpy()
    frames = frames[:, ::-1] if turn is None else frames.transpose(turn)
    session.show_recording(as_recording(frames, frame_rate=10.0))
    dock.look_at(path, show=True)
    _wait(qtbot, dock)
    assert session.roi_set is None, "what does not fit is not shown unasked"
    assert dock.orientation.currentText() == name
    assert name in dock.findings.text()
    assert "not shown" in dock.hint.text()
    dock.show_rois.click()
    _wait(qtbot, dock)
    assert session.roi_set.components.image_shape == frames.shape[1:]
    dock.look_at(path)
    _wait(qtbot, dock)


def test_results_of_another_recording_are_warned_of(dock, session, qtbot):
    session.show_recording(_noise((24, 32)))
    dock.look_at(DATA / "isxd" / "cellset.isxd", show=True)
    _wait(qtbot, dock)
    assert "40 frames, the recording has 30" in dock.findings.text()
    assert session.roi_set is None
    session.show_recording(_noise((10, 12)), name="small")
    dock.chooser.choose(session.recording_layers()[0])
    _wait(qtbot, dock)
    assert "of another recording" in dock.findings.text()
    dock.show_rois.click()
    _wait(qtbot, dock)
    assert "(10, 12)" in dock.job.text.text()
    assert session.roi_set is None


def test_what_is_dropped_too_early_waits_for_its_recording(dock, session, qtbot):
    path = DATA / "imagej" / "rois.zip"
    dock.look_at(path, show=True)
    _wait(qtbot, dock)
    assert "Open the recording" in dock.job.text.text()
    session.show_recording(_noise((128, 128)))
    _wait(qtbot, dock)
    assert len(session.roi_set) == 7


def test_without_a_recording_results_are_shown_on_their_image(
    dock, session, viewer, qtbot
):
    dock.look_at(DATA / "isxd" / "vessel_diameter.isxd", show=True)
    _wait(qtbot, dock)
    assert [layer.name for layer in viewer.layers] == [
        "projection of vessel_diameter.isxd",
        "vessel_diameter.isxd",
    ]
    roi_set = session.roi_set
    assert roi_set.trace_kinds == ["diameter", "position"]
    assert list(roi_set.table["accepted"]) == [True, False]


def test_events_go_to_the_cells_they_were_detected_in(dock, session, qtbot):
    events = DATA / "isxd" / "eventset.isxd"
    dock.look_at(events, show=True)
    _wait(qtbot, dock)
    assert "cell set" in dock.hint.text()
    dock.look_at(DATA / "isxd" / "cellset.isxd", show=True)
    _wait(qtbot, dock)
    session.roi_set.add_tag_column("kind_of_cell")
    session.roi_set.set_tag("kind_of_cell", "soma", [1])
    dock.look_at(events, show=True)
    _wait(qtbot, dock)
    traces = session.roi_set.traces("events")
    assert (traces > 0).sum(axis=1).tolist() == [0, 1, 2, 3, 4]
    assert traces[1, 12] == pytest.approx(7.379665)
    assert session.roi_set.table["kind_of_cell"].iat[1] == "soma"


def test_events_of_other_cells_are_refused(dock, session, roi_set, qtbot):
    session.show_rois(roi_set)
    dock.look_at(DATA / "isxd" / "eventset.isxd", show=True)
    _wait(qtbot, dock)
    assert "4 others" in dock.job.text.text()
    assert "events" not in roi_set.trace_kinds


def test_a_labels_layer_of_another_plugin_is_taken(
    dock, session, recording, viewer, qtbot
):
    assert dock.labels.isHidden()
    session.show_recording(recording)
    image = np.zeros((20, 30), np.uint16)
    image[2:7, 2:7] = 9
    viewer.add_labels(image, name="cellpose")
    assert not dock.labels.isHidden()
    dock.labels.click()
    _wait(qtbot, dock)
    assert session.roi_set.name.startswith("cellpose on")
    assert session.roi_set.trace_kinds == ["raw", "dff"]
    dock.labels.click()  # ours are not taken for foreign ones
    _wait(qtbot, dock)
    assert len(session.roi_set) == 1


def test_an_empty_labels_layer_is_explained(dock, session, recording, viewer, qtbot):
    session.show_recording(recording)
    viewer.add_labels(np.zeros((20, 30), np.uint16), name="nothing")
    dock.labels.click()
    _wait(qtbot, dock)
    assert "'nothing' is empty" in dock.job.text.text()


def test_only_what_was_accepted_is_taken(dock, session, qtbot):
    path = DATA / "isxd" / "cellset.isxd"
    session.show_recording(movie_of(read_results(path)))
    dock.only_accepted.setChecked(True)
    dock.look_at(path, show=True)
    _wait(qtbot, dock)
    assert len(session.roi_set) == 2


def test_what_is_no_result_is_explained(dock, session, recording, tmp_path, qtbot):
    session.show_recording(recording)
    path = tmp_path / "notes.txt"
    path.write_text("nothing")
    dock.look_at(path)
    _wait(qtbot, dock)
    assert "notes.txt" in dock.job.text.text()
    assert not dock.show_rois.isEnabled()


def test_curation_meanwhile_is_kept_when_traces_arrive(
    dock, session, recording, labels, qtbot
):
    session.show_recording(recording)
    dock.look_at(labels, show=True)
    _wait(qtbot, dock)
    roi_set = session.roi_set
    roi_set.set_accepted(False, [0])
    dock._add_traces(roi_set, replace(roi_set.components, traces={}))
    assert list(roi_set.table["accepted"]) == [False, True]
