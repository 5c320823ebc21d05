"""Inspect correlation & PNR: the images that seeds are found on, before a long run."""

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import xarray as xr
from napari.layers import Image, Layer, Points
from napari.utils.theme import get_theme
from numpy.typing import NDArray
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QSpinBox, QWidget
from superqt import QLabeledDoubleSlider

from napari_mesmerize.cnmf.params import CnmfeParams
from napari_mesmerize.cnmf.search.candidates import Candidates, find_candidates
from napari_mesmerize.progress import Progress
from napari_mesmerize.widgets.extraction.seed_plot import SEED_COLOUR, SeedPlot
from napari_mesmerize.widgets.jobs.job import JobBar
from napari_mesmerize.widgets.kit.column import Column, Hint, button, form_of, note
from napari_mesmerize.widgets.kit.lifetime import connect_while_alive
from napari_mesmerize.widgets.kit.recording_chooser import RecordingChooser
from napari_mesmerize.widgets.layers.recordings import KEY, spatial_scale, spatial_units
from napari_mesmerize.widgets.session.session import get_session

if TYPE_CHECKING:
    import napari.viewer

L = TypeVar("L", bound=Layer)
_WAIT_MS = 15  # moves that follow each other are shown together
_SHOWN = ("correlation", "PNR", "recording")
_LOOK = (
    "Move the thresholds, or drag the yellow lines, until most cells carry a ring and "
    "the dark between them does not. Cells are <b>bright in both</b> images; in the "
    "plot they are the cloud at the top right. Several rings on one cell: the diameter "
    "is too small. One ring on several cells: it is too large."
)


class InspectDock(Column):
    """See which seeds a cell diameter and two thresholds would give.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._session = get_session(napari_viewer)
        self.found: Candidates | None = None
        self._layers: dict[str, Layer] = {}
        self._of: Image | None = None
        self._make_parts()
        self._lay_out()
        self._connect()
        self._on_theme()
        self._on_chosen()

    def _make_parts(self) -> None:
        self.hint = Hint()
        self.chooser = RecordingChooser(self._session)
        self.diameter = _slider(2, 60, 10, 1)
        self.diameter.setToolTip(
            "<p><b>cell_diameter</b>, px (gSiz). Frames are smoothed with a Gaussian "
            "of a quarter of it (CNMF-E's gSig). The rings have this size.</p>"
        )
        self.estimate = button("Estimate", "Measure the diameter of active cells")
        self.center = QCheckBox("Subtract smooth background")
        self.center.setChecked(True)
        self.center.setToolTip("For scattered light; as CNMF-E does (center_psf)")
        self.first, self.last, self.most = QSpinBox(), QSpinBox(), QSpinBox()
        self.most.setRange(50, 100000)
        self.most.setSingleStep(500)
        self.most.setValue(1000)
        self.most.setToolTip("At most this many are used, spread over the window")
        self.compute = button("Compute images", "Takes some seconds", primary=True)
        self.job = JobBar(self._session.open_viewer)
        self.shown = QComboBox()
        self.shown.addItems(_SHOWN)
        self.shown.setToolTip("The image that is shown under the rings")
        self.plot = SeedPlot()
        defaults = CnmfeParams()
        self.min_corr = _slider(0, 1, defaults.min_corr, 2)
        self.min_corr.setToolTip("<b>min_corr</b>: correlation with the pixels around")
        self.min_pnr = _slider(0, 50, defaults.min_pnr, 1)
        self.min_pnr.setToolTip("<b>min_pnr</b>: peak over noise")
        self.count = note()
        self.as_seeds = QCheckBox("Start CNMF from these seeds (corr_pnr)")
        self.as_seeds.setToolTip(
            "Otherwise only the cell diameter matters: by default CNMF looks for "
            "events and needs no thresholds on these images"
        )
        self.hand_over = button("Use in CNMF", "Give these values to the CNMF dock")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)

    def _lay_out(self) -> None:
        self.rows.addWidget(self.hint)
        self.rows.addWidget(self.chooser)
        self.rows.addLayout(form_of(("Cell diameter [px]", self.diameter)))
        self.add_row(self.center, self.estimate, stretch=0)
        self.add_row(QLabel("Frames"), self.first, QLabel("to"), self.last)
        self.add_row(QLabel("at most"), self.most, QLabel("of them"), stretch=1)
        self.rows.addWidget(self.compute)
        self.rows.addWidget(self.job)
        self.result: list[QWidget] = [
            self.plot,
            self.count,
            self.as_seeds,
            self.hand_over,
        ]
        self._labels = [QLabel("Show"), QLabel("Min corr"), QLabel("Min PNR")]
        self.add_row(self._labels[0], self.shown, stretch=1)
        self.rows.addWidget(self.plot)
        self.add_row(self._labels[1], self.min_corr, stretch=1)
        self.add_row(self._labels[2], self.min_pnr, stretch=1)
        self.rows.addWidget(self.count)
        self.rows.addWidget(self.as_seeds)
        self.rows.addWidget(self.hand_over)
        self.result += [self.shown, self.min_corr, self.min_pnr, *self._labels]
        for widget in self.result:
            widget.hide()
        self.rows.addStretch(1)

    def _connect(self) -> None:
        self.chooser.changed.connect(self._on_chosen)
        self.estimate.clicked.connect(self._on_estimate)
        self.compute.clicked.connect(self._on_compute)
        self.job.running_changed.connect(self._enable)
        for slider in (self.min_corr, self.min_pnr, self.diameter):
            slider.valueChanged.connect(self._timer.start)
        self._timer.timeout.connect(self.show_now)
        self.plot.moved.connect(self._on_dragged)
        self.shown.currentTextChanged.connect(self._on_shown)
        self.hand_over.clicked.connect(self._on_hand_over)
        viewer = self._session.open_viewer
        connect_while_alive(self, viewer.events.theme, self._on_theme)
        connect_while_alive(self, self._session.recordings_changed, self._enable)

    # ------------------------------------------------------------------ actions
    def _on_estimate(self) -> None:
        recording = self.chooser.recording
        if recording is not None:
            self.job.start(
                "Cell diameter",
                estimate,
                recording,
                lasting=False,
                on_result=self.diameter.setValue,
            )

    def _on_compute(self) -> None:
        layer, recording = self.chooser.layer, self.chooser.recording
        if layer is None or recording is None:
            return
        first, last = self.first.value(), self.last.value()
        self.job.start(
            "Correlation and PNR",
            find_candidates,
            recording[min(first, last) : max(first, last) + 1],
            round(self.diameter.value(), 2),
            center=self.center.isChecked(),
            max_frames=self.most.value(),
            lasting=False,
            on_result=lambda found: self._on_found(layer, found),
        )

    def _on_hand_over(self) -> None:
        values: dict[str, Any] = {
            "cell_diameter": round(self.diameter.value(), 2),
            "min_corr": round(self.min_corr.value(), 3),
            "min_pnr": round(self.min_pnr.value(), 2),
        }
        values["method_init"] = "corr_pnr" if self.as_seeds.isChecked() else "events"
        taken = self._session.suggest(values)
        text = "The CNMF dock has them." if taken else "CNMF takes them when it opens."
        self.job.say(text)

    # ------------------------------------------------------------------- events
    def _on_found(self, layer: Image, found: Candidates) -> None:
        viewer = self._session.open_viewer
        self.found = found
        self._of = layer if layer in viewer.layers else None
        images = dict(zip(_SHOWN, found.images, strict=False))
        for name, image in images.items():
            self._show_image(name, image, layer)
        self._show_rings(layer)
        top = max(float(found.pnr.max(initial=1.0)), self.min_pnr.value(), 1.0)
        self.min_pnr.setRange(0, float(np.ceil(top)))
        self.plot.show_candidates(found)
        for widget in self.result:
            widget.show()
        self.hint.say(_LOOK)
        self._on_shown(self.shown.currentText())
        self.show_now()

    def show_now(self) -> None:
        """Show the seeds that the thresholds let through."""
        self._timer.stop()
        found = self.found
        if found is None:
            return
        min_corr, min_pnr = self.min_corr.value(), self.min_pnr.value()
        passing = found.passing(min_corr, min_pnr)
        self.plot.show_thresholds(min_corr, min_pnr, passing)
        rings = self._layers.get("seeds")
        if isinstance(rings, Points) and rings in self._session.open_viewer.layers:
            rings.data = found.positions[passing]
            rings.current_size = rings.size = self.diameter.value()
        text = f"<b>{int(passing.sum())} seeds</b> of {len(passing)} candidates."
        if abs(self.diameter.value() - found.cell_diameter) > 0.05:
            text += (
                f" Images are for {found.cell_diameter:g} px: <b>compute anew</b> for "
                f"{self.diameter.value():.1f} px."
            )
        text += " " + found.advice(min_corr, min_pnr)
        self.count.setText(text)

    def _on_dragged(self, min_corr: float, min_pnr: float) -> None:
        self.min_corr.setValue(min_corr)
        self.min_pnr.setValue(min_pnr)

    def _on_shown(self, shown: str) -> None:
        for name in _SHOWN[:2]:
            layer = self._layers.get(name)
            if layer is not None:
                layer.visible = shown == name

    def _on_chosen(self) -> None:
        recording = self.chooser.recording
        if recording is None:
            self.hint.say(
                "<b>Start here:</b> drop a recording on the canvas, or choose File › "
                "Open Sample › napari-mesmerize."
            )
        else:
            last = recording.sizes["frame"] - 1
            if last != self.last.maximum():
                self.first.setRange(0, last)
                self.last.setRange(0, last)
                self.first.setValue(0)
                self.last.setValue(last)
            side = min(recording.shape[-2:])
            self.diameter.setRange(2, max(3.0, min(60.0, side - 1.0)))
            self.hint.say(
                "Set the diameter of a cell (<b>Estimate</b> measures it), then "
                "<b>Compute images</b>: they show what stands out as a cell."
            )
        self._enable()

    def _enable(self, *_: object) -> None:
        ready = self.chooser.layer is not None and not self.job.running
        for widget in (self.compute, self.estimate):
            widget.setEnabled(ready)

    def _on_theme(self, event: object = None) -> None:
        self.plot.look(get_theme(self._session.open_viewer.theme))

    # ------------------------------------------------------------------- layers
    def _show_image(self, name: str, image: NDArray[np.floating], like: Image) -> None:
        limits = _limits(image)
        layer = self._known(name, Image, image.ndim)
        if layer is not None:
            layer.data, layer.contrast_limits_range = image, limits
            layer.contrast_limits = limits
            layer.name = f"{name} of {like.name}"
            self._place(layer, like)
            return
        layer = Image(
            image,
            name=f"{name} of {like.name}",
            colormap="inferno",
            contrast_limits=limits,
            metadata={KEY: {"role": name}},
            axis_labels=("z", "y", "x")[-image.ndim :],
        )
        self._place(layer, like)
        self._insert(name, layer)

    def _show_rings(self, like: Image) -> None:
        ndim = like.ndim - 1
        layer = self._known("seeds", Points, ndim)
        if layer is None:
            layer = Points(
                np.zeros((0, ndim)),
                ndim=ndim,
                face_color="transparent",
                border_color=SEED_COLOUR,
                border_width=0.08,
                size=self.diameter.value(),
                metadata={KEY: {"role": "seeds"}},
                axis_labels=("z", "y", "x")[-ndim:],
            )
            layer.editable = False
            self._place(layer, like)
            self._insert("seeds", layer)
        layer.name = f"seeds of {like.name}"
        self._place(layer, like)

    def _known(self, name: str, kind: type[L], ndim: int) -> L | None:
        """Return a layer of this dock that is still open and has these dims."""
        layer = self._layers.get(name)
        if not isinstance(layer, kind) or layer not in self._session.open_viewer.layers:
            return None
        return layer if layer.ndim == ndim else None

    def _insert(self, name: str, layer: Layer) -> None:
        layers = self._session.open_viewer.layers
        active = layers.selection.active
        layers.append(layer)
        layers.selection.active = active
        self._layers[name] = layer

    def _place(self, layer: Layer, like: Image) -> None:
        recording = self.chooser.recording
        ndim = layer.ndim
        layer.scale, layer.translate = like.scale[-ndim:], like.translate[-ndim:]
        if recording is not None and spatial_scale(recording) == tuple(layer.scale):
            layer.units = spatial_units(recording)


def estimate(recording: xr.DataArray, *, progress: Progress) -> float:
    """Return the cell diameter, px."""
    from napari_mesmerize.cnmf.cell_size import estimate_cell_diameter

    for _ in progress([0], desc="Measuring spots", total=1):
        diameter = estimate_cell_diameter(recording)
    return diameter


def _slider(
    low: float, high: float, value: float, decimals: int
) -> QLabeledDoubleSlider:
    made = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
    made.setRange(low, high)
    made.setDecimals(decimals)
    made.setValue(value)
    return made


def _limits(image: NDArray[np.floating]) -> tuple[float, float]:
    low, high = (float(v) for v in np.percentile(image, (5, 99.8)))
    return (low, high) if high > low else (low, low + 1.0)
