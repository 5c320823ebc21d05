"""NumPy files of objects are read, but nothing in them is run."""

import datetime
import os
import pathlib
import pickle

import numpy as np
import pytest

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.npy_objects import load_array, load_objects


def save(path, value):
    np.save(path, np.array(value, dtype=object), allow_pickle=True)
    return path


class Runs:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch /tmp/never_made_by_a_test",)


PLAIN = {
    "numbers": np.arange(6.0).reshape(2, 3),
    "one": np.float32(3.5),
    "text": "µm",
    "nested": {"a": [1, (2, None)], "b": np.array(["x", "y"])},
    "when": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
    "mask": np.array([True, False]),
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_data_comes_back_whatever_the_protocol(tmp_path, protocol):
    path = save(tmp_path / "plain.npy", PLAIN)
    header = path.read_bytes().split(b"\n", 1)[0] + b"\n"
    path.write_bytes(header + pickle.dumps(np.array(PLAIN, object), protocol))
    found = load_objects(path)
    np.testing.assert_equal(found, PLAIN)


@pytest.mark.parametrize("module", [b"numpy.core.", b"numpy._core."])
def test_both_spellings_of_numpys_modules_are_known(tmp_path, module):
    path = tmp_path / "a.npy"
    header = save(path, [1]).read_bytes().split(b"\n", 1)[0] + b"\n"
    content = pickle.dumps(np.array([np.arange(3), np.arange(2)], object), 2)
    for spelling in (b"numpy.core.", b"numpy._core."):
        content = content.replace(b"c" + spelling, b"c" + module)
    path.write_bytes(header.replace(b"(1,)", b"(2,)") + content)
    assert [len(a) for a in load_objects(path)] == [3, 2]


@pytest.mark.parametrize("name", ["WindowsPath", "PosixPath"])
def test_paths_of_another_system_are_kept_as_paths(tmp_path, name):
    pure = "PureWindowsPath" if name == "WindowsPath" else "PurePosixPath"
    path = tmp_path / "a.npy"
    header = save(path, {}).read_bytes().split(b"\n", 1)[0] + b"\n"
    content = f"cpathlib\n{name}\n(S'data'\nS'x.tif'\ntR.".encode()
    path.write_bytes(header + content)
    assert load_objects(path) == getattr(pathlib, pure)("data", "x.tif")


@pytest.mark.parametrize(
    "value",
    [Runs(), {"deep": [Runs()]}, pathlib.Path.cwd, eval, np.load, np.memmap],
)
def test_what_is_no_plain_data_is_refused_and_not_run(tmp_path, value):
    path = save(tmp_path / "bad.npy", {"x": value})
    with pytest.raises(ReadError, match=r"bad\.npy.*which is no plain data"):
        load_objects(path)
    assert not os.path.exists("/tmp/never_made_by_a_test")


def test_a_header_that_claims_too_much_does_not_allocate(tmp_path):
    path = tmp_path / "f.npy"
    np.save(path, np.zeros((2, 3), np.float32))
    path.write_bytes(path.read_bytes().replace(b"(2, 3), ", b"(9999999999, 3), ", 1))
    with pytest.raises(ReadError):
        load_array(path)
    np.save(path, np.zeros((200, 300), np.float32))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ReadError, match=r"cut off: .* Copy it again"):
        load_array(path)


def test_a_header_that_does_not_end_is_a_read_error(tmp_path):
    path = tmp_path / "f.npy"
    np.save(path, np.zeros((2, 3), np.float32))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"), }", b", {( ", 1))
    with pytest.raises(ReadError, match=r"f\.npy can not be read"):
        load_array(path)


@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_come_back_exactly(tmp_path, order):
    values = np.asarray(np.random.default_rng(0).random((3, 4)), order=order)
    np.save(tmp_path / "a.npy", values)
    np.testing.assert_array_equal(load_array(tmp_path / "a.npy"), values)
    np.testing.assert_array_equal(load_objects(tmp_path / "a.npy"), values)
    np.save(tmp_path / "b.npy", np.zeros((0, 5), np.float32))
    assert load_array(tmp_path / "b.npy").shape == (0, 5)


def test_a_missing_file_and_objects_where_numbers_are_expected(tmp_path):
    with pytest.raises(ReadError, match="is missing"):
        load_array(tmp_path / "a.npy")
    with pytest.raises(ReadError, match="holds Python objects, expected numbers"):
        load_array(save(tmp_path / "a.npy", {}))
