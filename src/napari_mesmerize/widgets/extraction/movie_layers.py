"""Show components, background or residual as a movie, computed frame by frame."""

import xarray as xr
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from napari_mesmerize.cnmf.movies import Kind, movie_of
from napari_mesmerize.data.pictures import contrast_limits
from napari_mesmerize.errors import MesmerizeError
from napari_mesmerize.progress import Progress
from napari_mesmerize.widgets.jobs.job import JobBar
from napari_mesmerize.widgets.kit.column import button, row_of, show_in_place
from napari_mesmerize.widgets.kit.lifetime import connect_while_alive
from napari_mesmerize.widgets.session.session import Session

KINDS: dict[str, Kind] = {
    "of cells and background": "reconstructed",
    "of cells only": "components",
    "of background only": "background",
    "of what is left over": "residual",
}


class MovieChooser(QWidget):
    """Add a movie made of the open ROIs as a layer.

    Parameters
    ----------
    session : Session
        The viewer's session.
    job : JobBar
        Shows the computation of display limits.
    """

    def __init__(
        self, session: Session, job: JobBar, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._job = job
        self.kind = QComboBox()
        self.kind.addItems(list(KINDS))
        self.kind.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.kind.setToolTip(
            "Movies made of accepted ROIs; a cell that the residual still shows was "
            "not found, or not accepted"
        )
        self.add = button("Show movie", "Add it as a layer; nothing is stored")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row_of(self.add, self.kind, stretch=1))
        self.add.clicked.connect(self._on_add)
        job.running_changed.connect(self.refresh)
        connect_while_alive(self, session.roi_set_changed, self.refresh)
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Offer movies where the ROIs are those of an extraction."""
        roi_set = self._session.roi_set
        usable = roi_set is not None and "denoised" in roi_set.trace_kinds
        show_in_place(self, usable)
        self.add.setEnabled(usable and not self._job.running)

    def _on_add(self) -> None:
        roi_set = self._session.roi_set
        if roi_set is None:
            return
        kind = KINDS[self.kind.currentText()]
        try:
            movie = movie_of(
                roi_set.curated_components(), kind, recording=roi_set.recording
            )
        except MesmerizeError as error:
            self._job.show_error(error)
            return
        of = roi_set.recording
        for fact in ("pixel_size_um", "z_step_um", "date"):
            if of is not None:
                movie.attrs[fact] = of.attrs.get(fact)
        name = f"{kind} of {roi_set.name}".replace("of ROIs of", "of")
        self._job.start(
            "Preparing the movie",
            limits_of,
            movie,
            on_result=lambda limits: self._show(movie, limits, name),
        )

    def _show(
        self, movie: xr.DataArray, limits: tuple[float, float], name: str
    ) -> None:
        viewer = self._session.open_viewer
        active = viewer.layers.selection.active
        self._session.show_recording(movie, limits=limits, name=name)
        viewer.layers.selection.active = active
        self._job.say(f"'{name}' lies over the recording; hide it to compare.")


def limits_of(movie: xr.DataArray, *, progress: Progress) -> tuple[float, float]:
    """Return display limits of a movie."""
    limits = (0.0, 1.0)
    for _ in progress([0], desc="Preparing the movie", total=1):
        limits = contrast_limits(movie)
    return limits
