"""Candidates for seeds as points (correlation, PNR), cut by two thresholds."""

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_mesmerize.cnmf.search.candidates import Candidates

_MOST = 3000  # points drawn, the best ones
SEED_COLOUR = "#00e5ff"
_OTHER, _LINE = "#8593a1", "#f0e442"


class SeedPlot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """A scatter plot whose two lines are the thresholds; they can be dragged."""

    moved = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(170)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(False, False)
        self.setLabel("bottom", "correlation")
        self.setLabel("left", "PNR")
        self._points = pg.ScatterPlotItem(size=4, pen=None)
        self._points.setZValue(1)
        self.addItem(self._points)
        pen, hover = pg.mkPen(_LINE, width=2), pg.mkPen("w", width=3)
        self.lines = [
            pg.InfiniteLine(angle=angle, movable=True, pen=pen, hoverPen=hover)
            for angle in (90, 0)
        ]
        for line in self.lines:
            line.setZValue(2)
            line.sigDragged.connect(self._on_dragged)
            self.addItem(line, ignoreBounds=True)
        self._brushes = np.array([pg.mkBrush(_OTHER), pg.mkBrush(SEED_COLOUR)], object)

    def look(self, theme: Any) -> None:
        """Take the colours of a napari theme."""
        self.setBackground(theme.background.as_hex())
        for name in ("bottom", "left"):
            self.getAxis(name).setPen(theme.secondary.as_hex())
            self.getAxis(name).setTextPen(theme.text.as_hex())  # of the label, too

    def show_candidates(self, found: Candidates) -> None:
        """Draw other candidates."""
        self._points.setData(found.correlation[:_MOST], found.pnr[:_MOST])
        top = float(found.pnr[:_MOST].max(initial=1.0))
        low = float(found.correlation[:_MOST].min(initial=0.5))
        self.setXRange(max(0.0, low - 0.1), 1, padding=0.02)
        self.setYRange(0, top, padding=0.05)

    def show_thresholds(
        self, min_corr: float, min_pnr: float, passing: NDArray[np.bool_]
    ) -> None:
        """Draw the thresholds, and what passes them."""
        low, high = self.viewRange()[0]
        if min_corr < low:
            self.setXRange(max(0.0, min_corr - 0.05), high, padding=0)
        for line, value in zip(self.lines, (min_corr, min_pnr), strict=True):
            line.setValue(value)
        if len(passing):
            self._points.setBrush(list(self._brushes[passing[:_MOST].astype(int)]))

    def _on_dragged(self, line: Any) -> None:
        min_corr, min_pnr = (float(line.value()) for line in self.lines)
        self.moved.emit(float(np.clip(min_corr, 0, 1)), max(min_pnr, 0.0))
