"""A threshold on a score: slider, number, and the histogram that it cuts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QLabel,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_mesmerize.widgets.kit.column import row_of

_TICKS = 1000  # of a slider
_BINS = 40
_HEIGHT = 54
_ACCEPTED, _REJECTED, _LINE = "#33d973", "#8a4b4b", "#f0e442"


@dataclass(frozen=True)
class Rule:
    """A threshold that people can move.

    Attributes
    ----------
    name : str
        Field of the thresholds model.
    column : str
        Score that it cuts.
    title, tooltip : str
        For people.
    highest : float
        End of the slider; 0 takes it from the scores.
    lines : callable
        Where the histogram is cut at a value of the threshold; nowhere, if other scores
        are cut.
    value_at : callable
        The threshold that cuts the histogram at a place.
    """

    name: str
    column: str
    title: str
    tooltip: str
    highest: float = 0.0
    lines: Callable[[float], tuple[float, ...]] = lambda value: (value,)
    value_at: Callable[[float], float] = lambda place: place


class RuleEditor(QWidget):
    """Edit one threshold; 0 switches it off.

    Parameters
    ----------
    rule : Rule
        Which one.
    """

    changed = Signal()

    def __init__(self, rule: Rule, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rule = rule
        self._values: NDArray[np.float64] = np.zeros(0)
        self._bounds = np.linspace(0, 1, _BINS + 1)
        self.label = QLabel(rule.title)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _TICKS)
        self.number = QDoubleSpinBox()
        self.number.setDecimals(2)
        self.number.setSingleStep(0.05 if 0 < rule.highest <= 1 else 0.1)
        self.number.setSpecialValueText("off")
        self.number.setKeyboardTracking(False)
        self.number.setFixedWidth(100)
        self._make_plot()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 2)
        layout.setSpacing(1)
        layout.addLayout(row_of(self.label, self.number, stretch=0))
        layout.addWidget(self.plot)
        layout.addWidget(self.slider)
        self.setToolTip(f"<p><b>{rule.name}</b><br>{rule.tooltip}<br>0 is off.</p>")
        self.number.valueChanged.connect(self._on_number)
        self.slider.valueChanged.connect(self._on_slider)
        self._set_highest(rule.highest or 10.0)

    def _make_plot(self) -> None:
        self.plot = pg.PlotWidget()
        self.plot.setFixedHeight(_HEIGHT)
        self.plot.setMinimumWidth(60)
        self.plot.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.setMouseEnabled(False, False)
        self.plot.hideAxis("left")
        self.plot.getAxis("bottom").setStyle(tickLength=3, tickTextOffset=1)
        self.plot.getAxis("bottom").setHeight(16)
        self.plot.getPlotItem().setContentsMargins(4, 0, 4, 0)
        self._bars = [
            pg.BarGraphItem(x=[], height=[], width=1, brush=colour, pen=None)
            for colour in (_REJECTED, _ACCEPTED)
        ]
        for bars in self._bars:
            self.plot.addItem(bars)
        self._lines: list[pg.InfiniteLine] = []

    def look(self, theme: Any) -> None:
        """Take the colours of a napari theme."""
        self.plot.setBackground(theme.background.as_hex())
        axis = self.plot.getAxis("bottom")
        axis.setTextPen(theme.text.as_hex())
        axis.setPen(theme.secondary.as_hex())

    # ------------------------------------------------------------------ values
    @property
    def value(self) -> float:
        """The threshold."""
        exact = self.number.property("exact")
        if exact is not None and abs(exact - self.number.value()) < 0.0051:
            return float(exact)
        return self.number.value()

    def set_value(self, value: float) -> None:
        """Set the threshold, to all its digits."""
        if value > self.number.maximum():
            self._set_highest(value)
        self.number.setProperty("exact", float(value))
        self.number.setValue(value)

    def show_scores(self, values: NDArray[np.float64]) -> None:
        """Show the histogram of other scores."""
        self._values = values
        finite = values[np.isfinite(values)]
        highest = self.rule.highest
        if not highest:
            top = float(np.percentile(finite, 99)) if finite.size else 10.0
            highest = max(top * 1.05, self.value * 1.5, 1.0)
        self._set_highest(highest)
        low = min(0.0, float(np.percentile(finite, 1))) if finite.size else 0.0
        cuts = self.rule.lines(highest)
        high = max(cuts, default=highest) if self.rule.highest else highest
        if finite.size and not cuts:
            high = float(finite.max())
        elif finite.size:
            high = min(high, max(float(finite.max()), self._farthest()))
        self._bounds = np.linspace(low, max(high, low + 1e-6), _BINS + 1)
        self.plot.setXRange(low, self._bounds[-1], padding=0.01)

    def show_verdict(self, accepted: NDArray[np.bool_]) -> None:
        """Draw the histogram, accepted ROIs apart."""
        clipped = self._values
        if not self.rule.highest:  # what lies far out counts at the ends
            clipped = np.clip(clipped, self._bounds[0], self._bounds[-1])
        known = np.isfinite(clipped)
        everything, _ = np.histogram(clipped[known], self._bounds)
        kept, _ = np.histogram(clipped[known & accepted], self._bounds)
        middles = (self._bounds[1:] + self._bounds[:-1]) / 2
        width = float(self._bounds[1] - self._bounds[0])
        for bars, heights in zip(self._bars, (everything, kept), strict=True):
            bars.setOpts(x=middles, height=heights, width=width)
        self.plot.setYRange(0, max(1, int(everything.max(initial=1))), padding=0.02)
        self._draw_lines()

    def _farthest(self) -> float:
        return 1.2 * max(self.rule.lines(self.value), default=0.0)

    def _set_highest(self, highest: float) -> None:
        blocked = self.number.blockSignals(True)
        self.number.setRange(0, float(highest))
        self.number.blockSignals(blocked)
        self._follow()

    def _follow(self) -> None:
        self.slider.blockSignals(True)
        share = self.number.value() / max(self.number.maximum(), 1e-9)
        self.slider.setValue(round(share * _TICKS))
        self.slider.blockSignals(False)

    def _draw_lines(self) -> None:
        places = self.rule.lines(self.value) if self.value > 0 else ()
        while len(self._lines) < len(places):
            line = pg.InfiniteLine(
                angle=90,
                movable=True,
                pen=pg.mkPen(_LINE, width=2),
                hoverPen=pg.mkPen("w", width=3),
            )
            line.sigDragged.connect(self._on_dragged)
            self._lines.append(line)
            self.plot.addItem(line, ignoreBounds=True)
        for i, line in enumerate(self._lines):
            line.setVisible(i < len(places))
            if i < len(places):
                line.setValue(places[i])

    # ------------------------------------------------------------------ events
    def _on_number(self, value: float) -> None:
        self._follow()
        self._draw_lines()
        self.changed.emit()

    def _on_slider(self, tick: int) -> None:
        self.set_value(tick / _TICKS * self.number.maximum())

    def _on_dragged(self, line: Any) -> None:
        place = max(float(line.value()), 1e-3)
        self.set_value(float(np.clip(self.rule.value_at(place), 0, 1e6)))
