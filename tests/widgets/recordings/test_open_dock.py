from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_mesmerize.widgets.layers.recordings import recording_of
from napari_mesmerize.widgets.recordings.open_dock import OpenDock

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def dock(viewer, qtbot):
    made = OpenDock(viewer)
    qtbot.addWidget(made)
    return made


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for i in range(3):
        path = tmp_path / f"part{i}.tif"
        frames = rng.integers(0, 99, (5 + i, 12, 16)).astype(np.uint16)
        tifffile.imwrite(path, frames, photometric="minisblack")
        paths.append(str(path))
    return paths


def _wait(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.job.running, timeout=30_000)


def test_several_files_are_one_recording_or_many(dock, files, qtbot, viewer):
    assert "Start here" in dock.hint.text()
    assert not dock.open.isEnabled()
    dock.look_into(files)
    _wait(qtbot, dock)
    (leaf,) = dock.tree.leaves()
    assert leaf.text(1).startswith("18 × 12 × 16")
    assert "rate unknown" in leaf.text(1)
    assert not leaf.icon(0).isNull()
    dock.joined.setChecked(False)
    _wait(qtbot, dock)
    names = [leaf.text(0) for leaf in dock.tree.leaves()]
    assert names == ["part0.tif", "part1.tif", "part2.tif"]
    found = [leaf.text(1).split()[0] for leaf in dock.tree.leaves()]
    assert found == ["5", "6", "7"]


def test_what_is_chosen_opens_with_the_rate_given(dock, files, qtbot, viewer):
    dock.look_into(files[:1])
    _wait(qtbot, dock)
    dock.rate.setValue(12.5)
    dock.open.click()
    _wait(qtbot, dock)
    (layer,) = viewer.layers
    assert recording_of(layer).attrs["frame_rate"] == 12.5
    np.testing.assert_array_equal(recording_of(layer), tifffile.imread(files[0]))
    assert "Motion correction" in dock.hint.text()


def test_the_order_of_axes_can_be_given(dock, tmp_path, qtbot, viewer):
    path = tmp_path / "volumes.tif"
    with tifffile.TiffWriter(path) as tif:
        tif.write(
            np.zeros((12, 12, 16), np.uint16),
            photometric="minisblack",
            metadata=None,
        )
    dock.look_into([path])
    _wait(qtbot, dock)
    dock.axes.setText("TZYX")
    dock.planes.setValue(3)
    dock.axes.editingFinished.emit()
    _wait(qtbot, dock)
    (leaf,) = dock.tree.leaves()
    assert leaf.text(1).startswith("4 × 3 × 12 × 16")


def test_a_file_that_does_not_open_is_explained(dock, tmp_path, qtbot):
    path = tmp_path / "notes.tif"
    path.write_text("not a movie")
    dock.look_into([path])
    _wait(qtbot, dock)
    assert "notes.tif" in dock.job.text.text()
    assert dock.tree.leaves() == []
    assert not dock.open.isEnabled()


def test_sessions_units_and_channels_are_a_tree(dock, qtbot):
    dock.look_into([DATA / "mesc" / "two_sessions.mesc"])
    _wait(qtbot, dock)
    (file,) = (dock.tree.topLevelItem(i) for i in range(dock.tree.topLevelItemCount()))
    session = file.child(0)
    assert session.text(0) == "MSession_0"
    unit = session.child(0)
    assert [unit.child(i).text(0) for i in range(2)] == ["UG", "UR"]
    assert "40 × 24 × 32" in unit.child(0).text(1)
    assert "Hz" in unit.child(0).text(1)
    assert "kB" in unit.child(0).text(1)
