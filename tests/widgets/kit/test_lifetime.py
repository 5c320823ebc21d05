"""Docks and viewers that come and go while something runs."""

import gc
import threading
import time

import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_mesmerize.data.pictures import drawn_areas
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.widgets.extraction import inspect_dock
from napari_mesmerize.widgets.extraction.dock import CnmfDock
from napari_mesmerize.widgets.jobs import closed_panel
from napari_mesmerize.widgets.kit.lifetime import follow
from napari_mesmerize.widgets.napari_api import close_notices
from napari_mesmerize.widgets.project.dock import ProjectDock
from napari_mesmerize.widgets.session.session import get_session
from napari_mesmerize.widgets.traces.dock import TracesDock
from napari_mesmerize.workspace import compute
from napari_mesmerize.workspace.roi_set import RoiSet

PLUGIN = "napari-mesmerize"


@pytest.fixture
def running(monkeypatch, components):
    """An extraction that waits for a word; (has begun, the word, how it ended)."""
    begun, go, ended = threading.Event(), threading.Event(), []

    def extract(*_, progress, **__):
        try:
            for _ in progress(range(2000), desc="Extracting", total=2000):
                begun.set()
                time.sleep(0.01)
                if go.is_set():
                    break
            ended.append("done")
        except BaseException as error:
            ended.append(type(error).__name__)
            raise
        table = roi_table_from_components(components)
        return compute.Extracted(components, table, drawn_areas(components))

    monkeypatch.setattr(compute, "extract", extract)
    yield begun, go, ended
    go.set()


@pytest.fixture
def said():
    """What napari's notifications say."""
    found = []

    def keep(event):
        found.append(str(getattr(event, "value", event)))

    notification_manager.notification_ready.connect(keep)
    yield found
    notification_manager.notification_ready.disconnect(keep)


def close_while_it_runs(viewer, qtbot, recording, begun, name="CNMF"):
    get_session(viewer).show_recording(recording)
    area, dock = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    dock.run.click()
    qtbot.waitUntil(begun.is_set)
    area.destroyOnClose()  # the cross in its title
    del area, dock
    gc.collect()


def question(qtbot):
    """Return the question about a run, when it shows."""

    def shown():
        return [
            box
            for box in QApplication.topLevelWidgets()
            if isinstance(box, QMessageBox) and box.isVisible()
        ]

    qtbot.waitUntil(lambda: len(shown()) == 1, timeout=5000)
    return shown()[0]


def press(box, text):
    next(button for button in box.buttons() if button.text() == text).click()


def test_the_run_of_a_dock_that_is_closed_goes_on_and_its_result_arrives(
    make_napari_viewer, qtbot, recording, running, said
):
    begun, go, ended = running
    viewer = make_napari_viewer()
    close_while_it_runs(viewer, qtbot, recording, begun)
    qtbot.wait(400)
    assert ended == []
    assert close_notices(viewer) == ["Extraction"]
    _, again = viewer.window.add_plugin_dock_widget(PLUGIN, "CNMF")
    assert again.run.isEnabled()
    go.set()
    qtbot.waitUntil(lambda: len(viewer.layers) > 1, timeout=5000)
    assert ended == ["done"]
    assert "ROIs of movie" in viewer.layers
    qtbot.waitUntil(lambda: any("Extraction: done" in text for text in said))
    qtbot.waitUntil(lambda: not closed_panel._kept)
    assert close_notices(viewer) == []


def test_closing_the_dock_of_a_run_asks_whether_to_cancel_it(
    make_napari_viewer, qtbot, recording, running, said
):
    begun, _, ended = running
    viewer = make_napari_viewer(show=True)
    close_while_it_runs(viewer, qtbot, recording, begun)
    box = question(qtbot)
    assert "A run is going on: Extraction" in box.text()
    assert box.defaultButton().text() == "Keep it running"
    press(box, "Cancel it")
    qtbot.waitUntil(lambda: ended == ["Cancelled"], timeout=5000)
    qtbot.waitUntil(lambda: not closed_panel._kept)
    assert any("cancelled" in text for text in said)
    assert len(viewer.layers) == 1


def test_a_run_may_end_while_it_is_asked_about(
    make_napari_viewer, qtbot, recording, running
):
    begun, go, ended = running
    viewer = make_napari_viewer(show=True)
    close_while_it_runs(viewer, qtbot, recording, begun)
    box = question(qtbot)
    go.set()
    qtbot.waitUntil(lambda: len(viewer.layers) > 1, timeout=5000)
    assert ended == ["done"]
    qtbot.waitUntil(lambda: not closed_panel._kept)
    with pytest.raises(RuntimeError, match="deleted"):
        qtbot.waitUntil(box.isVisible, timeout=500)


def test_what_only_the_dock_would_show_ends_with_it(
    make_napari_viewer, qtbot, recording, monkeypatch, said
):
    begun, ended = threading.Event(), []

    def look(*_, progress, **__):
        try:
            for _ in progress(range(2000), desc="Looking", total=2000):
                begun.set()
                time.sleep(0.01)
        except BaseException as error:
            ended.append(type(error).__name__)
            raise

    monkeypatch.setattr(inspect_dock, "find_candidates", look)
    viewer = make_napari_viewer(show=True)
    get_session(viewer).show_recording(recording)
    name = "Inspect correlation & PNR"
    area, dock = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    dock.compute.click()
    qtbot.waitUntil(begun.is_set)
    area.destroyOnClose()
    del area, dock
    qtbot.waitUntil(lambda: ended == ["Cancelled"], timeout=5000)
    assert any("panel" in text for text in said)


def test_a_viewer_that_is_closed_ends_its_runs(
    make_napari_viewer, qtbot, recording, running
):
    begun, _, ended = running
    viewer = make_napari_viewer()
    get_session(viewer).show_recording(recording)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "CNMF")
    dock.run.click()
    qtbot.waitUntil(begun.is_set)
    viewer.close()
    del dock
    qtbot.waitUntil(lambda: bool(ended), timeout=5000)
    assert ended == ["Cancelled"]


def test_two_viewers_know_nothing_of_each_other(qapp, qtbot, recording, components):
    from napari.components import ViewerModel

    viewers = [ViewerModel(), ViewerModel()]
    docks = [[kind(v) for kind in (CnmfDock, ProjectDock, TracesDock)] for v in viewers]
    for dock in (*docks[0], *docks[1]):
        qtbot.addWidget(dock)
    first, second = map(get_session, viewers)
    assert first is not second
    layer = first.show_recording(recording)
    first.show_rois(RoiSet(components, recording=recording), like=layer)
    first.roi_set.select(2)
    assert second.roi_set is None
    assert len(viewers[1].layers) == 0
    assert docks[1][0].chooser.layer is None
    second.show_rois(RoiSet(components, name="the same components"))
    second.roi_set.set_accepted(False, [0])
    assert first.roi_set.table["accepted"].iat[0]
    assert second.roi_set.selected is None
    viewers[0].layers.clear()
    assert second.roi_set is not None


def test_follow_listens_to_the_new_one_only(qtbot, components):
    from qtpy.QtWidgets import QWidget

    class Listener(QWidget):
        def __init__(self):
            super().__init__()
            self.heard = 0

        def hear(self):
            self.heard += 1

    listener = Listener()
    qtbot.addWidget(listener)
    old, new = RoiSet(components), RoiSet(components)
    follow(listener, None, old, {"selection_changed": listener.hear})
    follow(listener, old, new, {"selection_changed": listener.hear})
    old.select(1)
    assert listener.heard == 0
    new.select(1)
    assert listener.heard == 1
    follow(listener, new, None, {"selection_changed": listener.hear})
    new.select(2)
    assert listener.heard == 1
