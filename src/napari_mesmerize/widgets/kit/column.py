"""Small parts that all docks are made of: hints, headings, scrolling."""

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_mesmerize.widgets.kit.dock_title import DockTitle

DOCK_WIDTH = 340


class Column(QScrollArea):
    """A column of widgets that scrolls where the dock is too low for it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inner = QWidget()
        self.rows = QVBoxLayout(inner)
        self.rows.setContentsMargins(4, 4, 8, 4)
        self.rows.setSpacing(6)
        self.setWidget(inner)
        self._inner = inner
        self.setMinimumWidth(DOCK_WIDTH)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.dock_title = DockTitle(self)

    def sizeHint(self) -> QSize:
        """Ask for as much height as the content has."""
        inner = self._inner.sizeHint()
        return QSize(max(DOCK_WIDTH, inner.width() + 12), min(inner.height() + 8, 900))

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Accept files, where a dock takes any (``setAcceptDrops``)."""
        if event is not None and dropped_files(event):
            event.acceptProposedAction()

    def add_row(self, *widgets: QWidget, stretch: int | None = None) -> QHBoxLayout:
        """Add widgets side by side; ``stretch`` is the one that grows."""
        row = row_of(*widgets, stretch=stretch)
        self.rows.addLayout(row)
        return row


def dropped_files(event: QDropEvent) -> list[str]:
    """Return the paths of the files that are dragged or dropped."""
    data = event.mimeData()
    return [] if data is None else [url.toLocalFile() for url in data.urls()]


def row_of(*widgets: QWidget, stretch: int | None = None) -> QHBoxLayout:
    """Return widgets side by side; ``stretch`` is the one that grows."""
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(4)
    for i, widget in enumerate(widgets):
        row.addWidget(widget, 1 if i == stretch else 0)
    return row


def form_of(*rows: tuple[str, QWidget]) -> QFormLayout:
    """Return fields below each other, each with its label."""
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setVerticalSpacing(3)
    for label, field in rows:
        form.addRow(label, field)
    return form


class Hint(QLabel):
    """Says what to do next."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setStyleSheet(
            "background: rgba(86, 180, 233, 40); border-radius: 4px; padding: 6px;"
        )
        self.say(text)

    def say(self, text: str) -> None:
        """Show a text; hide when it is empty."""
        self.setText(text)
        show_in_place(self, bool(text))


def n_rois(number: int) -> str:
    """Return ``1 ROI``, ``2 ROIs``, ..."""
    return f"{number} ROI" if number == 1 else f"{number} ROIs"


def show_in_place(widget: QWidget, shown: bool) -> None:
    """Show or hide a widget; one without a place yet would become a window."""
    if not shown or widget.parent() is not None:
        widget.setVisible(shown)


def heading(text: str) -> QLabel:
    """Return a bold line."""
    label = QLabel(f"<b>{text}</b>")
    label.setContentsMargins(0, 6, 0, 0)
    return label


def note(text: str = "") -> QLabel:
    """Return a line of text that wraps."""
    label = QLabel(text)
    label.setWordWrap(True)
    return label


def button(text: str, tooltip: str, *, primary: bool = False) -> QPushButton:
    """Return a push button."""
    made = QPushButton(text)
    made.setToolTip(tooltip)
    if primary:
        made.setStyleSheet("QPushButton:enabled { background: #0072B2; color: white; }")
    return made
