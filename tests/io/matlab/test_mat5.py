"""MATLAB v5 files: the same values as SciPy writes, mapped and bounded."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.io import savemat

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.matlab.mat5 import MatFile

NUMBERS = ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mat5")


def save(path, content, **options):
    savemat(path, content, appendmat=False, format="5", **options)
    return MatFile(path)


@given(
    array=st.sampled_from(NUMBERS).flatmap(
        lambda dtype: hnp.arrays(dtype, st.tuples(*[st.integers(0, 5)] * 2))
    ),
    compress=st.booleans(),
)
def test_numbers_are_those_that_scipy_wrote(array, compress, folder):
    mat = save(folder / "n.mat", {"a": array}, do_compression=compress)
    assert mat.variables["a"].shape == array.shape
    assert mat.variables["a"].dtype == array.dtype.name
    np.testing.assert_array_equal(mat.value("a"), array)
    np.testing.assert_array_equal(mat.rows("a").T, array)


@pytest.mark.parametrize("compress", [False, True])
def test_texts_cells_and_structs(compress, folder):
    content = {
        "text": "Größe µm",
        "empty": "",
        "cell": np.array([["a", np.array([1.0, 2.0])]], dtype=object),
        "struct": {"x": 1.5, "inner": {"name": "deep", "list": [1, 2, 3]}},
    }
    mat = save(folder / "s.mat", content, do_compression=compress)
    assert mat.value("text") == "Größe µm"
    assert mat.value("empty") in ("", None) or np.size(mat.value("empty")) == 0
    first, second = mat.value("cell")
    assert first == "a"
    np.testing.assert_array_equal(np.ravel(second), [1, 2])
    (row,) = mat.value("struct")
    assert row["x"].item() == 1.5
    assert row["inner"][0]["name"] == "deep"
    np.testing.assert_array_equal(np.ravel(row["inner"][0]["list"]), [1, 2, 3])


def test_uncompressed_arrays_are_mapped(folder):
    array = np.arange(12, dtype=np.uint16).reshape(3, 4)
    rows = save(folder / "m.mat", {"a": array}).rows("a")
    assert not rows.flags.owndata
    assert not rows.flags.writeable
    assert rows.shape == (4, 3)


def test_a_compressed_bomb_is_not_unpacked(folder):
    """A header that claims 10^9 numbers in a few bytes."""
    path = folder / "bomb.mat"
    save(path, {"a": np.zeros((2, 2), np.uint16)}, do_compression=True)
    content = path.read_bytes()
    inner = bytearray(zlib.decompress(content[136:]))
    at = inner.index(struct.pack("<II", 5, 8)) + 8
    inner[at : at + 8] = struct.pack("<ii", 10**5, 10**4)
    packed = zlib.compress(bytes(inner))
    path.write_bytes(content[:128] + struct.pack("<II", 15, len(packed)) + packed)
    mat = MatFile(path)
    assert mat.variables["a"].shape == (10**5, 10**4)
    with pytest.raises(ReadError, match=r"bomb\.mat: a claims shape"):
        mat.rows("a")
    with pytest.raises(ReadError, match="4 numbers for shape"):
        mat.value("a")


def test_a_struct_array_of_absurd_size_is_refused(folder):
    path = folder / "huge.mat"
    save(path, {"s": {"x": 1.0}})
    content = bytearray(path.read_bytes())
    at = content.index(struct.pack("<II", 5, 8)) + 8
    content[at : at + 8] = struct.pack("<ii", 10**9, 1)
    path.write_bytes(content)
    with pytest.raises(ReadError, match="1000000000 elements"):
        MatFile(path).value("s")


@pytest.mark.parametrize("content", [b"MATLAB 5.0" * 2, bytes(128), b"x" * 500])
def test_other_files_are_refused(content, folder):
    path = folder / "other.mat"
    path.write_bytes(content)
    with pytest.raises(ReadError, match="no MATLAB v5 file"):
        MatFile(path)


def test_absent_variables_are_named(folder):
    mat = save(folder / "a.mat", {"a": np.ones(3), "t": "text"})
    with pytest.raises(ReadError, match=r"no variable b; it has a, t"):
        mat.value("b")
    with pytest.raises(ReadError, match="t is no array"):
        mat.rows("t")
