"""Tests that leave something behind fail and are told what; others pass."""

import mmap
import threading

import h5py
import leaks
import numpy as np
import pytest


@pytest.fixture
def before():
    return leaks.Before()


def test_nothing_new_is_nothing_left(before):
    assert before.new() == []


def test_an_open_file_is_named(before, tmp_path):
    path = tmp_path / "movie.raw"
    with path.open("wb"):
        (line,) = before.new()
        assert line.startswith(f"open file {path} (descriptor ")
    assert before.new() == []


def test_a_memory_map_is_an_open_file(before, tmp_path):
    path = tmp_path / "movie.raw"
    np.arange(10).tofile(path)
    mapped = np.memmap(path, int)
    assert str(path) in before.new()[0]
    del mapped
    with path.open("r+b") as file:
        bare = mmap.mmap(file.fileno(), 0)
    assert str(path) in before.new()[0]
    bare.close()
    assert before.new() == []


def test_a_file_that_was_deleted_is_still_open(before, tmp_path):
    path = tmp_path / "movie.raw"
    with path.open("wb"):
        path.unlink()
        assert str(path) in before.new()[0]


def test_an_hdf5_file_is_named_also_in_memory(before):
    with h5py.File("only in memory.h5", "w", driver="core", backing_store=False):
        assert before.new() == ["open HDF5 file only in memory.h5"]
    assert before.new() == []


def test_a_thread_is_named(before, monkeypatch):
    monkeypatch.setattr(leaks, "_PATIENCE_S", 0.01)
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="sampler", daemon=True)
    thread.start()
    assert before.new() == ["running thread 'sampler' (Event.wait)"]
    end.set()
    thread.join()
    assert before.new() == []


def test_a_thread_may_take_a_moment_to_end(before):
    threading.Timer(0.2, print).start()
    assert before.new() == []


def test_what_only_a_circle_holds_is_not_left(before, tmp_path):
    class Holder:
        pass

    holder = Holder()
    holder.file = (tmp_path / "a").open("w")
    holder.itself = holder
    del holder
    with pytest.warns(ResourceWarning):  # Python closes it and says so
        assert before.new() == []


def test_a_widget_is_named(qapp, before):
    from qtpy.QtWidgets import QLabel, QWidget

    widget = QWidget()
    widget.setObjectName("forgotten")
    QLabel("of a parent", widget)
    assert before.new() == ["living widget PyQt6.QtWidgets.QWidget 'forgotten'"]
    widget.deleteLater()
    assert before.new() == []


LEAKY = """

def test_file(tmp_path):
    global file
    file = open(tmp_path / "a.raw", "w")

def test_failed(tmp_path):
    global other
    other = open(tmp_path / "b.raw", "w")
    assert False

def test_clean():
    pass
"""


def test_a_leak_makes_the_test_fail_and_only_that_one(pytester):
    pytester.makepyfile(LEAKY)
    result = pytester.runpytest_inprocess("-p", "leaks", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_file*",
            "The test leaves behind:*",
            "open file*a.raw*",
        ]
    )
    result.stdout.no_fnmatch_line("*b.raw (descr*")
