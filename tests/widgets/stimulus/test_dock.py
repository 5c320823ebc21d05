from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_mesmerize.data.epochs import make_epochs
from napari_mesmerize.io import read_recording
from napari_mesmerize.widgets.stimulus.dock import StimulusDock
from napari_mesmerize.widgets.traces.dock import TracesDock

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def dock(viewer, qtbot):
    made = StimulusDock(viewer)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def mes(session):
    """Show a channel of a .mes file with an AUX channel of voltage steps."""
    recording = read_recording(
        DATA / "mes" / "two_channels.mes", selection="Df0001/pmtUG"
    )
    return session.show_recording(recording)


def _wait(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.job.running, timeout=30_000)


def _name(dock, **names):
    for row, level in enumerate(dock.table.levels):
        for name, value in names.items():
            if level == value:
                dock.table.set_name(row, name)


def test_without_a_recording_it_says_what_to_do(dock):
    assert "Start here" in dock.hint.text()
    assert not dock.file.isEnabled()
    assert not dock.make.isEnabled()
    dock.look_at(DATA / "isxd" / "gpio_spec.isxd")
    assert "Open the recording first" in dock.hint.text()


def test_levels_of_an_aux_channel_become_epochs(dock, mes, session, qtbot):
    _wait(qtbot, dock)
    names = [dock.channel.itemText(i) for i in range(dock.channel.count())]
    assert names == ["AUXo3", "AUXi1", "DIs"]
    assert dock.channel.currentText() == "AUXo3"
    assert dock.table.levels == [0.0, 1.5, 3.0]
    assert [dock.table.item(i, 1).text() for i in range(3)] == ["2", "2", "1"]
    assert dock.plot.line.getOriginalDataset()[0] is not None
    assert not dock.make.isEnabled()
    _name(dock, acid=1.5, mint=3.0)
    assert len(dock.plot.bands) == 3, "the names show at once what they make"
    assert session.epochs_of(mes) is None
    dock.make.click()
    assert "stimulus type" in dock.hint.text()
    dock.kind.setCurrentText("odour")
    dock.make.click()
    epochs = session.epochs_of(mes)
    assert list(epochs["name"]) == ["acid", "mint", "acid"]
    assert set(epochs["stimulus_type"]) == {"odour"}
    np.testing.assert_allclose(epochs["start_s"], [0.12, 0.42, 0.6])
    np.testing.assert_allclose(epochs["stop_s"], [0.27, 0.6, 0.9])
    assert epochs["colour"].iat[0] == dock.table.colours()["acid"]
    assert "acid × 2" in dock.summary.text()


def test_epochs_reach_the_traces_the_rois_and_the_other_channel(
    dock, mes, session, viewer, qtbot
):
    other = session.show_recording(
        read_recording(DATA / "mes" / "two_channels.mes", selection="Df0001/pmtUR")
    )
    dock.chooser.choose(mes)
    _wait(qtbot, dock)
    traces = TracesDock(viewer)
    qtbot.addWidget(traces)
    rois = _rois_on(session, mes)
    _name(dock, acid=1.5)
    dock.kind.setCurrentText("odour")
    dock.make.click()
    assert len(traces.plot.bands) == 2
    assert len(rois.epochs) == 2
    assert rois.unsaved
    assert len(session.epochs_of(other)) == 2
    dock.remove.click()
    assert len(session.epochs_of(mes)) == 0
    assert len(rois.epochs) == 0
    assert len(traces.plot.bands) == 0


def _rois_on(session, layer):
    from scipy import sparse

    from napari_mesmerize.data.components import Components
    from napari_mesmerize.widgets.layers.recordings import recording_of
    from napari_mesmerize.workspace.roi_set import RoiSet

    recording = recording_of(layer)
    shape = tuple(recording.shape[1:])
    image = np.zeros(shape, np.float32)
    image[2:6, 2:6] = 1
    components = Components.build(
        sparse.csc_array(image.reshape(-1, 1)),
        shape,
        {"raw": np.ones((1, recording.sizes["frame"]), np.float32)},
    )
    roi_set = RoiSet(components, recording=recording)
    session.show_rois(roi_set, like=layer)
    roi_set.unsaved = False
    return roi_set


def test_another_type_is_added_and_the_same_type_replaced(dock, mes, session, qtbot):
    _wait(qtbot, dock)
    _name(dock, acid=1.5)
    dock.kind.setCurrentText("odour")
    dock.make.click()
    dock.channel.setCurrentText("DIs")
    _name(dock, on=1.0)
    dock.kind.setCurrentText("light")
    dock.make.click()
    assert set(session.epochs_of(mes)["stimulus_type"]) == {"odour", "light"}
    dock.channel.setCurrentText("AUXo3")
    assert dock.table.names() == {1.5: "acid"}, "names are remembered by channel"
    dock.kind.setCurrentText("odour")
    _name(dock, mint=3.0)
    dock.make.click()
    epochs = session.epochs_of(mes)
    assert sorted(epochs["name"]) == ["acid", "acid", "mint", "on"]
    dock.which.setCurrentText("odour")
    dock.remove.click()
    assert set(session.epochs_of(mes)["stimulus_type"]) == {"light"}


def test_a_delay_moves_the_epochs(dock, mes, session, qtbot):
    _wait(qtbot, dock)
    _name(dock, mint=3.0)
    dock.kind.setCurrentText("odour")
    dock.offset.setValue(0.1)
    dock.make.click()
    np.testing.assert_allclose(session.epochs_of(mes)["start_s"], [0.52])
    assert dock.table.names() == {3.0: "mint"}, "names stay"


def test_a_signal_that_varies_all_the_time_is_explained(dock, mes, qtbot):
    _wait(qtbot, dock)
    dock.tolerance.setValue(0.001)
    dock.channel.setCurrentText("AUXi1")
    assert "varies all the time" in dock.problem.text()
    assert dock.table.levels == []
    assert not dock.make.isEnabled()


def test_curves_of_a_mesc_unit_are_signals_too(dock, session, qtbot):
    recording = read_recording(
        DATA / "mesc" / "two_sessions.mesc", selection="MSession_0/MUnit_0/UG"
    )
    session.show_recording(recording)
    _wait(qtbot, dock)
    assert dock.channel.count() > 0 or "no curves" in dock.job.text.text()


def test_gpio_of_a_file_of_its_own(dock, session, recording, qtbot):
    session.show_recording(recording)
    assert "holds no signals" in dock.hint.text()
    dock.look_at(DATA / "isxd" / "gpio_spec.isxd")
    _wait(qtbot, dock)
    assert dock.channel.count() > 0
    assert len(dock.table.levels) > 0


def test_a_table_of_epochs(dock, session, recording, tmp_path, qtbot):
    layer = session.show_recording(recording)
    path = tmp_path / "epochs.csv"
    path.write_text("stimulus_type,name,start_s,stop_s\nlight,on,1,2\nlight,on,3,3.5\n")
    dock.look_at(path)
    expected = make_epochs([("light", "on", 1, 2), ("light", "on", 3, 3.5)])
    assert session.epochs_of(layer).equals(expected)
    path.write_text("stimulus_type,name,start_s,stop_s\nlight,on,2,1\n")
    dock.look_at(path)
    assert "no table of epochs" in dock.job.text.text()
    path.write_text("what,when\nlight,2\n")
    dock.look_at(path)
    _wait(qtbot, dock)
    assert "a table of epochs has the columns" in dock.job.text.text()
    assert session.epochs_of(layer).equals(expected)


def test_a_table_of_signals(dock, session, recording, tmp_path, qtbot):
    layer = session.show_recording(recording)
    path = tmp_path / "lamp.csv"
    path.write_text("time_s,lamp\n0,0\n1,5\n2,5\n3,0\n")
    dock.look_at(path)
    _wait(qtbot, dock)
    assert dock.channel.currentText() == "lamp"
    assert "4 samples, 1 Hz" in dock.channel.itemData(0, Qt.ItemDataRole.ToolTipRole)
    assert dock.table.levels == [0.0, 5.0]
    dock.kind.setCurrentText("light")
    _name(dock, on=5.0)
    dock.make.click()
    expected = make_epochs([("light", "on", 1, 3)])
    found = session.epochs_of(layer)
    assert found[["start_s", "stop_s"]].equals(expected[["start_s", "stop_s"]])


def test_a_file_without_signals_is_explained(dock, session, recording, tmp_path, qtbot):
    session.show_recording(recording)
    path = tmp_path / "notes.md"
    path.write_text("nothing")
    dock.look_at(path)
    _wait(qtbot, dock)
    assert "no signals that can be read" in dock.job.text.text()


def test_a_recording_that_is_closed_takes_its_signals_along(
    dock, mes, viewer, session, recording, qtbot
):
    _wait(qtbot, dock)
    _name(dock, acid=1.5)
    viewer.layers.clear()
    assert dock.channel.count() == 0
    assert dock.table.levels == []
    session.show_recording(recording)
    assert "holds no signals" in dock.hint.text()
    assert not dock.make.isEnabled()


def test_a_recording_without_voltages_is_no_error(dock, session, qtbot):
    recording = read_recording(DATA / "mes" / "one_channel.mes")
    session.show_recording(recording)
    _wait(qtbot, dock)
    assert "holds no signals" in dock.hint.text()
    assert dock.job.text.text() == ""
