import threading

import numpy as np
import pytest

from napari_mesmerize.curation.merge_split import carry_table, merge_components
from napari_mesmerize.data.epochs import make_epochs
from napari_mesmerize.project import create_project, open_project
from napari_mesmerize.widgets.layers.recordings import KEY
from napari_mesmerize.widgets.project.dock import ProjectDock
from napari_mesmerize.workspace import open_sample


@pytest.fixture
def dock(viewer, qtbot):
    made = ProjectDock(viewer)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def wait_for_job(qtbot, dock):
    """Return a function that waits until a job is done and the samples are listed."""

    def wait(bar):
        qtbot.waitUntil(
            lambda: not bar.running and not dock.samples.reading, timeout=60_000
        )

    return wait


@pytest.fixture
def filled(session, dock, roi_set, recording, tmp_path):
    layer = session.show_recording(recording, name="movie")
    layer.metadata[KEY]["epochs"] = make_epochs([("odour", "a", 0.5, 1.0)])
    session.show_rois(roi_set, like=layer)
    dock.create_at(tmp_path / "project")
    dock.animal.setText("m01")
    dock.trial.setText("day1")
    return dock


def test_it_starts_with_a_project(dock, tmp_path):
    assert "Start here" in dock.hint.text()
    assert not dock.add.isEnabled()
    dock.create_at(tmp_path / "project")
    assert "project" in dock.title.text()
    assert "Open a recording" in dock.hint.text()
    assert not dock.add.isEnabled()


def test_what_is_no_project_is_explained(session, dock, tmp_path, wait_for_job):
    dock.open_at(tmp_path)
    wait_for_job(dock.job)
    assert session.project is None
    assert str(tmp_path) in dock.job.text.text()


def test_what_is_open_becomes_a_sample(session, filled, roi_set, wait_for_job):
    roi_set.set_tag("cell_type", "soma", [0])
    assert "Not saved yet" in filled.content.text()
    filled.comments.setPlainText("first try")
    filled.add.click()
    wait_for_job(filled.job)
    project = session.project
    assert project.samples == ["m01-_-day1"]
    sample = project.sample("m01-_-day1")
    assert sample.rois["cell_type"].tolist() == ["soma", "", "", ""]
    assert sample.comments == "first try"
    assert sample.epochs["name"].tolist() == ["a"]
    assert sample.has_recording
    assert "mean" in sample.projections
    assert not roi_set.unsaved
    assert filled.samples.rowCount() == 1
    assert not filled.add.isEnabled()
    assert filled.overwrite.isEnabled()
    assert filled.hint.isHidden(), "all is saved"


def test_curation_is_saved_and_journalled(session, filled, roi_set, wait_for_job):
    filled.add.click()
    wait_for_job(filled.job)
    assert not filled.save.isEnabled()
    roi_set.set_accepted(False, [1])
    assert "not saved" in filled.content.text()
    assert session.project.unsaved_edits() in ([], ["m01-_-day1"])
    other = open_project(session.project.path)
    assert other.sample("m01-_-day1").rois["accepted"].tolist() == [1, 1, 1, 0]
    filled.save.click()
    wait_for_job(filled.job)
    assert other.sample("m01-_-day1").rois["accepted"].tolist() == [1, 0, 1, 0]
    assert not roi_set.unsaved


def test_epochs_that_were_mapped_later_are_saved_with_the_curation(
    session, filled, roi_set, wait_for_job
):
    filled.add.click()
    wait_for_job(filled.job)
    (layer,) = session.recording_layers()
    session.set_epochs(layer, make_epochs([("light", "on", 1.0, 2.0)]))
    assert filled.save.isEnabled()
    filled.save.click()
    wait_for_job(filled.job)
    sample = open_project(session.project.path).sample("m01-_-day1")
    assert sample.epochs["name"].tolist() == ["on"]
    roi_set.set_accepted(False, [1])
    filled.save.click()
    wait_for_job(filled.job)
    sample = open_project(session.project.path).sample("m01-_-day1")
    assert sample.epochs["name"].tolist() == ["on"]


def test_merged_rois_are_saved_with_their_footprints(
    session, filled, roi_set, recording, wait_for_job
):
    filled.add.click()
    wait_for_job(filled.job)
    curation = merge_components(roi_set.curated_components(), [0, 1])
    roi_set.exchange(curation.components, carry_table(roi_set.table, curation))
    roi_set.unsaved = True
    roi_set.table_changed.emit()
    filled.save.click()
    wait_for_job(filled.job)
    sample = open_project(session.project.path).sample("m01-_-day1")
    assert len(sample.rois) == len(sample.components) == 3
    assert list(sample.rois.index) == list(sample.components.roi_ids)
    np.testing.assert_array_equal(sample.open_recording(), recording)
    assert session.project.backups("m01-_-day1")


def test_overwriting_keeps_a_backup(session, filled, roi_set, wait_for_job):
    filled.add.click()
    wait_for_job(filled.job)
    roi_set.set_tag("cell_type", "glia", [2])
    filled.overwrite.click()
    wait_for_job(filled.job)
    project = session.project
    assert project.sample("m01-_-day1").rois["cell_type"].iat[2] == "glia"
    assert len(project.backups("m01-_-day1")) == 1


def test_a_sample_is_opened_again(
    viewer, session, filled, roi_set, recording, wait_for_job
):
    roi_set.set_tag("cell_type", "soma", [0])
    filled.add.click()
    wait_for_job(filled.job)
    viewer.layers.clear()
    assert session.roi_set is None
    filled.samples.selectRow(0)
    filled.open_sample.click()
    wait_for_job(filled.job)
    opened = session.roi_set
    assert opened.sample_id == "m01-_-day1"
    assert opened.table["cell_type"].tolist() == ["soma", "", "", ""]
    assert not opened.unsaved
    movie = viewer.layers["m01-_-day1"]
    np.testing.assert_array_equal(np.asarray(movie.data[3]), recording[3].to_numpy())
    np.testing.assert_allclose(opened.traces("dff"), roi_set.traces("dff"))
    assert filled.trial.text() == "day1"
    opened.set_tag("cell_type", "glia", [1])
    filled.save.click()
    wait_for_job(filled.job)
    saved = session.project.sample("m01-_-day1").rois["cell_type"].tolist()
    assert saved == ["soma", "glia", "", ""]


def test_a_lost_recording_is_a_problem_to_show(viewer, session, filled, wait_for_job):
    filled.copy.setChecked(False)
    filled.add.click()
    wait_for_job(filled.job)
    viewer.layers.clear()
    filled.samples.selectRow(0)
    filled.open_sample.click()
    wait_for_job(filled.job)
    assert session.roi_set is not None
    shown = [layer.name for layer in viewer.layers if layer.visible]
    assert shown == ["m01-_-day1 mean image", "ROIs of m01-_-day1"]
    assert filled.job.text.text()


def test_ids_that_can_not_be_used_are_explained(filled, wait_for_job):
    filled.animal.setText("a-_-b")
    filled.add.click()
    wait_for_job(filled.job)
    assert "-_-" in filled.job.text.text()


def test_a_recording_alone_can_be_added(
    session, dock, recording, tmp_path, wait_for_job
):
    session.show_recording(recording)
    session.set_project(create_project(tmp_path / "p"))
    dock.animal.setText("a")
    dock.trial.setText("b")
    dock.add.click()
    wait_for_job(dock.job)
    assert session.project.sample("a-_-b").components is None


def test_curation_goes_to_its_own_project_after_another_was_opened(
    session, filled, roi_set, tmp_path, wait_for_job
):
    filled.add.click()
    wait_for_job(filled.job)
    first = session.project
    roi_set.set_accepted(False, [1])
    filled.create_at(tmp_path / "other")
    filled.add.click()  # the same ids there
    wait_for_job(filled.job)
    roi_set.set_accepted(False, [2])
    assert "not saved" in filled.content.text()
    filled.open_at(first.path)
    wait_for_job(filled.job)
    assert "in 'other'" in filled.content.text()
    filled.save.click()
    wait_for_job(filled.job)
    accepted = [
        open_project(path).sample("m01-_-day1").rois["accepted"].tolist()
        for path in (tmp_path / "other", first.path)
    ]
    assert accepted == [[1, 0, 0, 0], [1, 1, 1, 0]]
    (edit,) = first.journal.unsaved("m01-_-day1")
    assert edit.new == {roi_set.table.index[1]: False}, "a crash would not lose it"


def test_edits_are_written_down_without_the_dock_too(
    session, filled, roi_set, wait_for_job
):
    filled.add.click()
    wait_for_job(filled.job)
    filled.deleteLater()
    roi_set.set_tag("cell_type", "soma", [0])
    (edit,) = session.project.journal.unsaved("m01-_-day1")
    assert edit.new == {roi_set.table.index[0]: "soma"}


def test_what_is_edited_while_it_is_saved_is_not_saved_yet(
    session, filled, roi_set, monkeypatch, qtbot, wait_for_job
):
    from napari_mesmerize.workspace import save_sample

    filled.add.click()
    wait_for_job(filled.job)
    save = save_sample.save_curation
    gate = threading.Event()

    def slowly(*args, **kwargs):
        gate.wait(10)
        return save(*args, **kwargs)

    monkeypatch.setattr(save_sample, "save_curation", slowly)
    roi_set.set_accepted(False, [0])
    filled.save.click()
    roi_set.set_accepted(False, [1])
    gate.set()
    wait_for_job(filled.job)
    assert roi_set.unsaved
    assert filled.save.isEnabled()
    project = session.project
    assert project.sample("m01-_-day1").rois["accepted"].tolist() == [0, 1, 1, 0]
    (edit,) = project.journal.unsaved("m01-_-day1")
    assert edit.new == {roi_set.table.index[1]: False}
    filled.save.click()
    wait_for_job(filled.job)
    assert not roi_set.unsaved


def test_the_recording_of_the_rois_is_chosen(
    session, filled, roi_set, recording, wait_for_job
):
    other = session.show_recording(recording.copy(), name="other")
    filled.chooser.choose(other)
    assert "another recording" in filled.content.text()
    filled.add.click()
    wait_for_job(filled.job)
    filled.samples.selectRow(0)
    filled.open_sample.click()
    wait_for_job(filled.job)
    assert filled.chooser.layer.name == "m01-_-day1"
    assert "another recording" not in filled.content.text()


def test_a_project_that_is_open_stays_open(session, filled):
    project = session.project
    filled.open_at(project.path)
    assert session.project is project


def test_stored_images_come_hidden_between_recording_and_rois(
    viewer, session, filled, recording, wait_for_job
):
    filled.add.click()
    wait_for_job(filled.job)
    viewer.layers.clear()
    filled.samples.selectRow(0)
    filled.open_sample.click()
    wait_for_job(filled.job)
    names = [layer.name for layer in viewer.layers]
    assert names == [
        "m01-_-day1",
        "m01-_-day1 standard deviation",
        "m01-_-day1 maximum image",
        "m01-_-day1 mean image",
        "m01-_-day1 correlation image",
        "ROIs of m01-_-day1",
    ]
    assert [layer.visible for layer in viewer.layers] == [True, *[False] * 4, True]
    mean, movie = viewer.layers["m01-_-day1 mean image"], viewer.layers["m01-_-day1"]
    np.testing.assert_allclose(mean.data, recording.mean("frame"), rtol=1e-5)
    np.testing.assert_array_equal(mean.scale, movie.scale[1:])
    assert mean.units == movie.units[1:]
    assert session.recording_layers() == [movie]
    mean.visible = True
    filled.open_sample.click()
    wait_for_job(filled.job)
    assert not mean.visible, "what was open is hidden"


def test_a_project_is_opened_off_the_gui_thread(
    dock, session, tmp_path, monkeypatch, qtbot, wait_for_job
):
    path = create_project(tmp_path / "large").path
    opened, gate, threads = open_sample.open_folder, threading.Event(), []

    def slowly(path, *, progress):
        threads.append(threading.current_thread())
        for _ in progress(range(4), desc="Reading samples", total=4):
            gate.wait(10)
        return opened(path, progress=progress)

    monkeypatch.setattr(open_sample, "open_folder", slowly)
    dock.open_at(path)
    qtbot.waitUntil(lambda: "Reading samples" in dock.job.text.text())
    assert session.project is None
    gate.set()
    wait_for_job(dock.job)
    assert session.project.name == "large"
    assert threads[0] is not threading.main_thread()


def test_a_damaged_sample_is_a_notification(filled, tmp_path, session, wait_for_job):
    filled.add.click()
    wait_for_job(filled.job)
    (path,) = session.project.path.glob("samples/*/sample.json")
    path.write_text("{")
    filled.refresh()
    wait_for_job(filled.job)
    assert "sample.json" in filled.job.text.text()
    session.set_project(None)
    filled.open_at(path.parents[2])
    wait_for_job(filled.job)
    assert "sample.json" in filled.job.text.text()
    assert session.project.path == path.parents[2]
    assert filled.samples.item(0, 1).text() == "damaged"


def test_only_the_samples_of_the_project_that_is_open_are_listed(
    filled, session, tmp_path, wait_for_job, qtbot
):
    filled.add.click()
    wait_for_job(filled.job)
    filled.refresh()
    filled.create_at(tmp_path / "empty")
    wait_for_job(filled.job)
    qtbot.wait(50)
    assert filled.samples.rowCount() == 0


def test_damaged_samples_do_not_hide_the_others(
    session, dock, components, tmp_path, wait_for_job
):
    project = create_project(tmp_path / "project")
    paths = [
        project.add_sample("m01", day, components=components).path
        for day in ("a", "b", "c")
    ]
    (paths[1] / "sample.json").write_text("{ torn")
    (paths[2] / "rois.parquet").write_bytes(b"torn")
    dock.open_at(project.path)
    wait_for_job(dock.job)
    shown = [
        [dock.samples.item(row, column).text() for column in range(3)]
        for row in range(dock.samples.rowCount())
    ]
    assert shown[0] == ["m01", "a", str(len(components))]
    assert shown[1] == [paths[1].name, "damaged", ""]
    assert shown[2] == ["m01", "c", "damaged"]
    assert "sample.json" in dock.job.text.text()
    assert "2 samples are damaged" in dock.job.text.text()
    assert "rois.parquet" in dock.samples.item(2, 0).toolTip()
    for row, name in ((1, "sample.json"), (2, "rois.parquet")):
        dock.samples.selectRow(row)
        dock.open_sample.click()
        wait_for_job(dock.job)
        assert name in dock.job.text.text()
    dock.samples.selectRow(0)
    dock.open_sample.click()
    wait_for_job(dock.job)
    assert [roi_set.sample_id for roi_set in session.roi_sets()] == [paths[0].name]
