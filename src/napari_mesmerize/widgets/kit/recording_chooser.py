"""Choose one of the open recordings, see its facts, give its frame rate."""

import xarray as xr
from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QLabel, QWidget

from napari_mesmerize.widgets.kit.lifetime import connect_while_alive
from napari_mesmerize.widgets.layers.recordings import (
    recording_of,
    summary,
)
from napari_mesmerize.widgets.session.session import Session


class RecordingChooser(QWidget):
    """A box with the names of the recordings that are open.

    Parameters
    ----------
    session : Session
        The viewer's session.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._layers: list[Image] = []
        self.box = QComboBox()
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMinimumContentsLength(12)
        self.facts = QLabel()
        self.facts.setWordWrap(True)
        self.rate = QDoubleSpinBox()
        self.rate.setRange(0, 100000)
        self.rate.setDecimals(3)
        self.rate.setSpecialValueText("unknown")
        self.rate.setKeyboardTracking(False)
        self.rate.setToolTip("Frames per second (volumes per second in volumes)")
        rows = QFormLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setVerticalSpacing(3)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.addRow("Recording", self.box)
        rows.addRow(self.facts)
        rows.addRow("Frame rate [Hz]", self.rate)
        self.box.currentIndexChanged.connect(self._show)
        self.rate.valueChanged.connect(self._on_rate)
        connect_while_alive(self, session.recordings_changed, self.refresh)
        self.refresh()

    @property
    def layer(self) -> Image | None:
        """The chosen layer, or ``None``."""
        at = self.box.currentIndex()
        return self._layers[at] if 0 <= at < len(self._layers) else None

    @property
    def recording(self) -> xr.DataArray | None:
        """The chosen recording, or ``None``."""
        return None if self.layer is None else recording_of(self.layer)

    def choose(self, layer: Image) -> None:
        """Choose a layer."""
        if layer in self._layers:
            self.box.setCurrentIndex(self._layers.index(layer))

    def refresh(self) -> None:
        """Show the recordings that are open now; keep the choice where it still is."""
        before = self.layer
        layers = self._session.recording_layers()
        names = [layer.name for layer in layers]
        if layers == self._layers and names == [
            self.box.itemText(i) for i in range(self.box.count())
        ]:
            return
        self.box.blockSignals(True)
        self._layers = layers
        self.box.clear()
        self.box.addItems(names)
        wanted = before if before in layers else self._session.active_recording_layer()
        if wanted in layers:
            self.box.setCurrentIndex(layers.index(wanted))
        self.box.blockSignals(False)
        self._show()

    def _show(self) -> None:
        recording = self.recording
        self.box.setToolTip(
            f"<b>{self.box.currentText()}</b><br>Image layers with axes (frame, y, x) "
            "or (frame, z, y, x)"
        )
        for widget in (self.facts, self.rate):
            widget.setEnabled(recording is not None)
        self.facts.setText("" if recording is None else summary(recording))
        self.rate.blockSignals(True)
        rate = None if recording is None else recording.attrs.get("frame_rate")
        self.rate.setValue(rate or 0.0)
        self.rate.blockSignals(False)
        self.changed.emit()

    def _on_rate(self, value: float) -> None:
        if self.layer is not None:
            self._session.set_facts(self.layer, {"frame_rate": float(value) or None})
            self.facts.setText(summary(recording_of(self.layer)))
            self.changed.emit()
