"""napari's private names: each does what is asked of it, and may be missing."""

import ast
import gc
import logging
import weakref
from pathlib import Path
from types import SimpleNamespace

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
    connect_renamed,
    dock_title_label,
    main_window,
    napari_asks,
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


def test_a_title_bar_that_stands_upright_has_no_room(shown, monkeypatch):
    area = shown.window.add_dock_widget(QDockWidget(), name="low", area="right")
    assert dock_title_label(area) is not None
    monkeypatch.setattr(area.titleBarWidget(), "vertical", True)
    assert dock_title_label(area) is None


# ------------------------------------------------------------------------ notices
def asked_by_napari(viewer):
    """Return what napari's own question before closing says; None: it asks none."""
    manager = getattr(viewer.window, "_task_status_manager", None)
    return None if manager is None else manager.get_status()


def test_a_notice_is_shown_replaced_and_withdrawn(make_napari_viewer):
    viewer = make_napari_viewer()
    asks = napari_asks(viewer)
    assert asks == (asked_by_napari(viewer) is not None)
    notice, other = CloseNotice(viewer), CloseNotice(PublicOnlyProxy(viewer))

    def expect(*texts):
        assert close_notices(viewer) == list(texts)
        if asks:
            assert asked_by_napari(viewer) == [f"{PLUGIN}: {text}" for text in texts]

    expect()
    notice.withdraw()
    expect()
    notice.say("a run is going on")
    other.say("nothing is saved")
    expect("a run is going on", "nothing is saved")
    notice.say("it ends soon")
    expect("it ends soon", "nothing is saved")
    notice.withdraw()
    other.withdraw()
    expect()
    notice.say("again")
    expect("again")


def test_a_window_that_closes_cancels_what_runs(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    cancelled = []
    running, ended = CloseNotice(viewer), CloseNotice(viewer)
    running.say("a run is going on", lambda: cancelled.append("running"))
    ended.say("another", lambda: cancelled.append("ended"))
    ended.withdraw()
    viewer.close()
    qtbot.waitUntil(lambda: bool(cancelled), timeout=5000)
    assert cancelled == ["running"]


def test_a_napari_that_knows_no_tasks_cancels_with_the_window(
    make_napari_viewer, monkeypatch, qtbot
):
    viewer = make_napari_viewer()
    monkeypatch.delattr(type(viewer.window), "_register_task_status", raising=False)
    assert not napari_asks(viewer)
    cancelled = []
    notice = CloseNotice(viewer)
    notice.say("a run is going on", lambda: cancelled.append(True))
    notice.say("it ends soon")
    assert close_notices(viewer) == ["it ends soon"]
    assert not asked_by_napari(viewer)
    viewer.close()
    qtbot.waitUntil(lambda: bool(cancelled), timeout=5000)
    assert cancelled == [True]


def test_notices_of_one_viewer_are_not_those_of_another():
    first, second = ViewerModel(), ViewerModel()
    notice = CloseNotice(first)
    notice.say("a run is going on")
    assert close_notices(first) == ["a run is going on"]
    assert close_notices(second) == []
    assert not napari_asks(first)
    del first
    gc.collect()
    notice.say("the viewer is gone")
    notice.withdraw()
    assert notice.text == ""


# ------------------------------------------------------------------------- layers
class _Listener:
    def __init__(self):
        self.n_calls = 0

    def on_renamed(self, event):
        self.n_calls += 1


class _Before07:
    """A viewer whose list of layers does not say when one gets another name."""

    def __init__(self, viewer):
        self.layers = self
        self.events = SimpleNamespace(inserted=viewer.layers.events.inserted)
        self._layers = viewer.layers

    def __iter__(self):
        return iter(self._layers)


@pytest.mark.parametrize("version", [lambda viewer: viewer, _Before07])
def test_renamed_layers_are_noticed(version):
    viewer = ViewerModel()
    old = viewer.add_image(np.zeros((2, 2)), name="old")
    listener = _Listener()
    connect_renamed(version(viewer), listener.on_renamed)
    new = viewer.add_image(np.zeros((2, 2)), name="new")
    for number, layer in enumerate((old, new), start=1):
        layer.name = f"renamed {number}"
        assert listener.n_calls == number
    gone = weakref.ref(listener)
    del listener
    gc.collect()
    assert gone() is None, "a viewer keeps nobody alive"
    old.name = new.name = "nobody listens"
    viewer.add_image(np.zeros((2, 2)))


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
        assert not napari_asks(viewer)
        notice = CloseNotice(viewer)
        notice.say("a run is going on")
        assert close_notices(viewer) == ["a run is going on"]
        notice.withdraw()
        offer_in_console(viewer, {"answer": 42})
    missed.append("_Bare._qt_window")


def test_a_window_that_hides_its_canvas_counts_as_shown(shown, monkeypatch, missed):
    kind = type(shown.window)
    monkeypatch.delattr(kind, "_qt_viewer")
    assert canvas_is_shown(shown)
    monkeypatch.undo()
    missed.append(f"{kind.__name__}._qt_viewer")


def test_settings_without_a_choice_of_triangulation_are_left(monkeypatch, missed):
    class Settings:
        experimental = _Bare()

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
