"""A run outlives the panel that it was started from; the user is asked about it."""

from collections.abc import Callable
from contextlib import suppress

from napari.utils.notifications import show_info
from qtpy.QtCore import QCoreApplication, QEvent, QObject, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QMessageBox, QWidget

from napari_mesmerize.widgets.qt_api import present

_ASK_AFTER_MS = 250  # what ends before is not worth a question
_kept: "set[Lasting]" = set()


class Lasting(QObject):
    """Keeps the panel of a run alive, without a window, when it is closed.

    napari takes a panel that is closed out of its dock and lets go of it. The run goes
    on meanwhile, and its result arrives in the viewer as if the panel were there.

    Parameters
    ----------
    bar : QWidget
        What shows the run, somewhere in the panel.
    title : str
        What runs.
    cancel : callable
        Asks the run to stop.
    window : callable
        Returns the viewer's window if it can be seen.
    lasting : bool
        False: the result is shown in the panel alone, so that the run is cancelled.
    """

    def __init__(
        self,
        bar: QWidget,
        title: str,
        *,
        cancel: Callable[[], None],
        window: Callable[[], QMainWindow | None],
        lasting: bool,
    ) -> None:
        super().__init__()
        self._cancel: Callable[[], None] | None = cancel
        self._window: Callable[[], QMainWindow | None] | None = window
        self._title = title
        self._lasting = lasting
        self._box: QMessageBox | None = None
        self.closed = False
        self._panel: QWidget | None = _outermost(bar)
        self._panel.installEventFilter(self)
        bar.destroyed.connect(self.let_go)  # with its window: the job ends with it
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.let_go)
        _kept.add(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Notice that the panel was taken out of its dock for good."""
        if watched is None or event is None:
            return False
        gone = event.type() == QEvent.Type.ParentChange and watched.parent() is None
        if gone and self in _kept and not self.closed:
            self.closed = True
            QTimer.singleShot(_ASK_AFTER_MS if self._lasting else 0, self._on_closed)
        return False

    def _on_closed(self) -> None:
        if self._cancel is None or self._window is None:
            return  # it has ended
        if not self._lasting:
            self._cancel()
            show_info(
                f"{self._title}: cancelled, since the panel that shows the result was "
                "closed."
            )
            return
        window = self._window()
        if window is None:
            return
        box = QMessageBox(window)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("A run is going on")
        box.setText(f"A run is going on: {self._title}.")
        box.setInformativeText(
            "Its panel was closed. If it is kept running, the result still comes into "
            "this window; 'activity', at the bottom right, shows how far it is and can "
            "cancel it."
        )
        role = QMessageBox.ButtonRole
        keep = box.addButton("Keep it running", role.RejectRole)
        cancel = present(box.addButton("Cancel it", role.DestructiveRole))
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        cancel.clicked.connect(self._cancel)
        self._box = box
        box.open()  # does not wait: the run may end first

    def end(self, outcome: str) -> None:
        """Say how the run ended if its panel is closed, and let go of the panel."""
        if self.closed and self._lasting:
            show_info(outcome)
        self.let_go()

    def let_go(self) -> None:
        """Keep the panel no longer."""
        _kept.discard(self)
        if self._box is not None:
            self._box.close()
            self._box.deleteLater()
            self._box = None
        if self._panel is not None:
            with suppress(RuntimeError):  # Qt has deleted it with its window
                self._panel.removeEventFilter(self)
        self._panel = self._cancel = self._window = None


def let_all_go() -> None:
    """Keep no panel longer, at the end of the program."""
    for lasting in list(_kept):
        with suppress(RuntimeError):
            panel = lasting._panel if lasting.closed else None
            lasting.let_go()
            if panel is not None:  # Qt would come too late for it
                panel.deleteLater()
                QCoreApplication.sendPostedEvents(panel, QEvent.Type.DeferredDelete)


def _outermost(widget: QWidget) -> QWidget:
    """Return the widget that lies in a dock, or in no other."""
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        widget, parent = parent, parent.parentWidget()
    return widget
