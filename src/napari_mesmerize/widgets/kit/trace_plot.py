"""The plot of the traces dock: curves, epochs as bands, a cursor at the frame."""

from typing import Any

import numpy as np
import pandas as pd
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, Signal
from qtpy.QtGui import QColor, QPainter
from qtpy.QtWidgets import QWidget

from napari_mesmerize.plots.decimate import decimate, heights, to_unit

_BINS = 1500  # about a screen's width


class TracePlot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """Traces over time; x is seconds, or frames where ``seconds_per_frame`` is 0."""

    frame_picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._times: NDArray[np.float64] = np.arange(0.0)
        self._many: NDArray[np.floating] | None = None
        self._limits: NDArray[np.float32] = np.empty((0, 2), np.float32)
        self.bands = EpochBands()
        self.addItem(self.bands, ignoreBounds=True)
        self.heat = pg.ImageItem()
        self.heat.setColorMap(pg.colormap.get("viridis"))
        self.addItem(self.heat)
        self.others = pg.PlotCurveItem(skipFiniteCheck=True)
        self.addItem(self.others)
        self.curve = pg.PlotDataItem(clipToView=True)
        self.curve.setDownsampling(auto=True, method="peak")
        self.addItem(self.curve)
        self.cursor = pg.InfiniteLine(angle=90, movable=True)
        self.cursor.setZValue(100)
        self.addItem(self.cursor, ignoreBounds=True)
        self.cursor.sigDragged.connect(self._on_dragged)
        self.scene().sigMouseClicked.connect(self._on_clicked)
        self.plotItem.vb.sigRangeChanged.connect(self._on_range)
        for name in ("left", "bottom"):
            self.getAxis(name).enableAutoSIPrefix(False)
        self.setMenuEnabled(False)
        self.setMouseEnabled(x=True, y=False)
        self.hideButtons()

    # ------------------------------------------------------------------- data
    def set_times(self, times: NDArray[np.floating], *, seconds: bool) -> None:
        """Set the position of each frame along x."""
        self._times = np.asarray(times, np.float64)
        self.setLabel("bottom", "time [s]" if seconds else "frame")
        if len(times):
            self.plotItem.vb.setLimits(xMin=float(times[0]), xMax=float(times[-1]))
            self.setXRange(float(times[0]), float(times[-1]), padding=0)

    def show_one(self, trace: NDArray[np.floating] | None, colour: str) -> None:
        """Draw one trace on top (``None``: none)."""
        if trace is None or len(trace) != len(self._times):
            self.curve.setData([], [])
            return
        self.curve.setPen(pg.mkPen(colour, width=1.5))
        self.curve.setData(self._times, np.asarray(trace, np.float32))

    def show_many(
        self,
        traces: NDArray[np.floating] | None,
        *,
        selected: int | None = None,
        colour: str = "#ffffff",
    ) -> None:
        """Draw many traces, stacked, as one item; ``selected`` on top in ``colour``."""
        self._many = None
        if traces is None or len(traces) == 0 or traces.shape[1] != len(self._times):
            self.others.setData([], [])
            self.show_one(None, colour)
            return
        self._many, self._limits = traces, heights(traces)
        self._draw_many()
        row = None
        if selected is not None:
            seen = slice(selected, selected + 1)
            row = self._rows(seen, traces[[selected]], len(traces))[0]
        self.show_one(row, colour)

    def show_heat(self, traces: NDArray[np.floating] | None) -> None:
        """Draw traces as rows of an image, the first at the top."""
        self.bands.setZValue(-100)
        if traces is None or len(traces) == 0 or traces.shape[1] != len(self._times):
            self.heat.clear()
            return
        self.bands.setZValue(50)  # the image would hide them
        _, values = decimate(traces, 0, traces.shape[1], _BINS)
        unit = to_unit(values, heights(traces))
        shown = (255 * np.clip(np.nan_to_num(unit), 0, 1)).astype(np.uint8)
        self.heat.setImage(shown[::-1].T, levels=(0, 255))
        span = float(self._times[-1] - self._times[0]) or 1.0
        self.heat.setRect(QRectF(float(self._times[0]), 0, span, len(traces)))

    def clear_curves(self) -> None:
        """Draw nothing."""
        self.show_many(None)
        self.show_heat(None)

    def show_rows(self, n_rows: int, selected: int | None) -> None:
        """Show as many stacked rows as can be read, around the selected one."""
        readable = max(4, int(self.plotItem.vb.height() / 14))
        self.plotItem.vb.setLimits(yMin=-0.5, yMax=n_rows + 0.5)
        if n_rows <= readable:
            self.setYRange(-0.5, n_rows + 0.5, padding=0)
            return
        at = n_rows - 0.5 - (selected or 0)
        low = min(max(at - readable / 2, -0.5), n_rows + 0.5 - readable)
        self.setYRange(low, low + readable, padding=0)

    def fit_y(self, low: float | None = None, high: float | None = None) -> None:
        """Show the whole height of what is drawn, or a given range."""
        self.plotItem.vb.setLimits(yMin=None, yMax=None)
        if low is not None and high is not None:
            self.setYRange(low, high, padding=0.02)
            return
        y = self.curve.yData
        if y is not None and len(y) and np.isfinite(y).any():
            bottom, top = float(np.nanmin(y)), float(np.nanmax(y))
            self.setYRange(bottom, top if top > bottom else bottom + 1, padding=0.06)

    def _draw_many(self) -> None:
        if self._many is None or not len(self._times):
            return
        (low, high), (bottom, top) = self.plotItem.vb.viewRange()
        first = int(np.searchsorted(self._times, low)) - 1
        last = int(np.searchsorted(self._times, high)) + 1
        n_rows = len(self._many)
        start = min(max(0, n_rows - int(np.ceil(top)) - 2), n_rows - 1)
        stop = max(min(n_rows, n_rows - int(np.floor(bottom)) + 2), start + 1)
        seen = slice(start, stop)
        frames, values = decimate(self._many[seen], first, last, _BINS // 2)
        values = self._rows(seen, values, n_rows)
        x = np.interp(frames, np.arange(len(self._times)), self._times)
        connect = np.ones(values.shape, np.int32)
        connect[:, -1] = 0
        self.others.setData(
            np.tile(x, len(values)), values.ravel(), connect=connect.ravel()
        )

    def _rows(
        self, which: slice, traces: NDArray[np.floating], n_rows: int
    ) -> NDArray[np.float32]:
        """Return traces as rows of unit height, the first of all at the top."""
        base = n_rows - 1 - np.arange(which.start, which.stop)
        unit = np.clip(to_unit(traces, self._limits[which]), -0.5, 1.3)
        return 0.9 * unit + base[:, None].astype(np.float32)

    def _on_range(self, *_: object) -> None:
        self._draw_many()
        self.bands.follow_view()

    # ----------------------------------------------------------------- cursor
    def set_frame(self, frame: int) -> None:
        """Move the cursor to a frame."""
        if 0 <= frame < len(self._times):
            self.cursor.setValue(float(self._times[frame]))

    def frame_at(self, x: float) -> int:
        """Return the frame nearest to a position along x."""
        at = int(np.searchsorted(self._times, x))
        at = min(max(at, 0), len(self._times) - 1)
        if at > 0 and x - self._times[at - 1] < self._times[at] - x:
            at -= 1
        return at

    def _on_dragged(self) -> None:
        if len(self._times):
            self.frame_picked.emit(self.frame_at(self.cursor.value()))

    def _on_clicked(self, event: Any) -> None:
        box = self.plotItem.vb
        if len(self._times) and box.sceneBoundingRect().contains(event.scenePos()):
            self.frame_picked.emit(
                self.frame_at(box.mapSceneToView(event.scenePos()).x())
            )

    # ----------------------------------------------------------------- colours
    def set_theme(self, background: str, foreground: str) -> None:
        """Take napari's colours."""
        self.setBackground(QColor(background))
        pen = pg.mkPen(QColor(foreground))
        for name in ("bottom", "left"):
            axis = self.getAxis(name)
            axis.setPen(pen)
            axis.setTextPen(pen)
        self.cursor.setPen(pg.mkPen(QColor(foreground), width=1))
        self.cursor.setHoverPen(pg.mkPen(QColor("#F0E442"), width=3))
        grey = QColor(foreground)
        grey.setAlpha(130)
        self.others.setPen(pg.mkPen(grey, width=1))


class EpochBands(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph has no types
    """Stimulus epochs as coloured bands, a lane a stimulus type, drawn as one item."""

    def __init__(self) -> None:
        super().__init__()
        self._bands: list[tuple[float, float, int, QColor]] = []
        self._n_lanes = 1
        self.setZValue(-100)

    def set_epochs(self, epochs: pd.DataFrame | None, scale: float = 1.0) -> None:
        """Show epochs; ``scale`` is units of x a second."""
        self._bands = []
        if epochs is not None:
            lanes, types = pd.factorize(epochs["stimulus_type"])
            self._n_lanes = max(1, len(types))
            starts, stops = (
                (epochs[name].to_numpy(np.float64) * scale).tolist()
                for name in ("start_s", "stop_s")
            )
            for start, stop, lane, name in zip(
                starts, stops, lanes, epochs["colour"], strict=True
            ):
                colour = QColor(str(name))
                colour.setAlpha(70)
                self._bands.append((start, stop, int(lane), colour))
        self.prepareGeometryChange()
        self.update()

    def __len__(self) -> int:
        return len(self._bands)

    def follow_view(self) -> None:
        """Cover the part of the plot that is seen now."""
        self.prepareGeometryChange()

    def boundingRect(self) -> QRectF:
        """Cover all that is seen."""
        return QRectF(self.viewRect()) if self.getViewBox() is not None else QRectF()

    def paint(self, painter: QPainter, *_: object) -> None:
        """Fill the bands that are seen."""
        seen = self.viewRect()
        height = seen.height() / self._n_lanes
        for start, stop, lane, colour in self._bands:
            if stop > seen.left() and start < seen.right():
                band = QRectF(start, seen.top() + lane * height, stop - start, height)
                painter.fillRect(band, colour)
