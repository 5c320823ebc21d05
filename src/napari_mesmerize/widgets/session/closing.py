"""Ask before napari's window closes on a run, or on curation that is not saved.

napari asks where the window's own button closes it. From its menu (File > Exit) and
by keys it asks without saying what would be lost, or not at all once that question was
switched off; then this asks.
"""

import weakref
from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMessageBox

_PROVIDER = "napari-mesmerize: "


class CloseGuard(QObject):
    """Stands between a window and its closing.

    Parameters
    ----------
    window : napari.window.Window
        Whose tasks are asked for.
    """

    def __init__(self, window: Any) -> None:
        super().__init__(window._qt_window)
        self._window = weakref.ref(window)
        window._qt_window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the window open if the user says so."""
        if event.type() != QEvent.Type.Close or event.spontaneous():
            return False
        tasks = self.tasks()
        if not tasks or not self._closed_by_hand() or self.ask(tasks):
            return False
        event.ignore()
        return True

    def tasks(self) -> list[str]:
        """Return what of ours is under way or not saved."""
        manager = getattr(self._window(), "_task_status_manager", None)
        known = [] if manager is None else manager.get_status()
        return [text.removeprefix(_PROVIDER) for text in known if _PROVIDER in text]

    def _closed_by_hand(self) -> bool:
        """Say whether a user, not a script, closes the window.

        ``viewer.close()`` hides the canvas first; and who sees no window is not asked.
        """
        window = self._window()
        qt_window = getattr(window, "_qt_window", None)
        canvas = getattr(window, "_qt_viewer", None)
        return bool(
            qt_window is not None
            and qt_window.isVisible()
            and canvas is not None
            and canvas.isVisible()
        )

    def ask(self, tasks: list[str]) -> bool:
        """Return whether to close all the same."""
        box = QMessageBox(self.parent())
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("Close napari?")
        box.setText("Not finished, or not saved yet:")
        box.setInformativeText("\n".join(f"• {task}" for task in tasks))
        role = QMessageBox.ButtonRole
        keep = box.addButton("Keep napari open", role.RejectRole)
        close = box.addButton("Close all the same", role.DestructiveRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.exec()
        return box.clickedButton() is close


def guard(viewer: Any) -> None:
    """Ask before the window of a viewer closes; without a window, do nothing."""
    window = getattr(viewer, "window", None)
    qt_window = getattr(window, "_qt_window", None)
    if qt_window is not None and not qt_window.findChildren(CloseGuard):
        CloseGuard(window)
