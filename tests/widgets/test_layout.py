"""Every dock: nothing is cut off at its least width; every button does something."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton, QScrollArea, QWidget

from napari_mesmerize.widgets.extraction.dock import CnmfDock
from napari_mesmerize.widgets.extraction.inspect_dock import InspectDock
from napari_mesmerize.widgets.kit.column import DOCK_WIDTH
from napari_mesmerize.widgets.kit.dock_title import fitting
from napari_mesmerize.widgets.motion.dock import MotionDock
from napari_mesmerize.widgets.project.dock import ProjectDock
from napari_mesmerize.widgets.recordings.facts_dock import FactsDock
from napari_mesmerize.widgets.recordings.open_dock import OpenDock
from napari_mesmerize.widgets.results.import_dock import ImportDock
from napari_mesmerize.widgets.rois.evaluation_dock import EvaluationDock
from napari_mesmerize.widgets.rois.manager import RoiManagerDock
from napari_mesmerize.widgets.stimulus.dock import StimulusDock
from napari_mesmerize.widgets.traces.dock import TracesDock

COLUMNS = (
    CnmfDock,
    EvaluationDock,
    FactsDock,
    ImportDock,
    InspectDock,
    MotionDock,
    OpenDock,
    ProjectDock,
    RoiManagerDock,
    StimulusDock,
)
SCROLL_BAR = 16


def least_width(dock):
    inner = dock.widget() if isinstance(dock, QScrollArea) else dock
    return inner.minimumSizeHint().width()


def fits(dock):
    """Return what is wider than the dock at its least width, beside a scroll bar."""
    room = DOCK_WIDTH - (SCROLL_BAR if isinstance(dock, QScrollArea) else 0)
    if least_width(dock) <= room:
        return []
    wide = [w for w in dock.findChildren(QWidget) if w.isVisibleTo(dock)]
    return [(w, w.minimumSizeHint().width()) for w in wide
            if w.minimumSizeHint().width() > room - 80]  # fmt: skip


@pytest.fixture
def filled(session, recording, roi_set):
    layer = session.show_recording(recording, name="a recording with a long name")
    session.show_rois(roi_set, like=layer)
    roi_set.select(1)


@pytest.mark.parametrize("kind", COLUMNS)
def test_nothing_is_wider_than_its_dock(viewer, qtbot, kind):
    dock = kind(viewer)
    qtbot.addWidget(dock)
    assert fits(dock) == []


@pytest.mark.parametrize("kind", COLUMNS)
def test_nothing_is_wider_with_data(viewer, qtbot, kind, filled):
    dock = kind(viewer)
    qtbot.addWidget(dock)
    for form in getattr(dock, "forms", {}).values():
        form.more.setChecked(True)
        form.show_error("cell_diameter=0.1 is too small; " * 4)
    if hasattr(dock, "engine"):
        for i in range(dock.engine.count()):
            dock.engine.setCurrentIndex(i)
            assert fits(dock) == []
    if hasattr(dock, "job"):
        dock.job.say("What came, what was expected and what to do about it. " * 3)
    assert fits(dock) == []


@pytest.mark.parametrize("kind", COLUMNS)
def test_long_texts_wrap(viewer, qtbot, kind, filled):
    dock = kind(viewer)
    qtbot.addWidget(dock)
    for label in dock.findChildren(QLabel):
        short = label.sizeHint().width() < 0.8 * DOCK_WIDTH
        assert label.wordWrap() or short, label.text()


@pytest.mark.parametrize("kind", [*COLUMNS, TracesDock])
def test_every_button_does_something(viewer, qtbot, kind):
    dock = kind(viewer)
    qtbot.addWidget(dock)
    for made in dock.findChildren(QPushButton):
        heard = made.receivers(made.clicked) + made.receivers(made.toggled)
        assert heard > 0, f"nothing listens to '{made.text()}'"


@pytest.mark.parametrize("kind", [EvaluationDock, RoiManagerDock])
def test_undo_takes_a_decision_back(viewer, qtbot, kind, filled, roi_set):
    dock = kind(viewer)
    qtbot.addWidget(dock)
    before = roi_set.table["accepted"].tolist()
    roi_set.set_accepted(False, [0, 1])
    assert roi_set.table["accepted"].tolist() != before
    dock.undo.click()
    assert roi_set.table["accepted"].tolist() == before
    dock.undo.click()  # nothing is left to be undone
    assert roi_set.table["accepted"].tolist() == before


@pytest.mark.parametrize("kind", [*COLUMNS, TracesDock])
def test_no_part_of_a_dock_becomes_a_window(viewer, qtbot, qapp, kind, filled):
    dock = kind(viewer)
    qtbot.addWidget(dock)
    assert not [w for w in qapp.topLevelWidgets() if w.isVisible()]


NAMES = (
    "Inspect correlation & PNR",
    "Component evaluation",
    "Stimulus mapping",
    "CNMF",
)


def is_whole(label, name):
    """Say whether a title has room, and names the plugin here or in its tooltip."""
    wide = label.fontMetrics().horizontalAdvance(label.text())
    known = f"{name} (napari-mesmerize)" in (label.text(), label.toolTip())
    return name in label.text() and wide <= label.width() and known


@pytest.mark.parametrize("name", NAMES)
def test_titles_are_not_clipped(make_napari_viewer, qtbot, name):
    viewer = make_napari_viewer(show=True)
    window = viewer.window._qt_window
    area, _ = viewer.window.add_plugin_dock_widget("napari-mesmerize", name)
    for width in (DOCK_WIDTH, 600, DOCK_WIDTH):
        window.resizeDocks([area], [width], Qt.Orientation.Horizontal)
        qtbot.waitUntil(lambda w=width: abs(area.width() - w) < 30)
        qtbot.waitUntil(lambda: is_whole(area.title.title, name))
    area.setFloating(True)
    area.resize(DOCK_WIDTH, 400)
    qtbot.wait(50)
    assert name in area.title.title.text()
    area.setFloating(False)


def test_a_title_that_does_not_fit_at_all_is_elided(qtbot):
    label = QLabel()
    qtbot.addWidget(label)
    text = fitting(label, "A long name (plugin)", 50)
    assert text.endswith("…")
    assert fitting(label, "A long name (plugin)", 500) == "A long name (plugin)"
