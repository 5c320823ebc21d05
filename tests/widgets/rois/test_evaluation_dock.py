import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from napari_mesmerize.cnmf import CnmfParams, extract_components
from napari_mesmerize.cnmf.judge.acceptance import (
    Thresholds,
    evaluate,
    thresholds_of_run,
)
from napari_mesmerize.data.components import Components
from napari_mesmerize.widgets.rois.evaluation_dock import EvaluationDock
from napari_mesmerize.workspace.roi_set import RoiSet

PARAMS = CnmfParams(cell_diameter=9.0, min_snr=10.0)  # the weaker ones are rejected


@pytest.fixture(scope="module")
def found(small_2p):
    return extract_components(small_2p.recording, PARAMS)


@pytest.fixture
def dock(viewer, qtbot):
    made = EvaluationDock(viewer)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def open_rois(session, found, small_2p, dock):
    roi_set = RoiSet(found, recording=small_2p.recording, name="cells")
    session.show_rois(roi_set)
    return roi_set


def move(dock, **thresholds):
    for name, value in thresholds.items():
        dock.editors[name].set_value(value)
    dock.show_now()


def test_it_says_what_to_do(session, dock, components, recording):
    assert "extract components" in dock.hint.text()
    assert not dock.apply.isEnabled()
    bare = Components.build(
        components.footprints, components.image_shape, components.traces
    )
    session.show_rois(RoiSet(bare, recording=recording))
    assert "no scores" in dock.hint.text()
    assert not dock.apply.isEnabled()


def test_it_starts_at_the_thresholds_of_the_run(dock, open_rois, found):
    np.testing.assert_array_equal(dock.proposed, found.accepted)
    assert dock.thresholds().min_snr == PARAMS.min_snr
    assert dock.overlay.layer is None
    assert f"{int(found.accepted.sum())} accepted" in dock.count.text()


def test_moving_a_threshold_shows_and_applying_writes(viewer, dock, open_rois, found):
    table = open_rois.table.copy()
    snr = found.scores["snr"].to_numpy()
    limit = float(np.median(snr[found.accepted]))
    move(dock, min_snr=limit)
    expected = evaluate(found, dock.thresholds())
    assert 0 < expected.accepted.sum() < found.accepted.sum()
    np.testing.assert_array_equal(dock.proposed, expected.accepted)
    assert dock.overlay.layer.visible
    assert "newly rejected" in dock.count.text()
    pd.testing.assert_frame_equal(open_rois.table, table)

    dock.apply.click()
    assert not dock.overlay.layer.visible
    np.testing.assert_array_equal(open_rois.table["accepted"], expected.accepted)
    assert open_rois.table["rejected_because"].tolist() == (
        expected.scores["rejected_because"].tolist()
    )
    curated = open_rois.curated_components()
    assert curated.history[-1]["operation"] == "evaluate"
    assert curated.traces["raw"] is found.traces["raw"]
    assert thresholds_of_run(curated.history).min_snr == dock.thresholds().min_snr

    dock.undo.click()
    pd.testing.assert_frame_equal(open_rois.table, table, check_dtype=False)
    assert open_rois.components.history == found.history


def test_reset_returns_to_the_extraction(dock, open_rois, found):
    move(dock, min_snr=15.0, max_size_factor=0.0)
    assert dock.thresholds().max_size_factor == 0
    dock.reset.click()
    np.testing.assert_array_equal(dock.proposed, found.accepted)
    assert not dock.apply.isEnabled()


def test_what_was_decided_by_hand_stays_unless_asked(dock, open_rois, found):
    kept = int(np.flatnonzero(~found.accepted)[0])
    gone = int(found.scores["snr"].argmax())
    open_rois.set_accepted(True, [kept])
    open_rois.set_accepted(False, [gone])
    assert "2 by hand" in dock.count.text()
    move(dock, min_snr=PARAMS.min_snr + 0.5)
    assert dock.proposed[kept]
    assert not dock.proposed[gone]
    dock.by_hand.setChecked(False)
    dock.show_now()
    assert not dock.proposed[kept]
    assert dock.proposed[gone]


def test_the_selected_roi_says_why(dock, open_rois, found):
    open_rois.select(int(np.flatnonzero(~found.accepted)[0]))
    assert "below" in dock.selected.text()
    open_rois.select(int(np.flatnonzero(found.accepted)[0]))
    assert "accepted" in dock.selected.text()


def test_nothing_accepted_is_a_result_with_advice(dock, open_rois):
    move(dock, min_snr=1000.0)
    assert "<b>0 accepted</b>" in dock.count.text()
    assert "best candidate" in dock.count.text()
    dock.apply.click()
    assert not open_rois.table["accepted"].any()


def test_no_rois_at_all(session, dock, found):
    session.show_rois(RoiSet(found.select([]), name="none"))
    assert not dock.apply.isEnabled()


def test_a_closed_dock_leaves_no_picture_behind(viewer, session, qtbot, found):
    session.show_rois(RoiSet(found, name="cells"))
    dock = EvaluationDock(viewer)
    move(dock, min_snr=15.0)
    layer = dock.overlay.layer
    assert layer.visible
    dock.deleteLater()
    qtbot.waitUntil(lambda: not layer.visible, timeout=2000)


def test_two_thousand_rois_follow_the_slider(session, dock):
    rng = np.random.default_rng(0)
    n, size = 2000, 512
    y, x = rng.integers(6, size - 6, (2, n))
    oy, ox = np.mgrid[-4:5, -4:5].reshape(2, -1)
    pixels = np.sort((y[:, None] + oy) * size + x[:, None] + ox, axis=1)
    indptr = np.arange(0, pixels.size + 1, pixels.shape[1])
    footprints = sparse.csc_array(
        (np.ones(pixels.size, np.float32), pixels.ravel(), indptr), (size * size, n)
    )
    scores = pd.DataFrame(
        {
            "snr": rng.gamma(3, 2, n),
            "shape": rng.beta(5, 2, n),
            "shape_corrected": rng.beta(6, 1.5, n),
            "relative_area": rng.lognormal(0, 0.4, n),
            "energy": rng.gamma(3, 10, n),
        }
    )
    many = evaluate(
        Components.build(footprints, (size, size), {}, scores=scores), Thresholds()
    )
    session.show_rois(RoiSet(many, name="many"))
    move(dock, min_snr=3.0)
    seconds = []
    for limit in (3.5, 4.0, 4.5, 5.0, 5.5):
        start = time.perf_counter()
        move(dock, min_snr=limit)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.1


def test_what_another_program_decided_stays_until_a_threshold_is_moved(
    viewer, session, components, qtbot
):
    history = [{"operation": "read_results"}]
    scores = components.scores.rename(columns={"shape": "other"}, errors="ignore")
    imported = replace(components, history=history, scores=scores[["snr"]])
    roi_set = RoiSet(imported, name="suite2p")
    session.show_rois(roi_set)
    dock = EvaluationDock(viewer)
    qtbot.addWidget(dock)
    assert list(dock.proposed) == [True, True, True, False]
    assert dock.overlay.layer is None
    assert not dock.apply.isEnabled()
    dock.editors["min_snr"].set_value(3.0)
    dock.show_now()
    assert list(dock.proposed) == [True, True, False, False]
    dock.editors["min_snr"].set_value(99.0)
    dock.show_now()
    assert "0 accepted" in dock.count.text()
    dock.reset.click()
    assert list(dock.proposed) == [True, True, True, False]
