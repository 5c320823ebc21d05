"""A dock's title that is too long for its width loses what matters least."""

from contextlib import suppress

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QLabel, QPushButton, QWidget

from napari_mesmerize.widgets.napari_api import dock_title_label
from napari_mesmerize.widgets.qt_api import present

_LINE = 8  # pixels that the line beside the title keeps
_EVENTS = (QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.ParentChange)


class DockTitle(QObject):
    """Fits the title that napari gives the dock of a widget: ``Name (plugin)``.

    Where it is too long for the title bar, the plugin's name is left out, then the end
    of the rest; pointing at it shows all of it.

    Parameters
    ----------
    widget : QWidget
        What lies in the dock.
    """

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self._widget = widget
        self._dock: QDockWidget | None = None
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Fit the title after the dock has got its size."""
        if event is not None and event.type() in _EVENTS:
            QTimer.singleShot(0, self.fit)
        return False

    def fit(self) -> None:
        """Write as much of the title as there is room for."""
        with suppress(RuntimeError):  # closed meanwhile
            dock = self._widget.parent()
            if not isinstance(dock, QDockWidget):
                return
            bar, label = dock.titleBarWidget(), dock_title_label(dock)
            if bar is None or label is None:
                return
            if dock is not self._dock:
                self._dock = dock  # napari makes a new title bar when a dock floats
                dock.topLevelChanged.connect(self._soon)
            full = dock.windowTitle()
            text = fitting(label, full, _room(bar, label))
            label.setText(text)
            label.setToolTip(full if text != full else "")

    def _soon(self) -> None:
        QTimer.singleShot(0, self.fit)


def fitting(label: QLabel, full: str, room: int) -> str:
    """Return the title, without its plugin or elided where ``room`` is too small."""
    measure = label.fontMetrics()
    short = full.rpartition(" (")[0] or full
    for text in (full, short):
        if measure.horizontalAdvance(text) <= room:
            return text
    return measure.elidedText(short, Qt.TextElideMode.ElideRight, room)


def _room(bar: QWidget, label: QLabel) -> int:
    """Return the width that the buttons of a title bar leave for its label."""
    layout = bar.layout()
    if layout is None:
        return label.width()
    margins = layout.contentsMargins()
    items = [present(layout.itemAt(i)).widget() for i in range(layout.count())]
    buttons = [item.width() for item in items if isinstance(item, QPushButton)]
    spaces = layout.spacing() * (len(items) - 1)
    taken = margins.left() + margins.right() + sum(buttons) + spaces
    return bar.width() - taken - _LINE
