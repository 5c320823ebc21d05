"""Whose fault an error is: the file's, the system's or our own."""

import errno
import logging

import h5py
import numpy as np
import pytest

from napari_mesmerize.errors import (
    ParameterError,
    ReadError,
    explain,
    is_raised_in,
    out_of_memory,
    reading,
)


@pytest.fixture
def damaged(tmp_path):
    """An HDF5 file that is none."""
    path = tmp_path / "a.h5"
    path.write_bytes(b"no HDF5" * 100)
    return path


def _read(path, action, **options):
    with reading(path, "HDF5", **options):
        action()


def test_what_a_library_raises_over_a_file_names_it(damaged):
    with pytest.raises(ReadError, match=r"a\.h5 can not be read as HDF5: .*Copy") as e:
        _read(damaged, lambda: h5py.File(damaged), remedy="Copy it again.")
    assert isinstance(e.value.__cause__, OSError)
    assert is_raised_in(e.value.__cause__)


def test_the_log_holds_the_traceback(damaged, caplog):
    caplog.set_level(logging.DEBUG, "napari_mesmerize")
    with pytest.raises(ReadError):
        _read(damaged, lambda: h5py.File(damaged))
    (record,) = caplog.records
    assert record.name == "napari_mesmerize.errors"
    assert "h5py" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("fault", [TypeError, AttributeError, AssertionError, KeyError])
def test_our_own_faults_come_out_as_they_are(tmp_path, fault):
    def fail(*_):
        raise fault("ours")

    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(3)
        with pytest.raises(fault, match="ours"):
            _read(path, fail)
        with pytest.raises(KeyError, match="missing"):
            _read(path, lambda: {}["missing"])
        with pytest.raises(ReadError, match="missing"):
            _read(path, lambda: file["missing"])


def test_a_full_memory_stays_one_and_says_what_to_do():
    def fill(error):
        raise error

    for error in (
        MemoryError("9 TiB"),
        OSError(errno.ENOMEM, "9 TiB"),
        ExceptionGroup("several", [ValueError(), MemoryError("9 TiB")]),
    ):
        with pytest.raises(MemoryError, match=r"while a\.h5 was read.*Close") as caught:
            _read("a.h5", lambda error=error: fill(error))
        assert "damaged" not in str(caught.value)
    known = out_of_memory("it was sorted", MemoryError())
    with pytest.raises(MemoryError) as caught:
        _read("a.h5", lambda: fill(known))
    assert caught.value is known


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOENT, errno.EMFILE])
def test_what_the_system_refuses_is_told_with_its_reason(number):
    def refuse():
        raise OSError(number, "whatever")

    with pytest.raises(ReadError, match=r"a\.h5 can not be read: ") as caught:
        _read("a.h5", refuse)
    assert "damaged" not in str(caught.value)


def test_an_interrupt_is_no_error_of_a_file():
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _read("a.h5", stop)


def test_users_are_told_whose_fault_it_is():
    assert explain(ParameterError("n=3; give 2.")) == "n=3; give 2."
    assert explain(MemoryError()).startswith("Memory ran out")
    assert explain(out_of_memory("x", MemoryError())).count("Memory ran out") == 1
    assert explain(FileNotFoundError(2, "No such file")) == "[Errno 2] No such file."
    text = explain(TypeError("bad"))
    assert text.startswith("TypeError: bad. This is a fault of napari-mesmerize")
