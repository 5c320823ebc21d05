"""Ask before napari's window closes on a run, or on curation that is not saved.

napari 0.6.5 and later ask where the window's own button closes it. From its menu
(File > Exit) and by keys napari asks without saying what would be lost, or not at all
once that question was switched off; then this asks.
"""

import weakref

from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMainWindow, QMessageBox

from napari_mesmerize.widgets.napari_api import (
    canvas_is_shown,
    close_notices,
    main_window,
    napari_asks,
)


class CloseGuard(QObject):
    """Stands between a window and its closing.

    Parameters
    ----------
    viewer : napari viewer
        Whose tasks are asked for.
    window : QMainWindow
        Its window.
    """

    def __init__(self, viewer: ViewerModel, window: QMainWindow) -> None:
        super().__init__(window)
        self._viewer = weakref.ref(viewer)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep the window open if the user says so."""
        if event is None or event.type() != QEvent.Type.Close:
            return False
        if event.spontaneous() and napari_asks(self._viewer()):
            return False
        tasks = self.tasks()
        if not tasks or not self._closed_by_hand() or self.ask(tasks):
            return False
        event.ignore()
        return True

    def tasks(self) -> list[str]:
        """Return what of ours is under way or not saved."""
        return close_notices(self._viewer())

    def _closed_by_hand(self) -> bool:
        """Say whether a user, not a script, closes the window.

        ``viewer.close()`` hides the canvas first; and who sees no window is not asked.
        """
        return canvas_is_shown(self._viewer())

    def ask(self, tasks: list[str]) -> bool:
        """Return whether to close all the same."""
        box = QMessageBox(main_window(self._viewer()))
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


def guard(viewer: ViewerModel) -> None:
    """Ask before the window of a viewer closes; without a window, do nothing."""
    window = main_window(viewer)
    if window is not None and not window.findChildren(CloseGuard):
        CloseGuard(viewer, window)
