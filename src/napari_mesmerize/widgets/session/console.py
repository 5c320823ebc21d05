"""What ``mesmerize`` is in napari's console: the API, bound to the viewer."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr
from napari.layers import Image, Labels
from numpy.typing import ArrayLike

import napari_mesmerize
from napari_mesmerize.data.components import Components
from napari_mesmerize.data.recording import as_recording
from napari_mesmerize.widgets.layers.recordings import recording_of
from napari_mesmerize.workspace.roi_set import RoiSet

if TYPE_CHECKING:
    from napari_mesmerize.project import Project
    from napari_mesmerize.widgets.session.session import Session


class Api:
    """The functions of ``napari_mesmerize``, and what is open in this viewer.

    ``mesmerize.recording`` is the recording of the selected layer, ``mesmerize.rois``
    the ROI table, ``mesmerize.components`` footprints and traces, ``mesmerize.project``
    the open project; ``mesmerize.show(...)`` adds a file, an array, a recording or
    components to the viewer. All functions of the package are here too: for instance
    ``mesmerize.correct_motion(mesmerize.recording)``.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session

    @property
    def recording(self) -> xr.DataArray | None:
        """The recording of the selected layer, or of the topmost one."""
        layer = self._session.active_recording_layer()
        return None if layer is None else recording_of(layer)

    @property
    def rois(self) -> pd.DataFrame | None:
        """The ROI table that the docks show (a copy)."""
        roi_set = self._session.roi_set
        return None if roi_set is None else roi_set.table.copy()

    @property
    def components(self) -> Components | None:
        """Footprints and traces of the ROIs that the docks show."""
        roi_set = self._session.roi_set
        return None if roi_set is None else roi_set.curated_components()

    @property
    def project(self) -> "Project | None":
        """The project that is open in the project dock."""
        project: Project | None = self._session.project
        return project

    def show(
        self,
        data: str | Path | ArrayLike | xr.DataArray | Components,
        *,
        name: str | None = None,
        **facts: Any,
    ) -> Image | Labels:
        """Add a recording or components to the viewer.

        Parameters
        ----------
        data : path, array, recording or Components
            An array has axes (frame, y, x) or (frame, z, y, x).
        name : str, optional
            Name of the layer.
        **facts
            Facts of an array or file: ``frame_rate=15``, ``pixel_size_um=(2, 2)``, ...
        """
        if isinstance(data, Components):
            layer = self._session.active_recording_layer()
            if layer is not None and layer.data.shape[1:] != data.image_shape:
                layer = None
            roi_set = RoiSet(
                data,
                recording=None if layer is None else recording_of(layer),
                name=name or "ROIs",
            )
            return self._session.show_rois(roi_set, like=layer)
        if isinstance(data, str | Path):
            recording = napari_mesmerize.read_recording(data, **facts)
        else:
            recording = as_recording(data, **facts)
        if name is not None:
            recording = recording.rename(name)
        return self._session.show_recording(recording)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(napari_mesmerize, name)

    def __dir__(self) -> list[str]:
        mine = ("recording", "rois", "components", "project", "show")
        return sorted({*mine, *napari_mesmerize.__all__})

    def __repr__(self) -> str:
        return (
            "napari-mesmerize: mesmerize.recording, .rois, .components, .project, "
            ".show(...), and every function of the package; help(mesmerize) says more."
        )
