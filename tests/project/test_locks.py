"""One writer at a time; a dead writer's lock is taken over, a living one's never."""

import json
import os
import platform
import subprocess
import sys
import threading
import time

import pytest

from napari_mesmerize.errors import ProjectError
from napari_mesmerize.project import LockedError
from napari_mesmerize.project.locks import locked, read_holder

HOLD = """
import sys, pathlib
from napari_mesmerize.project.locks import locked
with locked(pathlib.Path(sys.argv[1]), "it"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".thing.lock"


@pytest.fixture
def holder(path):
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_a_lock_is_there_while_held_and_gone_after(path):
    with locked(path, "it"):
        assert read_holder(path)["pid"] == os.getpid()
    assert list(path.parent.iterdir()) == []


def test_the_message_names_who_holds_it(path, holder):
    with (
        pytest.raises(LockedError, match=f"process {holder.pid} of .* try again"),
        locked(path, "The thing"),
    ):
        pass
    assert issubclass(LockedError, ProjectError)


def test_the_same_program_may_not_hold_it_twice(path):
    with (
        locked(path, "it"),
        pytest.raises(LockedError, match="this program itself"),
        locked(path, "it"),
    ):
        pass


def test_waiting_for_a_lock(path):
    released = threading.Event()

    def hold():
        with locked(path, "it"):
            released.wait(5)
            time.sleep(0.1)

    thread = threading.Thread(target=hold)
    thread.start()
    while not path.exists():
        time.sleep(0.01)
    released.set()
    with locked(path, "it", wait_s=10):
        pass
    thread.join()


def test_a_killed_process_loses_its_lock(path, holder):
    holder.kill()
    holder.wait()
    assert path.exists()
    with locked(path, "it"):
        pass


def test_a_number_that_another_process_has_now_is_not_the_holder(path):
    holder = {"host": platform.node(), "pid": os.getpid(), "token": "x"}
    path.write_text(json.dumps({**holder, "process_started": 12.0}))
    with locked(path, "it"):
        pass


def test_another_computers_lock_is_never_broken(path):
    path.write_text(json.dumps({"host": "far", "pid": 1, "token": "x", "user": "eve"}))
    with (
        pytest.raises(LockedError, match=r"process 1 of eve on far.*delete the file"),
        locked(path, "it"),
    ):
        pass
    assert path.exists()


def test_an_unreadable_lock_holds_for_a_while_only(path):
    path.write_bytes(b"\xff{")
    with pytest.raises(LockedError, match="another process"), locked(path, "it"):
        pass
    os.utime(path, (time.time() - 60, time.time() - 60))
    with locked(path, "it"):
        pass


def test_without_hard_links_locks_are_exclusive_too(path, monkeypatch):
    def refuse(*args):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    with locked(path, "it"), pytest.raises(LockedError), locked(path, "it"):
        pass
    assert not path.exists()


def test_of_many_threads_one_at_a_time_breaks_a_stale_lock(path):
    stale = {"host": platform.node(), "pid": 2**22 + 5, "token": "x"}
    path.write_text(json.dumps(stale))
    inside, most = [], []

    def work():
        with locked(path, "it", wait_s=20):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.005)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


def test_a_sample_that_is_being_written_is_not_written_again(
    project, sample, make_parts, version_of
):
    lock = project.path / "samples" / ".m1-_-t1.lock"
    with locked(lock, "it"):
        with pytest.raises(LockedError, match="Sample m1-_-t1 is being written by"):
            project.add_sample("m1", "t1", **make_parts(1), overwrite=True)
        with pytest.raises(LockedError, match="is being written by"):
            project.update_rois("m1-_-t1", sample.rois)
        assert version_of(project.sample("m1-_-t1")) == 0
        project.add_sample("m1", "t2", **make_parts(2))
    project.add_sample("m1", "t1", **make_parts(1), overwrite=True)
    assert version_of(project.sample("m1-_-t1")) == 1
