import dataclasses
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from napari_mesmerize.cnmf import CnmfParams, extract_components
from napari_mesmerize.cnmf.cells import Cell
from napari_mesmerize.cnmf.patches import patch_job
from napari_mesmerize.cnmf.patches.finished import FinishedPatches
from napari_mesmerize.cnmf.patches.recipe import PatchResult
from napari_mesmerize.errors import Cancelled, WriteError
from napari_mesmerize.progress import reporting
from napari_mesmerize.simulation.simulate import simulate

PARAMS = CnmfParams(cell_diameter=9.2, decay_time_s=0.55, patch_size=40)


@pytest.fixture(scope="module")
def movie():
    return simulate("2p-small", seed=33, shape=(200, 80, 80), n_cells=16).recording


@pytest.fixture(scope="module")
def found(movie):
    return extract_components(movie, PARAMS)


@pytest.fixture
def counted(monkeypatch):
    """Patches that were worked on."""
    patches = []
    work = patch_job.Job.work

    def counting(job, patch, rows, step):
        patches.append(patch.core)
        return work(job, patch, rows, step)

    monkeypatch.setattr(patch_job.Job, "work", counting)
    return patches


def stop_after(steps):
    def stop(desc, done, total):
        if done == steps:
            raise Cancelled("stop")

    return reporting(stop)


def assert_same(one, two):
    assert (one.footprints != two.footprints).nnz == 0
    for kind, traces in one.traces.items():
        np.testing.assert_array_equal(traces, two.traces[kind])
    np.testing.assert_array_equal(one.accepted, two.accepted)
    assert list(one.scores["rejected_because"]) == list(two.scores["rejected_because"])
    np.testing.assert_array_equal(one.background.spatial, two.background.spatial)


def test_a_cancelled_run_goes_on_from_the_finished_patches(
    movie, found, counted, tmp_path
):
    folder = tmp_path / "work"
    with pytest.raises(Cancelled):
        extract_components(
            movie, PARAMS, resume_dir=folder, workers=1, progress=stop_after(26)
        )
    assert 0 < len(list(folder.glob("patch-*.npz"))) < 4
    assert not list(folder.glob("*.tmp"))
    n_before = len(counted)
    again = extract_components(movie, PARAMS, resume_dir=folder)
    assert len(counted) < n_before + 4
    assert not folder.exists()
    assert_same(again, found)


def test_finished_work_of_other_parameters_is_not_used(movie, counted, tmp_path):
    folder = tmp_path / "work"
    with pytest.raises(Cancelled):
        extract_components(
            movie, PARAMS, resume_dir=folder, workers=1, progress=stop_after(26)
        )
    counted.clear()
    other = PARAMS.model_copy(update={"merge_threshold": 0.7})
    extract_components(movie, other, resume_dir=folder)
    assert len(counted) == 4


def test_damaged_patches_are_done_again(movie, found, counted, tmp_path):
    folder = tmp_path / "work"
    with pytest.raises(Cancelled):
        extract_components(
            movie, PARAMS, resume_dir=folder, workers=1, progress=stop_after(26)
        )
    for path in folder.glob("patch-*.npz"):
        path.write_bytes(path.read_bytes()[:1000])
    counted.clear()
    again = extract_components(movie, PARAMS, resume_dir=folder)
    assert len(counted) == 4
    assert_same(again, found)


def test_folders_with_other_files_are_left_alone(movie, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(WriteError, match="holds other files"):
        extract_components(movie, PARAMS, resume_dir=tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    with pytest.raises(WriteError, match="does not exist; make it first"):
        extract_components(movie, PARAMS, resume_dir=tmp_path / "no" / "work")


def test_patches_come_back_as_they_were(movie, monkeypatch, tmp_path):
    results = []
    work = patch_job.Job.work

    def keeping(job, patch, rows, step):
        results.append(work(job, patch, rows, step))
        return results[-1]

    monkeypatch.setattr(patch_job.Job, "work", keeping)
    extract_components(movie[:, :48, :48], PARAMS.model_copy(update={"patch_size": 0}))
    store = FinishedPatches(tmp_path / "work", "key")
    store.save(3, results[0])
    back = store.load(3)
    assert isinstance(back, PatchResult)
    assert len(back.cells) == len(results[0].cells) > 0
    for old, new in zip(results[0].cells, back.cells, strict=True):
        for item in dataclasses.fields(Cell):
            a, b = getattr(old, item.name), getattr(new, item.name)
            if item.name == "view":
                np.testing.assert_array_equal(a.image, b.image)
            else:
                np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(back.background.modes, results[0].background.modes)
    assert store.load(4) is None


SCRIPT = """
import sys
from napari_mesmerize.cnmf import CnmfParams, extract_components
from napari_mesmerize.simulation.simulate import simulate
movie = simulate("2p-small", seed=33, shape=(200, 80, 80), n_cells=16).recording
params = CnmfParams(cell_diameter=9.2, decay_time_s=0.55, patch_size=40)
extract_components(movie, params, workers=1, resume_dir=sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills a process")
def test_a_killed_run_goes_on(movie, found, counted, tmp_path):
    folder = tmp_path / "work"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)])
    try:
        for _ in range(3000):
            if process.poll() is not None or list(folder.glob("patch-*.npz")):
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    finally:
        process.wait(timeout=60)
    n_finished = len(list(folder.glob("patch-*.npz")))
    assert n_finished > 0
    assert_same(extract_components(movie, PARAMS, resume_dir=folder), found)
    assert len(counted) == 4 - n_finished
