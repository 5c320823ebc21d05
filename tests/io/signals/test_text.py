import h5py
import numpy as np
import pytest

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io.signals.text import read_signal


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_table_with_times(tmp_path, separator):
    path = tmp_path / "lamp.csv"
    rows = [("Time", "lamp"), (0.0, 1.5), (0.5, 2.5), (1.0, 2)]
    path.write_text("\n".join(separator.join(map(str, row)) for row in rows))
    signal, times = read_signal(path)
    np.testing.assert_array_equal(signal, [1.5, 2.5, 2])
    np.testing.assert_array_equal(times, [0, 0.5, 1])


def test_columns_by_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("clock,lamp,speed\n1,2,3\n2,3,4\n")
    signal, times = read_signal(path, value="speed", time="clock")
    np.testing.assert_array_equal(signal, [3, 4])
    np.testing.assert_array_equal(times, [1, 2])
    with pytest.raises(ReadError, match=r"3 signals .*value="):
        read_signal(path)
    with pytest.raises(ReadError, match="no 'wheel'; it has clock, lamp, speed"):
        read_signal(path, value="wheel")


def test_hdf5(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["wheel/speed"] = np.arange(5)
        file["wheel/time"] = np.arange(5) / 10
        file["picture"] = np.zeros((3, 3))
    signal, times = read_signal(path)
    np.testing.assert_array_equal(signal, np.arange(5))
    np.testing.assert_allclose(times, np.arange(5) / 10)
    signal, _ = read_signal(path, value="wheel/time", time="wheel/speed")
    assert signal[1] == 0.1


def test_bad_files(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\nx,y\n")
    with pytest.raises(ReadError, match="rows of numbers"):
        read_signal(path)
    path.write_bytes(b"")
    with pytest.raises(ReadError, match="empty"):
        read_signal(path)
    other = tmp_path / "a.h5"
    other.write_bytes(b"nothing")
    with pytest.raises(ReadError, match=r"a\.h5"):
        read_signal(other)
    with h5py.File(other, "w") as file:
        file["speed"] = np.arange(5)
        file["time"] = np.arange(4)
    with pytest.raises(ReadError, match="5 values, 'time' 4"):
        read_signal(other)
    strange = tmp_path / "a.xyz"
    strange.write_text("1")
    with pytest.raises(ReadError, match=r"known are \.csv"):
        read_signal(strange)
