"""Docks and viewers that come and go while something runs."""

import gc
import threading
import time

import pytest

from napari_mesmerize.widgets import work
from napari_mesmerize.widgets.cnmf_dock import CnmfDock
from napari_mesmerize.widgets.lifetime import follow
from napari_mesmerize.widgets.project_dock import ProjectDock
from napari_mesmerize.widgets.roi_set import RoiSet
from napari_mesmerize.widgets.session import get_session
from napari_mesmerize.widgets.traces_dock import TracesDock

PLUGIN = "napari-mesmerize"


@pytest.fixture
def running(monkeypatch):
    """An extraction that runs until it is cancelled; (has begun, how it ended)."""
    begun, ended = threading.Event(), []

    def extract(*_, progress, **__):
        try:
            for _ in progress(range(2000), desc="Extracting", total=2000):
                begun.set()
                time.sleep(0.01)
            ended.append("done")
        except BaseException as error:
            ended.append(type(error).__name__)
            raise

    monkeypatch.setattr(work, "extract", extract)
    return begun, ended


def test_a_dock_that_is_closed_ends_its_run(
    make_napari_viewer, qtbot, recording, running
):
    begun, ended = running
    viewer = make_napari_viewer()
    get_session(viewer).show_recording(recording)
    area, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "CNMF")
    dock.run.click()
    qtbot.waitUntil(begun.is_set)
    viewer.window.remove_dock_widget(area)
    del area, dock
    gc.collect()
    qtbot.waitUntil(lambda: bool(ended), timeout=5000)
    assert ended == ["Cancelled"]
    assert len(viewer.layers) == 1
    _, again = viewer.window.add_plugin_dock_widget(PLUGIN, "CNMF")
    assert again.run.isEnabled()


def test_a_viewer_that_is_closed_ends_its_runs(
    make_napari_viewer, qtbot, recording, running
):
    begun, ended = running
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
