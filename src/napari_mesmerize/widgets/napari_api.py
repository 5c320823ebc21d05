"""Every private name of napari that the windows use, and what differs by version.

All other modules go through these functions; a test forbids private names elsewhere.
Where a napari has no such name, a function does what it says for that case, and the
log names the missing one once.
"""

import functools
import logging
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from napari.components import ViewerModel
from qtpy.QtWidgets import QDockWidget, QLabel, QMainWindow, QWidget

if TYPE_CHECKING:
    from uuid import UUID

_log = logging.getLogger(__name__)
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
    """A line in the question that napari asks before it closes a busy window.

    Without a window, or in a napari that asks no such question, it does nothing.

    Parameters
    ----------
    viewer : napari viewer
        Whose window asks.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = weakref.ref(viewer)
        self._task: UUID | None = None

    def say(self, text: str, cancel: Callable[[], object] | None = None) -> None:
        """Show a line, in the place of the one before.

        napari calls ``cancel`` when the window closes nonetheless; that of the first
        line stays.
        """
        if self._task is None:
            register = _private(_window(self._viewer()), "_register_task_status")
            if register is not None:
                self._task = register(PLUGIN, _status("BUSY"), text, cancel)
        else:
            self._update("BUSY", text)

    def withdraw(self) -> None:
        """Show the line no longer."""
        if self._task is not None:
            self._update("COMPLETED", "")
            self._task = None

    def _update(self, status: str, text: str) -> None:
        update = _private(_window(self._viewer()), "_update_task_status")
        if update is not None:
            update(self._task, _status(status), text)


def close_notices(viewer: ViewerModel | None) -> list[str]:
    """Return the lines of this package that the question before closing shows."""
    manager = _private(_window(viewer), "_task_status_manager")
    known: list[str] = [] if manager is None else manager.get_status()
    prefix = f"{PLUGIN}: "
    return [text.removeprefix(prefix) for text in known if text.startswith(prefix)]


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
    if "triangulation_backend" not in type(experimental).model_fields:
        _missed("triangulation_backend of napari's settings")
        return
    fastest = type(experimental.triangulation_backend).fastest_available
    if experimental.triangulation_backend != fastest:
        experimental.triangulation_backend = fastest


def _window(viewer: ViewerModel | None) -> Any:
    """Return the window of a viewer, or ``None``; ``ViewerModel`` has none."""
    return None if viewer is None else getattr(unwrapped(viewer), "window", None)


def _status(name: str) -> Any:
    from napari.utils.task_status import Status

    return Status[name]


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
