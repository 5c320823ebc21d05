"""Extracted ROIs as one Labels layer, kept in step with their table."""

import weakref
from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Image, Labels
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap
from numpy.typing import NDArray

from napari_mesmerize.data.colours import colours_for
from napari_mesmerize.data.pictures import MOST_FAST, label_picture
from napari_mesmerize.widgets.layers.recordings import KEY, spatial_scale, spatial_units
from napari_mesmerize.widgets.layers.selected_roi import draw_selection, hide_selection
from napari_mesmerize.workspace.roi_set import RoiSet


class RoiLayer:
    """The Labels layer of a set of ROIs.

    Parameters
    ----------
    viewer : napari viewer
        Where the selected ROI is drawn.
    roi_set : RoiSet
        What to show.
    like : napari.layers.Image, optional
        A recording layer whose scale and units the ROIs take.
    """

    def __init__(
        self, viewer: Any, roi_set: RoiSet, *, like: Image | None = None
    ) -> None:
        self._viewer = weakref.ref(viewer)
        self.roi_set = roi_set
        self.colour_by = "ROI"
        self.show_rejected = True
        self._busy = False
        self._drawn: NDArray[np.float32] | None = None
        self.layer = self._make_layer(like)
        self._connect()
        self.refresh()

    def _make_layer(self, like: Image | None) -> Labels:
        recording = self.roi_set.recording
        ndim = len(self.roi_set.components.image_shape)
        options: dict[str, Any] = {}
        if like is not None:
            options = {"scale": like.scale[-ndim:], "units": like.units[-ndim:]}
            options["translate"] = like.translate[-ndim:]
        elif recording is not None:
            options["scale"] = spatial_scale(recording)
            options["units"] = spatial_units(recording)
        layer = Labels(
            self._picture(),
            name=self.roi_set.name,
            axis_labels=("z", "y", "x")[-ndim:],
            opacity=0.9,
            metadata={KEY: {"role": "rois", "rois": self.roi_set}},
            **options,
        )
        layer.contour = 1
        layer.editable = False
        return layer

    def _picture(self) -> NDArray[np.integer]:
        accepted = self.roi_set.table["accepted"].to_numpy(bool)
        shape = self.roi_set.components.image_shape
        return label_picture(self.roi_set.areas, accepted, shape)

    def _connect(self) -> None:
        self.roi_set.table_changed.connect(self.refresh)
        self.roi_set.replaced.connect(self._on_replaced)
        self.roi_set.selection_changed.connect(self.show_selection)
        self.layer.events.features.connect(self._on_features)

    def show(self, roi_set: RoiSet) -> bool:
        """Show another set here; false where its image has another shape."""
        old = self.roi_set
        if roi_set.components.image_shape != old.components.image_shape:
            return False
        old.table_changed.disconnect(self.refresh, missing_ok=True)
        old.replaced.disconnect(self._on_replaced, missing_ok=True)
        old.selection_changed.disconnect(self.show_selection, missing_ok=True)
        self.layer.events.features.disconnect(self._on_features)
        self.roi_set = roi_set
        self.layer.metadata[KEY] = {"role": "rois", "rois": roi_set}
        self._connect()
        self._on_replaced()
        self.show_selection()
        return True

    def colour_like(self, colour_by: str, *, show_rejected: bool) -> None:
        """Colour ROIs one by one (``"ROI"``), by ``"accepted"``, a tag or a score."""
        self.colour_by, self.show_rejected = colour_by, show_rejected
        self.recolour()

    def colours(self) -> NDArray[np.float32]:
        """Return the colour of each ROI, (n_rois, 4)."""
        return colours_for(
            self.roi_set.table, self.colour_by, show_rejected=self.show_rejected
        )

    def recolour(self) -> None:
        """Write colours anew, where they are others."""
        wanted = self.colours()
        if self._drawn is None or not np.array_equal(wanted, self._drawn):
            self._drawn = wanted
            self.layer.colormap = colormap_of(wanted)

    def refresh(self) -> None:
        """Write colours and features anew."""
        self.recolour()
        self._busy = True
        try:
            self.layer.features = features_of(self.roi_set.table)
        finally:
            self._busy = False

    def show_selection(self) -> None:
        """Draw the selected ROI whole, over the others."""
        draw_selection(self._viewer(), self.roi_set, self.layer)

    def hide_selection(self) -> None:
        """Hide the drawing of the selected ROI."""
        hide_selection(self._viewer())

    def _on_replaced(self) -> None:
        self.layer.data = self._picture()
        self.refresh()

    def _on_features(self, event: Any = None) -> None:
        if not self._busy:  # edited in napari's features table
            self.roi_set.update_from(self.layer.features)


def colormap_of(
    colours: NDArray[np.float32],
) -> CyclicLabelColormap | DirectLabelColormap:
    """Return napari's colormap that gives label i + 1 the i-th colour, and 0 none.

    Up to some ten thousand labels it is a table that napari only looks up; for more it
    is a dictionary, which takes seconds to make.
    """
    clear = np.zeros(4, np.float32)
    if 0 < len(colours) <= MOST_FAST:
        return CyclicLabelColormap(colors=np.vstack([clear, colours]))
    known: dict[int | None, Any] = dict(enumerate(colours, start=1))
    known[None] = known[0] = clear
    return DirectLabelColormap(color_dict=known)


def features_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the ROI table as a Labels layer's features, a row a label."""
    features = table.drop(columns="outline", errors="ignore")
    features = features.reset_index(names="roi_id")
    features.insert(0, "index", np.arange(1, len(features) + 1))
    return features
