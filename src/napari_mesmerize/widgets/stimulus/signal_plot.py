"""The plot of a recorded signal: its line, its levels, and the epochs they make."""

from typing import Any

import numpy as np
import pandas as pd
import pyqtgraph as pg
from napari.utils.theme import Theme
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QWidget

from napari_mesmerize.data.signals import Signal
from napari_mesmerize.widgets.kit.trace_plot import EpochBands

_HEIGHT = 130


class SignalPlot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """A signal over time in seconds."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bands = EpochBands()
        self.addItem(self.bands, ignoreBounds=True)
        self.line = pg.PlotDataItem(clipToView=True)
        self.line.setDownsampling(auto=True, method="peak")
        self.addItem(self.line)
        self._levels: list[Any] = []
        self._text = QColor("#ffffff")
        self.plotItem.vb.sigRangeChanged.connect(lambda *_: self.bands.follow_view())
        self.getAxis("left").enableAutoSIPrefix(False)
        self.getAxis("bottom").enableAutoSIPrefix(False)
        self.setLabel("bottom", "time [s]")
        self.setMouseEnabled(x=True, y=False)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setFixedHeight(_HEIGHT)

    def sizeHint(self) -> QSize:
        """Be as low as is useful in a column."""
        return QSize(300, _HEIGHT)

    def show_signal(self, signal: Signal | None, stop_s: float | None = None) -> None:
        """Draw a signal, from the first frame to the end of the movie."""
        if signal is None or not len(signal.time_s):
            self.line.setData([], [])
            return
        x, y = signal.line()
        self.line.setData(np.asarray(x, float), np.asarray(y, float))
        self.setLabel("left", f"{signal.name} [{signal.unit}]" if signal.unit else "")
        known = signal.values[np.isfinite(signal.values)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0, 0)
        margin = 0.08 * (high - low) or 1.0
        self.setYRange(low - margin, high + margin, padding=0)
        first, last = float(signal.time_s[0]), float(signal.time_s[-1])
        last = last if stop_s is None else max(stop_s, min(last, 1.05 * stop_s))
        self.setXRange(min(0.0, first), last, padding=0.01)

    def show_levels(self, levels: dict[float, str]) -> None:
        """Draw a dashed line at each level in its colour (empty: that of text)."""
        for item in self._levels:
            self.removeItem(item)
        self._levels = []
        for level, colour in levels.items():
            pen = pg.mkPen(
                QColor(colour) if colour else self._text, style=Qt.PenStyle.DashLine
            )
            item = pg.InfiniteLine(level, angle=0, pen=pen)
            item.setZValue(-50)
            self._levels.append(item)
            self.addItem(item, ignoreBounds=True)

    def show_epochs(self, epochs: pd.DataFrame | None) -> None:
        """Draw epochs as coloured bands."""
        self.bands.set_epochs(epochs)

    def look(self, theme: Theme) -> None:
        """Take napari's colours."""
        self._text = QColor(theme.text.as_hex())
        self.setBackground(QColor(theme.background.as_hex()))
        pen = pg.mkPen(self._text)
        for name in ("bottom", "left"):
            self.getAxis(name).setPen(pen)
            self.getAxis(name).setTextPen(pen)
        self.line.setPen(pg.mkPen(self._text, width=1))
