import time

import numpy as np
import pytest

from napari_mesmerize.cnmf.search.candidates import Candidates
from napari_mesmerize.cnmf.search.correlation_image import (
    CorrelationPnr,
    correlation_pnr,
    find_seeds,
)
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.widgets.extraction.dock import CnmfDock
from napari_mesmerize.widgets.extraction.inspect_dock import InspectDock


@pytest.fixture
def dock(viewer, qtbot):
    made = InspectDock(viewer)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def computed(session, dock, small_1p, wait_for_job):
    session.show_recording(small_1p.recording, name="movie")
    dock.diameter.setValue(12)
    dock.compute.click()
    wait_for_job(dock.job)
    return dock


def test_it_says_what_to_do(session, dock, recording):
    assert "Start here" in dock.hint.text()
    assert not dock.compute.isEnabled()
    session.show_recording(recording)
    assert "Compute images" in dock.hint.text()
    assert dock.compute.isEnabled()
    assert (dock.first.value(), dock.last.value()) == (0, 39)


def test_images_and_seeds_are_those_of_the_engine(viewer, computed, small_1p):
    images = correlation_pnr(small_1p.recording, 12.0, max_frames=1000)
    np.testing.assert_allclose(
        viewer.layers["correlation of movie"].data, images.correlation
    )
    np.testing.assert_allclose(viewer.layers["PNR of movie"].data, images.pnr)
    computed.min_corr.setValue(0.85)
    computed.min_pnr.setValue(7.0)
    computed.show_now()
    expected = find_seeds(images, min_corr=0.85, min_pnr=7.0, min_distance=6.0)
    seeds = viewer.layers["seeds of movie"]
    np.testing.assert_array_equal(seeds.data, expected)
    assert len(expected)
    assert f"{len(expected)} seeds" in computed.count.text()
    movie = viewer.layers["movie"]
    np.testing.assert_allclose(seeds.scale, movie.scale[-2:])
    best = small_1p.truth.centroids - expected[0]
    assert np.hypot(*best.T).min() < 6


def test_no_seed_is_a_result_with_advice(computed, viewer):
    computed.min_pnr.setValue(computed.min_pnr.maximum())
    computed.min_corr.setValue(1.0)
    computed.show_now()
    assert "<b>0 seeds</b>" in computed.count.text()
    assert "Lower min corr" in computed.count.text()
    assert len(viewer.layers["seeds of movie"].data) == 0


def test_lines_of_the_plot_move_the_sliders(computed):
    line = computed.plot.lines[0]
    line.setValue(0.9)
    line.sigDragged.emit(line)
    assert computed.min_corr.value() == pytest.approx(0.9)


def test_what_lies_under_the_rings_can_be_chosen(viewer, computed):
    correlation, pnr = (viewer.layers[f"{n} of movie"] for n in ("correlation", "PNR"))
    assert (correlation.visible, pnr.visible) == (True, False)
    computed.shown.setCurrentText("PNR")
    assert (correlation.visible, pnr.visible) == (False, True)
    computed.shown.setCurrentText("recording")
    assert (correlation.visible, pnr.visible) == (False, False)


def test_computing_again_reuses_the_layers(viewer, computed, wait_for_job):
    computed.diameter.setValue(9)
    computed.show_now()
    assert "compute anew" in computed.count.text()
    computed.first.setValue(100)
    computed.last.setValue(199)
    computed.compute.click()
    wait_for_job(computed.job)
    assert len(viewer.layers) == 4
    assert "compute anew" not in computed.count.text()
    assert computed.found.cell_diameter == 9


def test_cnmf_takes_diameter_and_thresholds(viewer, computed, qtbot):
    cnmf = CnmfDock(viewer)
    qtbot.addWidget(cnmf)
    computed.min_corr.setValue(0.8)
    computed.hand_over.click()
    params = cnmf.form.value()
    assert (params.cell_diameter, params.min_corr) == (12.0, 0.8)
    assert params.method_init == "events"
    assert "has them" in computed.job.text.text()
    computed.as_seeds.setChecked(True)
    computed.hand_over.click()
    assert cnmf.form.value().method_init == "corr_pnr"


def test_a_cnmf_dock_that_opens_later_takes_them_too(viewer, computed, qtbot):
    computed.hand_over.click()
    assert "when it opens" in computed.job.text.text()
    cnmf = CnmfDock(viewer)
    qtbot.addWidget(cnmf)
    assert cnmf.form.value().cell_diameter == 12.0


def test_the_diameter_can_be_measured(session, dock, small_2p, wait_for_job):
    session.show_recording(small_2p.recording)
    dock.estimate.click()
    wait_for_job(dock.job)
    assert 5 < dock.diameter.value() < 14


def test_volumes_work_too(viewer, session, dock, small_3d, wait_for_job):
    session.show_recording(small_3d.recording, name="volume")
    dock.compute.click()
    wait_for_job(dock.job)
    assert viewer.layers["seeds of volume"].ndim == 3
    assert viewer.layers["PNR of volume"].data.ndim == 3


def test_a_still_recording_gives_advice(session, dock, wait_for_job):
    still = as_recording(np.full((40, 20, 30), 7.0, np.float32), frame_rate=10.0)
    session.show_recording(still)
    dock.diameter.setValue(6)
    dock.compute.click()
    wait_for_job(dock.job)
    assert "<b>0 seeds</b>" in dock.count.text()
    assert "images are empty" in dock.count.text()


def test_cancel_changes_nothing(viewer, session, dock, small_1p, wait_for_job):
    session.show_recording(small_1p.recording, name="movie")
    dock.compute.click()
    dock.job.cancel_button.click()
    wait_for_job(dock.job)
    assert len(viewer.layers) == 1
    assert dock.found is None


def test_a_large_field_follows_the_sliders(viewer, session, dock):
    rng = np.random.default_rng(0)
    images = CorrelationPnr(*rng.random((2, 512, 512)).astype(np.float32))
    positions = rng.integers(0, 512, (4000, 2))
    found = Candidates(
        images, positions, rng.random(4000, np.float32), 20 * rng.random(4000), 10.0
    )
    recording = as_recording(np.zeros((3, 512, 512), np.uint8), frame_rate=10.0)
    dock._on_found(session.show_recording(recording, name="large"), found)
    seconds = []
    for limit in (2.0, 3.0, 4.0, 5.0, 6.0):
        dock.min_pnr.setValue(limit)
        start = time.perf_counter()
        dock.show_now()
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.1
