"""Recording facts: see and correct frame rate, pixel size, date and origin."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QLineEdit,
    QTreeWidget,
)
from qtpy.QtWidgets import QTreeWidgetItem as Item

from napari_mesmerize.errors import MesmerizeError
from napari_mesmerize.io.items import iso_date
from napari_mesmerize.io.times import rate_spread
from napari_mesmerize.io.write_facts import facts_file, write_facts
from napari_mesmerize.widgets.kit.column import (
    Column,
    Hint,
    button,
    form_of,
    heading,
    note,
)
from napari_mesmerize.widgets.kit.lifetime import connect_while_alive
from napari_mesmerize.widgets.kit.recording_chooser import RecordingChooser
from napari_mesmerize.widgets.qt_api import present
from napari_mesmerize.widgets.session.session import get_session
from napari_mesmerize.workspace.open_recording import OpenRecording

if TYPE_CHECKING:
    import napari.viewer


_START = (
    "<b>Start here:</b> drop a recording on the canvas, or choose File › Open Sample › "
    "napari-mesmerize."
)
_STD_HZ, _DEVIATION_HZ = 0.01, 0.1


class FactsDock(Column):
    """Show and edit the facts of a recording.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._session = get_session(napari_viewer)
        self.hint = Hint(_START)
        self._of: Any = None
        self._filled: tuple[Any, ...] = ()
        self.chooser = RecordingChooser(self._session)
        self.pixel_y, self.pixel_x, self.z_step = (_length() for _ in range(3))
        self.date = QLineEdit()
        self.date.setPlaceholderText("unknown; such as 2026-01-31T14:05:00")
        self.origin = QLineEdit()
        self.origin.setPlaceholderText("microscope or program; unknown")
        self.warning = note()
        self.keep = QCheckBox()
        self.keep.setChecked(True)
        self.why_not = note()
        self.apply = button("Apply", "Write these facts to the recording", primary=True)
        self.meta = QTreeWidget()
        self.meta.setHeaderLabels(["raw metadata", "value"])
        self.meta.setMinimumHeight(160)
        self._lay_out()
        self.chooser.changed.connect(self._show)
        facts_changed = self._session.workspace.facts_changed
        connect_while_alive(self, facts_changed, self._on_facts)
        self.apply.clicked.connect(self._on_apply)
        self._show()

    def _lay_out(self) -> None:
        self.rows.addWidget(self.hint)
        self.rows.addWidget(self.chooser)
        self.rows.addWidget(self.warning)
        form = form_of(
            ("Pixel height [µm]", self.pixel_y),
            ("Pixel width [µm]", self.pixel_x),
            ("Distance of planes [µm]", self.z_step),
            ("Date", self.date),
            ("Origin", self.origin),
        )
        self.rows.addLayout(form)
        self.rows.addWidget(self.keep)
        self.rows.addWidget(self.why_not)
        self.add_row(self.apply, stretch=0)
        self.rows.addWidget(heading("What the file says"))
        self.rows.addWidget(self.meta, 1)

    def _show(self) -> None:
        recording = self.chooser.recording
        known = recording is not None
        for widget in (self.pixel_y, self.pixel_x, self.date, self.origin, self.apply):
            widget.setEnabled(known)
        self.z_step.setEnabled(recording is not None and recording.ndim == 4)
        if recording is self._of and known:
            return  # its frame rate was given: what is typed below stays
        self._of = recording
        self.meta.clear()
        self.warning.setVisible(False)
        self._offer_file(recording)
        self.hint.say(_missing(recording) if known else _START)
        if known:
            self._fill_in(recording)
            self._warn(recording)

    def _on_facts(self, changed: OpenRecording) -> None:
        """Show facts that an undo or another dock has changed."""
        here = changed.recording is self._of
        if here and _shown_facts(changed.recording) != self._filled:
            self._fill_in(changed.recording)  # else what is typed would be lost

    def _fill_in(self, recording: Any) -> None:
        attrs = recording.attrs
        self._filled = _shown_facts(recording)
        height, width = attrs.get("pixel_size_um") or (0.0, 0.0)
        self.pixel_y.setValue(height)
        self.pixel_x.setValue(width)
        self.z_step.setValue(attrs.get("z_step_um") or 0.0)
        self.date.setText(attrs.get("date") or "")
        self.origin.setText(attrs.get("origin") or "")
        for line in (self.date, self.origin):
            line.setCursorPosition(0)
        _fill(present(self.meta.invisibleRootItem()), attrs.get("meta") or {})

    def _offer_file(self, recording: Any) -> None:
        """Say where facts are kept, or why they can not be."""
        path, reason = (None, "") if recording is None else facts_file(recording)
        self.keep.setVisible(path is not None)
        self.why_not.setVisible(bool(reason))
        if path is not None:
            self.keep.setText(f"Keep them in {path.name}")
            self.keep.setToolTip(
                f"{path}: a file beside the recording, which is read when the "
                "recording is opened again"
            )
        self.why_not.setText(
            f"There is no file to keep them beside, since {reason}: they are kept when "
            "it is added to a <b>Project</b>."
        )

    def _warn(self, recording: Any) -> None:
        """Say when the frame rate varies."""
        meta = recording.attrs.get("meta") or {}
        std, largest = meta.get("fps_std") or 0.0, meta.get("fps_max_dev") or 0.0
        if "time_s" in recording.coords and "fps_std" not in meta:
            std, largest = rate_spread(recording.coords["time_s"].to_numpy())
        if std > _STD_HZ or largest > _DEVIATION_HZ:
            self.warning.setText(
                f"The frame rate varies: standard deviation {std:.3g} Hz, largest "
                f"deviation {largest:.3g} Hz. Times come from the file's time stamps."
            )
            self.warning.setStyleSheet("color: #ffcc80;")
            self.warning.setVisible(True)

    def _on_apply(self) -> None:
        layer, recording = self.chooser.layer, self.chooser.recording
        if layer is None or recording is None:
            return
        sizes = (self.pixel_y.value(), self.pixel_x.value())
        if (sizes[0] > 0) != (sizes[1] > 0):
            self.hint.say("Give both the height and the width of a pixel, or neither.")
            return
        date = self.date.text().strip()
        if date and iso_date(date) is None:
            self.hint.say(
                f"The date '{date}' is not understood. Write it as 2026-01-31, or "
                "2026-01-31T14:05:00."
            )
            return
        facts = {
            "pixel_size_um": sizes if all(sizes) else None,
            "z_step_um": self.z_step.value() or None,
            "date": date or None,
            "origin": self.origin.text().strip() or None,
        }
        self._session.set_facts(layer, facts)
        self.hint.say(self._store(recording))

    def _store(self, recording: Any) -> str:
        """Write facts beside the file, if wanted; say where they are."""
        written = "Written. A sample that is saved from now on has these facts."
        if self.keep.isHidden() or not self.keep.isChecked():
            return written
        try:
            path = write_facts(recording)
        except MesmerizeError as error:
            return f"Written, but not kept: {error}"
        return f"Written, and kept in <b>{path.name}</b>: the file opens with them."


def _shown_facts(recording: Any) -> tuple[Any, ...]:
    """Return the facts that have a field in the dock."""
    names = ("pixel_size_um", "z_step_um", "date", "origin")
    return tuple(recording.attrs.get(name) for name in names)


def _missing(recording: Any) -> str:
    """Return which facts should be given, and what for."""
    attrs = recording.attrs
    parts = []
    if not attrs.get("frame_rate"):
        parts.append("the <b>frame rate</b> (times in seconds, decay times)")
    if not attrs.get("pixel_size_um"):
        parts.append("the <b>pixel size</b> (scale bars, sizes in µm)")
    if not parts:
        return ""
    return f"The file does not say {' and '.join(parts)}. Give it, then press Apply."


def _length() -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(0, 100_000)
    box.setDecimals(4)
    box.setSpecialValueText("unknown")
    return box


def _fill(parent: Item, values: Any) -> None:
    """Add a mapping or list below a tree item."""
    pairs = values.items() if isinstance(values, dict) else enumerate(values)
    for key, value in pairs:
        if isinstance(value, dict | list):
            _fill(Item(parent, [str(key), ""]), value)
        else:
            item = Item(parent, [str(key), str(value)])
            item.setToolTip(1, str(value))
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsSelectable)
