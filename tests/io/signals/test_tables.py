import h5py
import numpy as np
import pytest

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io import read_signals
from napari_mesmerize.io.signals import is_epoch_table, read_epochs


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_table_with_times(tmp_path, separator):
    path = tmp_path / "lamp.csv"
    rows = [("Time", "lamp"), (0.0, 1.5), (0.5, 2.5), (1.0, 2)]
    path.write_text("\n".join(separator.join(map(str, row)) for row in rows))
    (lamp,) = read_signals(path).values()
    assert lamp.name == "lamp"
    np.testing.assert_array_equal(lamp.values, [1.5, 2.5, 2])
    np.testing.assert_array_equal(lamp.time_s, [0, 0.5, 1])
    assert lamp.rate == 2


def test_columns_by_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("clock,lamp,speed\n1,2,3\n2,3,4\n")
    found = read_signals(path, time="clock")
    assert list(found) == ["lamp", "speed"]
    np.testing.assert_array_equal(found["speed"].values, [3, 4])
    np.testing.assert_array_equal(found["speed"].time_s, [1, 2])
    with pytest.raises(ReadError, match="no 'wheel'; it has clock, lamp, speed"):
        read_signals(path, time="wheel")


def test_a_value_a_frame(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("lamp\n2\n3\n4\n")
    with pytest.raises(ReadError, match=r"no time stamps for 'lamp'.*frame_rate="):
        read_signals(path)
    lamp = read_signals(path, frame_rate=10)["lamp"]
    np.testing.assert_allclose(lamp.time_s, [0, 0.1, 0.2])


def test_hdf5_takes_the_time_stamps_of_the_group(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["wheel/speed"] = np.arange(5)
        file["wheel/time"] = np.arange(5) / 10
        file["lamp/on"] = np.ones(3)
        file["lamp/nested/level"] = np.ones(3)
        file["lamp/seconds"] = np.arange(3.0)
        file["lamp/other_length"] = np.arange(7)
        file["picture"] = np.zeros((3, 3))
        file["names"] = np.array([b"a", b"b"])
    found = read_signals(path)
    assert set(found) == {"wheel/speed", "lamp/on", "lamp/nested/level"}
    np.testing.assert_array_equal(found["wheel/speed"].values, np.arange(5))
    np.testing.assert_allclose(found["wheel/speed"].time_s, np.arange(5) / 10)
    np.testing.assert_array_equal(found["lamp/nested/level"].time_s, np.arange(3))
    found = read_signals(path, time="wheel/speed")
    assert found["wheel/time"].values[1] == 0.1


def test_tables_within_hdf5(tmp_path):
    path = tmp_path / "a.h5"
    rows = np.array([(0, 1.5), (1, 2.5)], [("time", "f8"), ("lamp", "f4")])
    with h5py.File(path, "w") as file:
        file["log"] = rows
    lamp = read_signals(path)["log/lamp"]
    np.testing.assert_array_equal(lamp.values, [1.5, 2.5])
    np.testing.assert_array_equal(lamp.time_s, [0, 1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\nx,y\n", "'x' in row 1 of column 'a' is no number.*rows of numbers"),
        ("time,b\n0,1\n2,1\n1,1\n", r"'time' do not rise at value 2 \(1 s\)"),
        ("time,b\n,1\n2,1\n", "do not rise"),
        ("time\n1\n2\n", r"nothing but time stamps.*time \(2\)"),
        ("", "is empty"),
    ],
)
def test_tables_that_do_not_fit(tmp_path, text, said):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ReadError, match=rf"a\.csv.*{said}"):
        read_signals(path)


def test_bad_files(tmp_path):
    other = tmp_path / "a.h5"
    other.write_bytes(b"nothing")
    with pytest.raises(ReadError, match=r"a\.h5"):
        read_signals(other)
    with h5py.File(other, "w") as file:
        file["speed"] = np.arange(5)
        file["time"] = np.arange(4)
    with pytest.raises(ReadError, match=r"other lengths: speed \(5\), time \(4\)"):
        read_signals(other)
    strange = tmp_path / "a.xyz"
    strange.write_text("1")
    with pytest.raises(ReadError, match=r"expected \.mes, .*\.csv"):
        read_signals(strange)


def test_epochs_from_a_table(tmp_path):
    path = tmp_path / "stimuli.csv"
    path.write_text("stimulus_type;name;start_s;stop_s\nodour;mint;2;5\n")
    assert is_epoch_table(path)
    epochs = read_epochs(path)
    assert epochs[["name", "start_s", "stop_s"]].to_numpy().tolist() == [["mint", 2, 5]]
    path.write_text("stimulus_type,name,start_s\nodour,mint,2\n")
    assert not is_epoch_table(path)
    with pytest.raises(ReadError, match=r"stimuli\.csv is no table of epochs"):
        read_epochs(path)
    assert not is_epoch_table(tmp_path / "a.mes")
