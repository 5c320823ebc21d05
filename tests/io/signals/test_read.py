"""One reader of signals, whatever the format."""

from pathlib import Path

import numpy as np
import pytest

from napari_mesmerize.errors import ReadError
from napari_mesmerize.io import list_signals, read_signals
from napari_mesmerize.io.femtonics.mes_voltages import read_voltages
from napari_mesmerize.io.femtonics.mesc_curves import read_curves
from napari_mesmerize.io.inscopix.events import read_gpio
from napari_mesmerize.io.signals import is_signal_file

DATA = Path(__file__).parents[2] / "data"
MES, MESC = DATA / "mes/two_channels.mes", DATA / "mesc/two_sessions.mesc"
GPIO = DATA / "isxd/gpio_spec.isxd"


def test_voltages_of_a_mes_file():
    known = read_voltages(MES, "Df0001/pmtUG")
    found = read_signals(MES, "Df0001/pmtUG")
    assert list(found) == list(known) == ["AUXo3", "AUXi1", "DIs"]
    np.testing.assert_array_equal(found["AUXo3"].values, known["AUXo3"].values)
    np.testing.assert_array_equal(found["AUXo3"].time_s, known["AUXo3"].time_s)
    assert list(read_signals(MES)) == list(known)
    with pytest.raises(ReadError, match="no record 'Df0009'"):
        read_signals(MES, "Df0009")
    with pytest.raises(ReadError, match=r"one_channel\.mes holds no signals"):
        read_signals(DATA / "mes/one_channel.mes")


def test_curves_of_a_mesc_file():
    first = list_signals(MESC)[0].selection
    known = {n: c for n, c in read_curves(MESC, first).items() if c.x_unit == "ms"}
    found = read_signals(MESC, f"{first}/UG")
    assert list(found) == list(known)
    for name, curve in known.items():
        signal = found[name]
        assert signal.stepped == (curve.stop is not None)
        n = len(curve.y)
        np.testing.assert_array_equal(signal.values[:n], curve.y)
        np.testing.assert_allclose(signal.time_s[:n], curve.time_s)
        if curve.stop is not None:
            assert signal.time_s[-1] == pytest.approx(curve.stop / 1000)
            assert signal.values[-1] == curve.y[-1]


def test_channels_of_gpio_hold_until_the_end():
    table = read_gpio(GPIO)
    found = read_signals(GPIO)
    assert is_signal_file(GPIO)
    for name, signal in found.items():
        rows = table[table["channel"] == name].sort_values("time_s", kind="stable")
        np.testing.assert_array_equal(signal.values[:-1], rows["value"])
        np.testing.assert_array_equal(signal.time_s[:-1], rows["time_s"])
        assert signal.time_s[-1] == table.attrs["duration_s"]


def test_gpio_is_moved_to_the_clock_of_the_movie():
    table = read_gpio(GPIO)
    later = np.datetime64(table.attrs["date"][:-6]) + np.timedelta64(1500, "ms")
    date = f"{later}{table.attrs['date'][-6:]}"
    name, signal = next(iter(read_signals(GPIO).items()))
    moved = read_signals(GPIO, date=date)[name]
    np.testing.assert_allclose(moved.time_s, signal.time_s - 1.5)


def test_what_holds_no_signals_says_so():
    with pytest.raises(ReadError, match="is a cell set, expected GPIO signals"):
        read_signals(DATA / "isxd/cellset.isxd")
    assert not is_signal_file(DATA / "isxd/cellset.isxd")
    assert not is_signal_file(MES)
    with pytest.raises(ReadError, match="does not exist"):
        read_signals("nowhere.mes")


def test_the_list_says_what_each_signal_is():
    valve = list_signals(MES)[0]
    known = read_voltages(MES)["AUXo3"]
    assert (valve.name, valve.selection, valve.unit) == ("AUXo3", "Df0001", known.unit)
    assert valve.levels == (0.0, 1.5, 3.0)
    assert valve.n_samples == len(known.values) - 1
    assert valve.duration_s == known.time_s[-1] - known.time_s[0]
    assert "levels 0, 1.5, 3 V" in valve.describe()
    assert valve.to_dict()["levels"] == [0.0, 1.5, 3.0]
    sampled = next(one for one in list_signals(MES) if one.rate)
    assert read_voltages(MES)[sampled.name].rate == pytest.approx(sampled.rate)


def test_the_list_of_a_mesc_file_names_each_unit():
    found = list_signals(MESC)
    for one in found:
        assert one.name in read_signals(MESC, one.selection)
    assert {one.selection for one in found} >= {found[0].selection}
