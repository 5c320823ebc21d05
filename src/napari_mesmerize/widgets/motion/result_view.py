"""What a motion correction gave: plots, and raw and corrected movie compared."""

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from napari.layers import Image
from napari.utils.theme import get_theme
from numpy.typing import NDArray
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QVBoxLayout, QWidget

from napari_mesmerize.motion.quality import bending
from napari_mesmerize.widgets.kit.column import note, row_of
from napari_mesmerize.widgets.motion.field_arrows import (
    TIMES,
    FieldArrows,
    has_field,
)
from napari_mesmerize.widgets.session.session import Session

if TYPE_CHECKING:
    from napari_mesmerize.motion import MotionResult

SHIFTS, CORRELATION, BENDING = "Shifts", "Correlation", "Bending"
CRISPNESS = "Crispness"
_AXIS_COLOURS = {"z": "#009E73", "y": "#56B4E9", "x": "#E69F00"}
_BEFORE, _AFTER = "#9a9a9a", "#56B4E9"
_GAP = 0.05  # of the width, between two movies side by side
_BLINK_MS = 400


class MotionResultView(QWidget):
    """A summary, a plot over frames, and ways to compare two layers.

    Parameters
    ----------
    session : Session
        The viewer's session.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._result: MotionResult | None = None
        self._pair: tuple[Image, Image] | None = None
        self._moved: NDArray[np.floating] | None = None
        self.summary = note()
        self.what = QComboBox()
        self.what.setToolTip(
            "Shifts: what was added to each frame. Correlation: of each frame with the "
            "template. Bending: how much patches move against the whole frame. "
            "Crispness: gradient of the mean image, which a good correction raises"
        )
        self.legend = QLabel()
        self.plot = pg.PlotWidget()
        self.plot.setFixedHeight(150)
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.blink = QCheckBox("Blink")
        self.blink.setToolTip(
            "Show raw and corrected in turn: what still jumps is not corrected"
        )
        self.side_by_side = QCheckBox("Side by side")
        self.side_by_side.setToolTip("Show the raw movie to the left of the corrected")
        self.field = QCheckBox(f"Draw the bending of the shown frame, × {TIMES}")
        self.field.setToolTip("An arrow for each patch: its shift less that of all")
        self._arrows = FieldArrows(session.open_viewer)
        self.destroyed.connect(self._arrows.stop)
        self._timer = QTimer(self)
        self._timer.setInterval(_BLINK_MS)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.summary)
        layout.addLayout(row_of(self.what, self.legend, stretch=1))
        layout.addWidget(self.plot)
        compare = row_of(QLabel("Raw and corrected:"), self.blink, self.side_by_side)
        compare.addStretch(1)
        layout.addLayout(compare)
        layout.addWidget(self.field)
        self.what.currentTextChanged.connect(self._draw)
        self.blink.toggled.connect(self._on_blink)
        self.side_by_side.toggled.connect(self._on_side_by_side)
        self.field.toggled.connect(self._on_field)
        self._timer.timeout.connect(self.swap)
        self.hide()

    def show_result(self, result: "MotionResult", raw: Image, corrected: Image) -> None:
        """Show a result and the two layers to compare."""
        self.blink.setChecked(False)
        self.side_by_side.setChecked(False)
        self.field.setChecked(False)
        self._result = result
        self._pair = (raw, corrected)
        self.summary.setText(_summarise(result, corrected.name))
        bent = has_field(result)
        self.field.setVisible(bent)
        self.what.blockSignals(True)
        self.what.clear()
        plots = [SHIFTS, CORRELATION, *([BENDING] if bent else []), CRISPNESS]
        self.what.addItems(plots)
        self.what.blockSignals(False)
        self._draw()
        self.show()

    # -------------------------------------------------------------------- plot
    def _draw(self, *_: object) -> None:
        result = self._result
        if result is None:
            return
        theme = get_theme(self._session.open_viewer.theme)
        self.plot.clear()
        self.plot.setBackground(theme.background.as_hex())
        for name in ("bottom", "left"):
            axis = self.plot.getAxis(name)
            axis.setTextPen(theme.text.as_hex())
            axis.setPen(theme.text.as_hex())
            axis.enableAutoSIPrefix(False)
            axis.setTicks(None)
        self.plot.setLabel("bottom", "frame")
        self.plot.enableAutoRange()
        draw = {
            CORRELATION: self._draw_correlation,
            BENDING: self._draw_bending,
            CRISPNESS: self._draw_crispness,
        }
        draw.get(self.what.currentText(), self._draw_shifts)(result)

    def _draw_shifts(self, result: "MotionResult") -> None:
        shifts = np.asarray(result.shifts)
        names = "zyx"[-shifts.shape[1] :]
        self.plot.setLabel("left", "shift [px]")
        for name, trace in zip(names, shifts.T, strict=True):
            self.plot.plot(trace, pen=pg.mkPen(_AXIS_COLOURS[name], width=1))
        self._say({name: _AXIS_COLOURS[name] for name in names})

    def _draw_correlation(self, result: "MotionResult") -> None:
        quality = result.quality
        self.plot.setLabel("left", "correlation")
        for values, colour in (
            (quality.correlation_before, _BEFORE),
            (quality.correlation_after, _AFTER),
        ):
            self.plot.plot(np.asarray(values), pen=pg.mkPen(colour), connect="finite")
        at = np.flatnonzero(quality.outliers)
        after = np.nan_to_num(np.asarray(quality.correlation_after)[at])
        self.plot.plot(
            at, after, pen=None, symbol="o", symbolSize=5, symbolBrush="#D55E00"
        )
        self._say({"raw": _BEFORE, "corrected": _AFTER, "outlier": "#D55E00"})

    def _draw_bending(self, result: "MotionResult") -> None:
        self.plot.setLabel("left", "bending [px]")
        largest, typical = bending(np.asarray(result.field))
        for values, colour in ((largest, _BEFORE), (typical, _AFTER)):
            self.plot.plot(values, pen=pg.mkPen(colour), connect="finite")
        self._say({"largest": _BEFORE, "typical": _AFTER})

    def _draw_crispness(self, result: "MotionResult") -> None:
        """Draw a bar for the mean image of each recording, with its number."""
        quality = result.quality
        before, after = quality.crispness_before, quality.crispness_after
        bars = pg.BarGraphItem(
            x0=0, width=[after, before], y=[0, 1], height=0.6, brushes=[_AFTER, _BEFORE]
        )
        self.plot.addItem(bars)
        colour = get_theme(self._session.open_viewer.theme).text.as_hex()
        gain = f", {100 * (after / before - 1):+.0f} %" if before > 0 else ""
        for y, value, more in ((0, after, gain), (1, before, "")):
            number = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
            text = pg.TextItem(f"{number}{more}", color=colour, anchor=(0, 0.5))
            text.setPos(value, y)
            self.plot.addItem(text)
        self.plot.setXRange(0, 1.6 * max(before, after, 1e-12), padding=0)
        self.plot.setYRange(-0.5, 1.5, padding=0)
        self.plot.setLabel("bottom", "crispness of the mean image")
        self.plot.setLabel("left", "")
        self.plot.getAxis("left").setTicks([[(0, "corrected"), (1, "raw")]])
        self._say({"raw": _BEFORE, "corrected": _AFTER})

    def _say(self, colours: dict[str, str]) -> None:
        parts = [f'<b style="color:{c}">{name}</b>' for name, c in colours.items()]
        self.legend.setText("&nbsp; ".join(parts))

    # ----------------------------------------------------------------- compare
    def both_open(self) -> tuple[Image, Image] | None:
        """Return the raw and the corrected layer if both are still there."""
        viewer = self._session.viewer
        if viewer is None or self._pair is None:
            return None
        both = all(layer in viewer.layers for layer in self._pair)
        return self._pair if both else None

    def swap(self) -> None:
        """Show the other one of the two layers."""
        pair = self.both_open()
        if pair is None:
            self.blink.setChecked(False)
            return
        raw, corrected = pair
        show_raw = not raw.visible
        raw.visible, corrected.visible = show_raw, not show_raw

    def _on_blink(self, on: bool) -> None:
        pair = self.both_open()
        if on and pair is not None:
            self.side_by_side.setChecked(False)
            self._timer.start()
            return
        self._timer.stop()
        self.blink.setChecked(False)
        if pair is not None:
            raw, corrected = pair
            raw.visible, corrected.visible = False, True

    def _on_field(self, on: bool) -> None:
        pair = self.both_open()
        if on and pair is not None and self._result is not None:
            self._arrows.show(self._result, pair[1])
        else:
            self.field.setChecked(False)
            self._arrows.hide()

    def _on_side_by_side(self, on: bool) -> None:
        pair = self.both_open()
        if pair is None:
            self.side_by_side.setChecked(False)
            return
        raw, corrected = pair
        if on:
            self.blink.setChecked(False)
            self._moved = np.array(raw.translate)
            width = (raw.data.shape[-1] * (1 + _GAP)) * raw.scale[-1]
            place = np.array(raw.translate)
            place[-1] = corrected.translate[-1] - width
            raw.translate = place
            raw.contrast_limits = corrected.contrast_limits
            raw.visible = corrected.visible = True
            self._session.open_viewer.reset_view()
        elif self._moved is not None:
            raw.translate, self._moved = self._moved, None
            raw.visible = False
            self._session.open_viewer.reset_view()


def _summarise(result: "MotionResult", name: str) -> str:
    """Say in a few sentences what a correction did."""
    shifts, quality = np.asarray(result.shifts), result.quality
    if not quality.registered:
        return (
            "Nothing was moved: the frames have no structure in common to align to. "
            "Correct the raw recording, not one of dF/F; too dim a recording can not "
            f"be aligned. The layer '{name}' shows the frames as they were."
        )
    largest = float(np.abs(shifts).max()) if shifts.size else 0.0
    gain = quality.crispness_after / max(quality.crispness_before, 1e-12)
    sentences = [
        f"Largest shift {largest:.1f} px; the mean image is "
        f"{abs(100 * (gain - 1)):.0f} % {'crisper' if gain >= 1 else 'less crisp'}."
    ]
    n_outliers = int(np.sum(quality.outliers))
    if n_outliers:
        sentences.append(f"{n_outliers} frames look unlike the others.")
    sentences.append(f"The result is the layer '{name}'; the raw one is kept.")
    return " ".join(sentences)
