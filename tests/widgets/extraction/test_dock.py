import numpy as np
import pytest

from napari_mesmerize.cnmf import Cnmf3dParams, CnmfParams
from napari_mesmerize.data.pictures import drawn_areas
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.widgets.extraction.dock import PRESETS, CnmfDock
from napari_mesmerize.workspace import compute


def extracted(components):
    table = roi_table_from_components(components)
    return compute.Extracted(components, table, drawn_areas(components))


@pytest.fixture
def dock(viewer, qtbot):
    made = CnmfDock(viewer)
    qtbot.addWidget(made)
    return made


def test_it_says_what_to_do(session, dock, recording):
    assert "Start here" in dock.hint.text()
    recording.attrs["frame_rate"] = None
    session.show_recording(recording)
    assert "frame rate" in dock.hint.text()
    dock.chooser.rate.setValue(10)
    assert "Run" in dock.hint.text()


def test_volumes_choose_the_method_for_volumes(session, dock, recording, viewer):
    session.show_recording(recording)
    assert isinstance(dock.form.value(), CnmfParams)
    volumes = as_recording(np.zeros((9, 3, 8, 8), np.float32), frame_rate=5.0)
    layer = session.show_recording(volumes)
    dock.chooser.choose(layer)
    assert isinstance(dock.form.value(), Cnmf3dParams)


def test_indicators_set_the_time_constants(dock):
    dock.form.preset.setCurrentText("GCaMP6s")
    dock.form.preset.activated.emit(dock.form.preset.currentIndex())
    params = dock.form.value()
    assert params.decay_time_s == PRESETS["GCaMP6s"]["decay_time_s"]


def test_a_run_gives_one_roi_layer_with_the_scores_as_features(
    viewer, session, dock, small_2p, wait_for_job
):
    session.show_recording(small_2p.recording, name="movie")
    dock.run.click()
    wait_for_job(dock.job, 180)
    roi_set = session.roi_set
    assert 5 <= int(roi_set.table["accepted"].sum()) <= 25
    assert viewer.layers.selection.active is not None
    layer = session.roi_layer.layer
    assert layer.data.max() <= len(roi_set)
    assert "snr" in layer.features
    assert {"raw", "denoised", "dff", "spikes"} <= set(roi_set.trace_kinds)
    assert roi_set.components.history[-1]["operation"] == "extract_components"
    assert "accepted" in dock.summary.text()
    assert roi_set.unsaved


def test_open_rois_can_seed(session, dock, components, recording, monkeypatch, qtbot):
    from napari_mesmerize.workspace.roi_set import RoiSet

    seen = {}

    def extract(recording, params, *, seeds=None, progress):
        seen["seeds"] = seeds
        return extracted(components)

    monkeypatch.setattr(compute, "extract", extract)
    session.show_recording(recording)
    session.show_rois(RoiSet(components, recording=recording, name="drawn"))
    dock.seeded.setChecked(True)
    dock.run.click()
    qtbot.waitUntil(lambda: not dock.job.running, timeout=5000)
    assert seen["seeds"] is components


def test_a_new_run_leaves_curated_rois_alone(
    viewer, session, dock, components, recording, monkeypatch, qtbot
):
    monkeypatch.setattr(
        compute, "extract", lambda *a, progress, **k: extracted(components)
    )
    session.show_recording(recording, name="movie")

    def run():
        dock.run.click()
        qtbot.waitUntil(lambda: not dock.job.running, timeout=5000)
        return session.roi_set

    first = run()
    assert run() is not first
    assert len(session.roi_sets()) == 1, "nothing was lost: replaced in place"
    curated = session.roi_set
    curated.add_tag_column("region")
    curated.set_tag("region", "anterior", [0])
    again = run()
    assert again.name == "ROIs of movie (2)"
    assert "stay in the layer 'ROIs of movie'" in dock.summary.text()
    assert curated in session.roi_sets()
    assert curated.table["region"].iat[0] == "anterior"
    curated.mark_saved()
    assert run().name == "ROIs of movie"
    assert curated not in session.roi_sets()


def test_zero_components_are_a_result_with_advice(
    viewer, session, dock, components, recording, monkeypatch, qtbot
):
    none = components.select([])
    none.scores.attrs["advice"] = "Lower min SNR from 2.5 to 2.1."
    monkeypatch.setattr(compute, "extract", lambda *a, progress, **k: extracted(none))
    session.show_recording(recording)
    dock.run.click()
    qtbot.waitUntil(lambda: not dock.job.running, timeout=5000)
    assert "Lower min SNR" in dock.summary.text()
    assert session.roi_set is None


def test_a_preview_never_counts_as_unsaved_work(
    viewer, session, dock, components, recording, monkeypatch, qtbot
):
    taken = []

    def extract(recording, params, *, seeds=None, progress):
        taken.append(recording.sizes["frame"])
        return extracted(components)

    monkeypatch.setattr(compute, "extract", extract)
    session.show_recording(recording)
    dock.preview_frames.setMinimum(1)
    dock.preview_frames.setValue(20)
    dock.preview.click()
    qtbot.waitUntil(lambda: not dock.job.running, timeout=5000)
    assert taken == [20]
    assert session.roi_set.name.endswith("(preview)")
    assert not session.roi_set.unsaved
