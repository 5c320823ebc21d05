"""Streaming to disk: resumed after a kill, cancelled, full disks."""

import errno
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_mesmerize import atomic
from napari_mesmerize.compute.resume import UnfinishedWork
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.errors import Cancelled, WriteError
from napari_mesmerize.io import read_recording
from napari_mesmerize.motion import (
    PiecewiseParams,
    RigidParams,
    apply_motion,
    correct_motion,
)
from napari_mesmerize.motion import store as store_module
from napari_mesmerize.progress import reporting

BOTH = [RigidParams(), PiecewiseParams()]


def cancel_at(desc_wanted, at):
    def callback(desc, done, total):
        if desc.startswith(desc_wanted) and done >= at:
            raise Cancelled("stop")

    return reporting(callback)


def counter(calls):
    return reporting(lambda desc, done, total: calls.append((desc, done)))


@pytest.mark.parametrize("params", BOTH)
def test_stored_frames_equal_the_lazy_ones(rigid_2p, params, tmp_path):
    recording = rigid_2p.recording[:150]
    lazy = correct_motion(recording, params).recording
    stored = correct_motion(
        recording, params, out=tmp_path / "out.zarr", batch_size=64
    ).recording
    np.testing.assert_array_equal(stored.to_numpy(), lazy.to_numpy())
    np.testing.assert_array_equal(stored[7:90:3, 5:9].to_numpy(), lazy[7:90:3, 5:9])
    assert stored.attrs["frame_rate"] == recording.attrs["frame_rate"]
    assert [path.name for path in tmp_path.iterdir()] == ["out.zarr"]


def test_what_is_stored_is_read_with_its_times_and_history(rigid_2p, tmp_path):
    times = np.cumsum(np.random.default_rng(0).uniform(0.0666, 0.0667, 60))
    recording = as_recording(rigid_2p.recording[:60], time_s=times)
    result = correct_motion(recording, out=tmp_path / "red.zarr")
    green = apply_motion(recording, result, out=tmp_path / "green.zarr")
    for name, shown in (("red", result.recording), ("green", green)):
        stored = read_recording(tmp_path / f"{name}.zarr")
        for each in (shown, stored):
            np.testing.assert_array_equal(each.coords["time_s"], times)
        steps = [step["operation"] for step in stored.attrs["history"]]
        assert steps[:-1] == [step["operation"] for step in shown.attrs["history"]]
        assert steps[-2] == ("correct_motion" if name == "red" else "apply_motion")
        np.testing.assert_array_equal(stored.to_numpy(), shown.to_numpy())
    plain = correct_motion(rigid_2p.recording[:60], out=tmp_path / "plain.zarr")
    assert "time_s" not in plain.recording.coords
    assert "time_s" not in read_recording(tmp_path / "plain.zarr").coords


def test_existing_output_is_kept_unless_asked(rigid_2p, tmp_path):
    out = tmp_path / "out.zarr"
    correct_motion(rigid_2p.recording[:40], out=out)
    with pytest.raises(WriteError, match="exists already"):
        correct_motion(rigid_2p.recording[:50], out=out)
    result = correct_motion(rigid_2p.recording[:50], out=out, overwrite=True)
    assert result.recording.shape == (50, 96, 96)
    assert [path.name for path in tmp_path.iterdir()] == ["out.zarr"]


@pytest.mark.parametrize("params", BOTH)
@pytest.mark.parametrize("desc", ["Estimating", "Writing"])
def test_a_cancelled_run_is_resumed(rigid_2p, params, desc, tmp_path):
    recording, out = rigid_2p.recording, tmp_path / "out.zarr"
    whole = correct_motion(recording, params)
    with pytest.raises(Cancelled):
        correct_motion(
            recording, params, out=out, batch_size=64, progress=cancel_at(desc, 2)
        )
    assert not out.exists()
    calls = []
    again = correct_motion(
        recording, params, out=out, batch_size=128, progress=counter(calls)
    )
    np.testing.assert_array_equal(again.shifts, whole.shifts)
    np.testing.assert_array_equal(
        again.recording.to_numpy(), whole.recording.to_numpy()
    )
    estimated = max(done for name, done in calls if name.startswith("Estimating"))
    assert estimated == (2 if desc == "Estimating" else 0)


def test_a_cancelled_run_without_output_leaves_nothing(rigid_2p, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Cancelled):
        correct_motion(rigid_2p.recording, progress=cancel_at("Estimating", 1))
    assert not list(tmp_path.iterdir())


def test_unfinished_work_with_other_parameters_is_not_resumed(rigid_2p, tmp_path):
    recording, out = rigid_2p.recording[:150], tmp_path / "out.zarr"
    with pytest.raises(Cancelled):
        correct_motion(
            recording, RigidParams(border="nan"), out=out, progress=cancel_at("Wri", 1)
        )
    result = correct_motion(recording, out=out)
    np.testing.assert_array_equal(
        result.recording.to_numpy(), correct_motion(recording).recording.to_numpy()
    )


def test_a_disk_that_is_too_small_is_told_before(rigid_2p, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(store_module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(WriteError, match=r"has 0.00 GB free"):
        correct_motion(rigid_2p.recording[:40], out=tmp_path / "out.zarr")


def test_a_disk_that_fills_up_leaves_work_to_resume(rigid_2p, tmp_path, monkeypatch):
    recording, out = rigid_2p.recording, tmp_path / "out.zarr"
    original = UnfinishedWork.note

    def fill_up(self, *, n_written):
        if n_written > 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(self, n_written=n_written)

    with monkeypatch.context() as patch:
        patch.setattr(UnfinishedWork, "note", fill_up)
        with pytest.raises(WriteError, match="the disk is full"):
            correct_motion(recording, out=out, batch_size=64)
    assert not out.exists()
    resumed = correct_motion(recording, out=out).recording.to_numpy()
    np.testing.assert_array_equal(
        resumed, correct_motion(recording).recording.to_numpy()
    )


def test_a_result_that_can_not_get_its_place_is_kept(rigid_2p, tmp_path, monkeypatch):
    recording, out = rigid_2p.recording[:60], tmp_path / "out.zarr"
    before = correct_motion(recording[:40], out=out).recording.to_numpy()

    def refuse(source, target, **_):
        raise PermissionError(errno.EACCES, "used by another program")

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_rename_at_once", refuse)
        with pytest.raises(WriteError, match=r"used by another program.*go on from"):
            correct_motion(recording, out=out, overwrite=True)
    np.testing.assert_array_equal(read_recording(out).to_numpy(), before)
    calls = []
    result = correct_motion(recording, out=out, overwrite=True, progress=counter(calls))
    again = {name for name, done in calls if done and name.startswith(("Est", "Wri"))}
    assert not again, "nothing is computed again"
    np.testing.assert_array_equal(
        result.recording.to_numpy(), correct_motion(recording).recording.to_numpy()
    )
    assert [path.name for path in tmp_path.iterdir()] == ["out.zarr"]
    assert {path.name for path in out.iterdir()} == {"frames", "motion", "zarr.json"}


def test_a_folder_that_can_not_be_written(rigid_2p, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(WriteError, match="failed"):
        correct_motion(rigid_2p.recording[:40], out=tmp_path / "file" / "out.zarr")


_SCRIPT = """
import sys, numpy as np
from napari_mesmerize.motion import PiecewiseParams, correct_motion
from napari_mesmerize.progress import reporting
from napari_mesmerize import atomic
from napari_mesmerize.compute.resume import UnfinishedWork
from napari_mesmerize.data.recording import as_recording
recording = as_recording(np.load(sys.argv[1], mmap_mode="r"))
tell = reporting(lambda desc, done, total: print(desc, done, flush=True))
correct_motion(
    recording, PiecewiseParams(), out=sys.argv[2], batch_size=32, progress=tell
)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_killed_run_is_resumed(rigid_2p, tmp_path, seed):
    movie, out = tmp_path / "movie.npy", tmp_path / "out.zarr"
    np.save(movie, rigid_2p.recording[:224].to_numpy())
    command = [sys.executable, "-c", _SCRIPT, str(movie), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        wanted = ("Estimating motion 3", "Writing corrected frames 3")[seed]
        for line in process.stdout:
            if line.startswith(wanted):
                time.sleep(0.01)
                process.kill()
                break
    assert Path(f"{out}.partial").exists()
    recording = as_recording(np.load(movie, mmap_mode="r"))
    resumed = correct_motion(recording, PiecewiseParams(), out=out, batch_size=32)
    whole = correct_motion(recording, PiecewiseParams())
    # another process may have compiled the loops with other roundings
    np.testing.assert_allclose(resumed.shifts, whole.shifts, atol=1e-4)
    np.testing.assert_allclose(
        resumed.recording.to_numpy(), whole.recording.to_numpy(), atol=0.2
    )
