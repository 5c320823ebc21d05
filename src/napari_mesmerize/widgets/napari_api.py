"""Every private name of napari that the windows use, and what differs by version.

All other modules go through these functions; a test forbids private names elsewhere.
Where a napari has no such name, a function does what it says for that case, and the
log names the missing one once.
"""

import functools
import logging
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from napari.components import ViewerModel
from napari.utils.events import Event
from qtpy.QtWidgets import QDockWidget, QLabel, QMainWindow, QWidget

_log = logging.getLogger(__name__)
_notices: "weakref.WeakKeyDictionary[ViewerModel, list[CloseNotice]]" = (
    weakref.WeakKeyDictionary()
)
_opened: "weakref.WeakSet[Any]" = weakref.WeakSet()  # a closed one has no Qt window
PLUGIN = "napari-mesmerize"
W = TypeVar("W", bound=QWidget)


def unwrapped(viewer: ViewerModel) -> ViewerModel:
    """Return the viewer itself: napari hands docks a proxy of it."""
    found: ViewerModel = getattr(viewer, "__wrapped__", viewer)
    return found


def main_window(viewer: ViewerModel | None) -> QMainWindow | None:
    """Return the Qt window of a viewer; ``None`` without a window."""
    window = _window(viewer)
    if window is None:
        return None
    if window in _opened:
        found = getattr(window, "_qt_window", None)
    else:
        found = _private(window, "_qt_window")
    if not isinstance(found, QMainWindow):
        return None
    _opened.add(window)
    return found


def shown_window(viewer: ViewerModel | None) -> QMainWindow | None:
    """Return the Qt window of a viewer if it can be seen."""
    window = main_window(viewer)
    return window if window is not None and window.isVisible() else None


def canvas_is_shown(viewer: ViewerModel | None) -> bool:
    """Say whether the canvas can be seen; ``viewer.close()`` hides it first.

    A napari that hides the name of its canvas: whether the window can be seen.
    """
    window = shown_window(viewer)
    if window is None:
        return False
    canvas = _private(_window(viewer), "_qt_viewer")
    return canvas.isVisible() if isinstance(canvas, QWidget) else True


def dock_title_label(dock: QDockWidget) -> QLabel | None:
    """Return the label in the title bar that napari gives a dock.

    A title bar that stands upright, or that is none of napari's, has none.
    """
    bar = dock.titleBarWidget()
    label = getattr(bar, "title", None)
    if not isinstance(label, QLabel) or getattr(bar, "vertical", False):
        return None
    return label


def show_dock(viewer: ViewerModel, kind: type[W], name: str) -> W:
    """Return a dock of this plugin in a viewer's window, opened or brought to front.

    Parameters
    ----------
    viewer : napari viewer
        One with a window.
    kind : type of QWidget
        Class of the dock.
    name : str
        Its name in the menu of the plugin.
    """
    window = _window(viewer)
    area, dock = window.add_plugin_dock_widget(PLUGIN, name)
    area.show()
    area.raise_()
    if not isinstance(dock, kind):
        raise TypeError(f"'{name}' is a {type(dock).__name__}, not a {kind.__name__}.")
    return dock


class CloseNotice:
    """Something that would be lost with a viewer, so that it is asked before closing.

    napari 0.6.5 and later ask too, where the window's own button closes it, and call
    what cancels; with others this package asks alone, and cancels with the window.

    Parameters
    ----------
    viewer : napari viewer
        Whose window asks.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.text = ""
        self._viewer = weakref.ref(unwrapped(viewer))
        self._task: Any = None  # of napari
        self._cancel: Callable[[], object] | None = None

    def say(self, text: str, cancel: Callable[[], object] | None = None) -> None:
        """Say what would be lost, in the place of what was said before.

        ``cancel`` is called when the window closes nonetheless; once something was
        said, what cancels it stays the same until :meth:`withdraw`.
        """
        viewer = self._viewer()
        if viewer is None:
            return
        known = _notices.setdefault(viewer, [])
        if self in known:
            self.text = text
            self._tell_napari(text)
            return
        known.append(self)
        self.text, self._cancel = text, cancel
        calls = _task_calls(viewer)
        if calls is not None:
            from napari.utils.task_status import Status

            self._task = calls.register(PLUGIN, Status.BUSY, text, self._on_closed)
            return
        window = main_window(viewer)
        if window is not None:
            window.destroyed.connect(self._on_closed)

    def withdraw(self) -> None:
        """Nothing would be lost any longer."""
        viewer = self._viewer()
        known = [] if viewer is None else _notices.get(viewer, [])
        if self in known:
            known.remove(self)
            self._tell_napari("")
        self.text, self._cancel, self._task = "", None, None

    def _tell_napari(self, text: str) -> None:
        calls = _task_calls(self._viewer())
        if self._task is not None and calls is not None:
            from napari.utils.task_status import Status

            calls.update(self._task, Status.BUSY if text else Status.COMPLETED, text)

    def _on_closed(self) -> None:
        if self._cancel is not None:
            self._cancel()


def close_notices(viewer: ViewerModel | None) -> list[str]:
    """Return what would be lost with a viewer, as its notices say."""
    known = [] if viewer is None else _notices.get(unwrapped(viewer), [])
    return [notice.text for notice in known]


def napari_asks(viewer: ViewerModel | None) -> bool:
    """Say whether napari itself asks when the window's own button closes it."""
    return _task_calls(viewer) is not None


def connect_renamed(viewer: ViewerModel, method: Callable[[Event], None]) -> None:
    """Call a bound method when a layer of a viewer gets another name.

    Before 0.7, napari said it of each layer only.
    """
    events = viewer.layers.events
    if hasattr(events, "renamed"):
        events.renamed.connect(method)
        return
    owner = weakref.WeakMethod(method)

    def follow(event: Event) -> None:
        listener = owner()
        if listener is not None:
            event.value.events.name.connect(listener)

    events.inserted.connect(follow)
    for layer in viewer.layers:
        layer.events.name.connect(method)


def offer_in_console(viewer: ViewerModel, names: dict[str, object]) -> None:
    """Make names known in napari's IPython console; without a window, do nothing."""
    update = getattr(viewer, "update_console", None)
    if update is not None:
        update(names)


def write_shapes(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a Shapes layer as .csv the way napari does, and return the files."""
    from napari_builtins.io import napari_write_shapes

    written = napari_write_shapes(path, data, attributes)
    return [] if written is None else [str(written)]


def use_fast_triangulation() -> None:
    """Let napari triangulate polygons with compiled code where it is installed."""
    from napari.settings import get_settings

    experimental = get_settings().experimental
    if not hasattr(experimental, "triangulation_backend"):
        _missed("triangulation_backend of napari's settings")
        return
    fastest = type(experimental.triangulation_backend).fastest_available
    if experimental.triangulation_backend != fastest:
        experimental.triangulation_backend = fastest


def _window(viewer: ViewerModel | None) -> Any:
    """Return the window of a viewer, or ``None``; ``ViewerModel`` has none."""
    return None if viewer is None else getattr(unwrapped(viewer), "window", None)


class _TaskCalls(NamedTuple):
    register: Callable[..., Any]
    update: Callable[..., object]


def _task_calls(viewer: ViewerModel | None) -> _TaskCalls | None:
    """Return how napari is told of tasks; 0.6.4 and before know none."""
    window = _window(viewer)
    register = getattr(window, "_register_task_status", None)
    update = getattr(window, "_update_task_status", None)
    if register is None or update is None:
        return None
    return _TaskCalls(register, update)


def _private(owner: Any, name: str) -> Any:
    """Return a private attribute; where it is gone, say so once and return ``None``."""
    if owner is None:
        return None
    found = getattr(owner, name, None)
    if found is None:
        _missed(f"{type(owner).__name__}.{name}")
    return found


@functools.cache
def _missed(name: str) -> None:
    from napari import __version__

    _log.warning(
        "napari %s has no %s; what needs it is left out. Please report this, or use a "
        "version of napari that the documentation names.",
        __version__,
        name,
    )
