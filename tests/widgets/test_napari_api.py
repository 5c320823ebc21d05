"""napari's private names: each does what is asked of it, and may be missing."""

import ast
import gc
import logging
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Shapes
from napari.settings import get_settings
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtWidgets import QDockWidget, QMainWindow

import napari_mesmerize
from napari_mesmerize.widgets import napari_api
from napari_mesmerize.widgets.napari_api import (
    PLUGIN,
    CloseNotice,
    canvas_is_shown,
    close_notices,
    dock_title_label,
    main_window,
    offer_in_console,
    show_dock,
    shown_window,
    unwrapped,
    use_fast_triangulation,
    write_shapes,
)
from napari_mesmerize.widgets.recordings.open_dock import OpenDock
from napari_mesmerize.widgets.traces.dock import TracesDock

SOURCE = Path(napari_mesmerize.__file__).parent


@pytest.fixture(autouse=True)
def missed(caplog):
    """Names whose absence a test causes; a supported napari lacks none."""
    napari_api._missed.cache_clear()
    caplog.set_level(logging.WARNING, logger=napari_api.__name__)
    expected: list[str] = []
    yield expected
    records = caplog.get_records("call")
    found = [r.args[1] for r in records if r.name == napari_api.__name__]
    assert sorted(found) == sorted(expected)


@pytest.fixture
def shown(make_napari_viewer):
    return make_napari_viewer(show=True)


# ------------------------------------------------------------------------ windows
def test_a_proxy_is_taken_off_a_viewer(make_napari_viewer):
    viewer = make_napari_viewer()
    proxy = PublicOnlyProxy(viewer)
    assert proxy is not viewer
    assert unwrapped(proxy) is viewer
    assert unwrapped(viewer) is viewer
    assert main_window(proxy) is main_window(viewer)


def test_a_viewer_has_a_main_window_until_it_is_closed(make_napari_viewer):
    viewer = make_napari_viewer()
    window = main_window(viewer)
    assert isinstance(window, QMainWindow)
    area = viewer.window.add_dock_widget(QDockWidget(), name="mine")
    assert area.parent() is window
    assert shown_window(viewer) is None
    assert not canvas_is_shown(viewer)
    viewer.close()
    assert main_window(viewer) is None
    assert shown_window(viewer) is None
    assert not canvas_is_shown(viewer)


def test_a_window_and_its_canvas_can_be_seen(shown):
    assert shown_window(shown) is main_window(shown)
    assert canvas_is_shown(shown)
    shown.window._qt_viewer.hide()  # as viewer.close() does first
    assert not canvas_is_shown(shown)
    assert shown_window(shown) is main_window(shown)


@pytest.mark.parametrize("viewer", [None, ViewerModel()], ids=["none", "model"])
def test_without_a_window_there_is_nothing_to_see_or_to_ask(viewer):
    assert main_window(viewer) is None
    assert shown_window(viewer) is None
    assert not canvas_is_shown(viewer)
    assert close_notices(viewer) == []


# -------------------------------------------------------------------------- docks
def test_a_dock_is_opened_once_and_checked(shown):
    dock = show_dock(shown, OpenDock, "Open recordings")
    assert isinstance(dock, OpenDock)
    assert dock.isVisible()
    assert show_dock(shown, OpenDock, "Open recordings") is dock
    with pytest.raises(TypeError, match="'Open recordings' is a OpenDock"):
        show_dock(shown, TracesDock, "Open recordings")


def test_the_title_of_a_dock_is_found(shown, qtbot):
    area, _ = shown.window.add_plugin_dock_widget(PLUGIN, "Open recordings")
    label = dock_title_label(area)
    assert label is not None
    assert "Open recordings" in label.text()
    shown.window._qt_window.removeDockWidget(area)
    bare = QDockWidget("Open recordings")
    qtbot.addWidget(bare)
    assert dock_title_label(bare) is None, "its title bar is Qt's"


def test_the_title_bar_of_a_dock_at_the_bottom_stands_upright(shown):
    area = shown.window.add_dock_widget(QDockWidget(), name="low", area="bottom")
    assert dock_title_label(area) is None


# ------------------------------------------------------------------------ notices
def test_a_notice_is_shown_replaced_and_withdrawn(make_napari_viewer):
    viewer = make_napari_viewer()
    known = viewer.window._task_status_manager
    notice, other = CloseNotice(viewer), CloseNotice(viewer)
    assert close_notices(viewer) == []
    notice.withdraw()
    notice.say("a run is going on")
    other.say("nothing is saved")
    assert known.is_busy()
    assert close_notices(viewer) == ["a run is going on", "nothing is saved"]
    notice.say("it ends soon")
    assert close_notices(viewer) == ["it ends soon", "nothing is saved"]
    notice.withdraw()
    other.withdraw()
    assert close_notices(viewer) == []
    assert not known.is_busy()
    notice.say("again")
    assert close_notices(viewer) == ["again"]


def test_notices_of_others_are_not_ours(make_napari_viewer):
    from napari.utils.task_status import Status

    viewer = make_napari_viewer()
    viewer.window._register_task_status("other", Status.BUSY, f"{PLUGIN}: not ours")
    assert len(viewer.window._task_status_manager.get_status()) == 1
    assert close_notices(viewer) == []


def test_a_window_that_closes_cancels_what_runs(make_napari_viewer):
    viewer = make_napari_viewer()
    cancelled = []
    CloseNotice(viewer).say("a run is going on", lambda: cancelled.append(True))
    viewer.close()
    assert cancelled == [True]


def test_a_notice_without_a_window_does_nothing():
    viewer = ViewerModel()
    notice = CloseNotice(viewer)
    notice.say("a run is going on")
    notice.withdraw()
    assert close_notices(viewer) == []
    del viewer
    gc.collect()
    notice.say("the viewer is gone")


# ------------------------------------------------------------------------- others
def test_names_wait_for_the_console(make_napari_viewer):
    viewer = make_napari_viewer()
    waiting = viewer.window._qt_viewer.console_backlog
    offer_in_console(viewer, {"answer": 42})
    offer_in_console(ViewerModel(), {"answer": 43})
    assert waiting == [{"answer": 42}]


def test_shapes_are_written_as_napari_reads_them(tmp_path):
    corners = np.array([[1.0, 2.0], [1.0, 9.0], [8.0, 9.0], [8.0, 2.0]])
    layer = Shapes([corners], shape_type="rectangle")
    data, attributes, _ = layer.as_layer_data_tuple()
    path = str(tmp_path / "shapes.csv")
    assert write_shapes(path, data, attributes) == [path]
    viewer = ViewerModel()
    (read,) = viewer.open(path, plugin="napari")
    np.testing.assert_allclose(read.data[0], corners)
    assert list(read.shape_type) == ["rectangle"]


def test_polygons_are_triangulated_by_compiled_code():
    experimental = get_settings().experimental
    use_fast_triangulation()
    chosen = experimental.triangulation_backend
    assert chosen == type(chosen).fastest_available
    triangle = np.array([[0.0, 0.0], [0.0, 4.0], [3.0, 0.0]])
    layer = Shapes([triangle], shape_type="polygon")
    assert layer.to_masks((4, 5)).sum() > 0


# ------------------------------------------------------------- names that are gone
class _Bare:
    """A window of a napari that has none of the private names."""


class _Viewer:
    def __init__(self):
        self.window = _Bare()


def test_a_window_without_the_private_names_is_said_once(missed):
    viewer = _Viewer()
    for _ in range(2):
        assert main_window(viewer) is None
        assert shown_window(viewer) is None
        assert not canvas_is_shown(viewer)
        assert close_notices(viewer) == []
        notice = CloseNotice(viewer)
        notice.say("a run is going on")
        notice.withdraw()
        offer_in_console(viewer, {"answer": 42})
    names = ("_qt_window", "_task_status_manager", "_register_task_status")
    missed.extend(f"_Bare.{name}" for name in names)


def test_a_window_that_hides_its_canvas_counts_as_shown(shown, monkeypatch, missed):
    kind = type(shown.window)
    monkeypatch.delattr(kind, "_qt_viewer")
    assert canvas_is_shown(shown)
    monkeypatch.undo()
    missed.append(f"{kind.__name__}._qt_viewer")


def test_a_notice_that_can_not_be_changed_any_more(
    make_napari_viewer, monkeypatch, missed
):
    viewer = make_napari_viewer()
    notice = CloseNotice(viewer)
    notice.say("a run is going on")
    kind = type(viewer.window)
    monkeypatch.delattr(kind, "_update_task_status")
    notice.withdraw()
    monkeypatch.undo()
    assert close_notices(viewer) == ["a run is going on"]
    missed.append(f"{kind.__name__}._update_task_status")


def test_settings_without_a_choice_of_triangulation_are_left(monkeypatch, missed):
    class Experimental:
        model_fields: ClassVar[dict[str, object]] = {}

    class Settings:
        experimental = Experimental()

    monkeypatch.setattr("napari.settings.get_settings", lambda: Settings)
    use_fast_triangulation()
    missed.append("triangulation_backend of napari's settings")


# ------------------------------------------------------------ nobody else uses them
def _private(name: str) -> bool:
    dunder = name.startswith("__") and name.endswith("__")
    return name == "__wrapped__" or (name.startswith("_") and not dunder)


def foreign_names(text: str) -> set[str]:
    """Return the private names of others that a module uses.

    Its own are those that it defines: functions, classes, variables and attributes of
    ``self``.
    """
    own: set[str] = set()
    used: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                own.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                own.add(name)
            case ast.Attribute(attr=name, value=ast.Name("self"), ctx=ast.Store()):
                own.add(name)
            case ast.Attribute(attr=name):
                used.add(name)
            case ast.Call(func=ast.Name("getattr" | "hasattr"), args=[_, key, *_]):
                used |= {key.value} if isinstance(key, ast.Constant) else set()
            case ast.Import(names=names):
                used |= {part for alias in names for part in alias.name.split(".")}
            case ast.ImportFrom(module=module, names=names):
                used |= {*str(module).split("."), *(alias.name for alias in names)}
    return {name for name in used if _private(name)} - own


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("viewer.window._qt_window.show()", {"_qt_window"}),
        ("getattr(window, '_qt_viewer', None)", {"_qt_viewer"}),
        ("from napari._qt.qt_viewer import QtViewer", {"_qt"}),
        ("import napari._vispy as vispy", {"_vispy"}),
        ("from napari.layers import _helper", {"_helper"}),
        ("viewer.__wrapped__", {"__wrapped__"}),
        ("layer._slice_input", {"_slice_input"}),
        ("class A:\n def f(self):\n  self._x = self._g()\n def _g(self): ...", set()),
        ("def _f(): ...\n_f()\ntype(a).__name__", set()),
    ],
)
def test_private_names_of_others_are_found(text, found):
    assert foreign_names(text) == found


def test_no_other_module_uses_private_names_of_napari():
    modules = sorted((SOURCE / "widgets").rglob("*.py"))
    assert len(modules) > 50
    used = {
        str(path.relative_to(SOURCE)): names
        for path in modules
        if path != Path(napari_api.__file__)
        and (names := foreign_names(path.read_text("utf-8")))
    }
    assert used == {}
    assert "_qt_window" in foreign_names(Path(napari_api.__file__).read_text("utf-8"))
