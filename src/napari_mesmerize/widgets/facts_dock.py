"""Recording facts: see and correct frame rate, pixel size, date and origin."""

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDoubleSpinBox, QFormLayout, QLineEdit, QTreeWidget
from qtpy.QtWidgets import QTreeWidgetItem as Item

from napari_mesmerize.history import StepTimer
from napari_mesmerize.widgets.layers import describe, spatial_scale, spatial_units
from napari_mesmerize.widgets.parts import Column, Hint, button, heading, note
from napari_mesmerize.widgets.recording_chooser import RecordingChooser
from napari_mesmerize.widgets.session import get_session

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

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:  # noqa: F821
        super().__init__()
        self._session = get_session(napari_viewer)
        self.hint = Hint(_START)
        self.chooser = RecordingChooser(self._session)
        self.pixel_y, self.pixel_x, self.z_step = (_length() for _ in range(3))
        self.date = QLineEdit()
        self.date.setPlaceholderText("unknown; such as 2026-01-31T14:05:00")
        self.origin = QLineEdit()
        self.origin.setPlaceholderText("microscope or program; unknown")
        self.warning = note()
        self.apply = button("Apply", "Write these facts to the recording", primary=True)
        self.meta = QTreeWidget()
        self.meta.setHeaderLabels(["raw metadata", "value"])
        self.meta.setMinimumHeight(160)
        self._lay_out()
        self.chooser.changed.connect(self._show)
        self.apply.clicked.connect(self._on_apply)
        self._show()

    def _lay_out(self) -> None:
        self.rows.addWidget(self.hint)
        self.rows.addWidget(self.chooser)
        self.rows.addWidget(self.warning)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(3)
        form.addRow("Pixel height [µm]", self.pixel_y)
        form.addRow("Pixel width [µm]", self.pixel_x)
        form.addRow("Distance of planes [µm]", self.z_step)
        form.addRow("Date", self.date)
        form.addRow("Origin", self.origin)
        self.rows.addLayout(form)
        self.add_row(self.apply, stretch=0)
        self.rows.addWidget(heading("What the file says"))
        self.rows.addWidget(self.meta, 1)

    def _show(self) -> None:
        recording = self.chooser.recording
        known = recording is not None
        for widget in (self.pixel_y, self.pixel_x, self.date, self.origin, self.apply):
            widget.setEnabled(known)
        self.z_step.setEnabled(known and recording.ndim == 4)
        self.hint.say("" if known else _START)
        self.meta.clear()
        self.warning.setVisible(False)
        if not known:
            return
        attrs = recording.attrs
        height, width = attrs.get("pixel_size_um") or (0.0, 0.0)
        self.pixel_y.setValue(height)
        self.pixel_x.setValue(width)
        self.z_step.setValue(attrs.get("z_step_um") or 0.0)
        self.date.setText(attrs.get("date") or "")
        self.origin.setText(attrs.get("origin") or "")
        for line in (self.date, self.origin):
            line.setCursorPosition(0)
        _fill(self.meta.invisibleRootItem(), attrs.get("meta") or {})
        self._warn(attrs.get("meta") or {})

    def _warn(self, meta: dict[str, Any]) -> None:
        """Say when the frame rate varies."""
        std, largest = meta.get("fps_std") or 0.0, meta.get("fps_max_dev") or 0.0
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
        facts = {
            "pixel_size_um": sizes if all(sizes) else None,
            "z_step_um": self.z_step.value() or None,
            "date": self.date.text().strip() or None,
            "origin": self.origin.text().strip() or None,
        }
        with StepTimer("edit_facts", facts, inputs=[recording]) as timer:
            recording.attrs.update(facts)
        history = timer.extend(recording.attrs.get("history") or [])
        recording.attrs["history"] = history
        layer.metadata["mesmerize"] |= describe(recording)
        layer.scale = (1.0, *spatial_scale(recording))
        layer.units = ("pixel", *spatial_units(recording))
        self.hint.say("Written. A sample that is saved from now on has these facts.")


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
