"""Keys of the ROI manager: step through ROIs, accept and reject them."""

from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt


class PageKeys(QObject):
    """PageUp and PageDown step through the ROIs, also while a tag is typed."""

    def __init__(self, manager: Any) -> None:
        super().__init__(manager)
        self._manager = manager

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the page keys; in the table also K and J."""
        if event.type() != QEvent.Type.KeyPress:
            return False
        key = event.key()
        if key in (Qt.Key.Key_PageDown, Qt.Key.Key_PageUp):
            self._manager.step(1 if key == Qt.Key.Key_PageDown else -1)
            return True
        if watched is self._manager.table and key in (Qt.Key.Key_K, Qt.Key.Key_J):
            self._manager.set_accepted(key == Qt.Key.Key_K)
            return True
        return False
