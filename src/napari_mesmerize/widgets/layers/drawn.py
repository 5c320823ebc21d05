"""Drawn ROIs: a Shapes layer whose polygons get traces as they are drawn."""

import uuid
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Image, Shapes
from numpy.typing import NDArray
from scipy import sparse

from napari_mesmerize.data.colours import colours_for
from napari_mesmerize.data.components import Components
from napari_mesmerize.widgets.layers.recordings import KEY, recording_of
from napari_mesmerize.widgets.layers.selected_roi import draw_selection, hide_selection
from napari_mesmerize.widgets.napari_api import use_fast_triangulation
from napari_mesmerize.workspace.journalling import redrawn
from napari_mesmerize.workspace.roi_set import RoiSet

_ELLIPSE_POINTS = 40
_FEATURE = "roi_id"


class DrawnLayer:
    """A Shapes layer over a recording, and the ROIs that are drawn in it.

    Parameters
    ----------
    viewer : napari viewer
        Where to draw.
    recording_layer : napari.layers.Image
        What the traces are taken from.
    on_drawn : callable
        Called as ``on_drawn(self)`` when the polygons have changed; it computes traces
        (:meth:`outlines`, :meth:`roi_ids`) and hands them to :meth:`set_components`.
    """

    def __init__(
        self,
        viewer: Any,
        recording_layer: Image,
        on_drawn: Callable[["DrawnLayer"], None],
    ) -> None:
        use_fast_triangulation()
        self._viewer = weakref.ref(viewer)
        self._on_drawn = on_drawn
        self.recording_layer = recording_layer
        self.colour_by = "ROI"
        self.show_rejected = True
        self._busy = False
        self._taking = False  # traces of what was drawn just now
        self._shapes: dict[tuple[str, bytes], tuple[NDArray[np.float64], str]] = {}
        recording = recording_of(recording_layer)
        shape = tuple(recording.shape[1:])
        ndim = len(shape)
        self.layer = Shapes(
            ndim=ndim,
            name=f"drawn ROIs of {recording_layer.name}",
            scale=recording_layer.scale[-ndim:],
            translate=recording_layer.translate[-ndim:],
            units=recording_layer.units[-ndim:],
            axis_labels=("z", "y", "x")[-ndim:],
            edge_width=1,
            edge_color="#E69F00",
            face_color="#E69F001F",
        )
        self.roi_set = RoiSet(
            empty_components(shape, recording),
            recording=recording,
            epochs=recording_layer.metadata.get(KEY, {}).get("epochs"),
            name=self.layer.name,
        )
        self.layer.metadata[KEY] = {"role": "rois", "rois": self.roi_set}
        self.layer.events.data.connect(self._on_data)
        self.roi_set.table_changed.connect(self.refresh)
        self.roi_set.replaced.connect(self._on_replaced)
        self.roi_set.selection_changed.connect(self.show_selection)

    def show(self, roi_set: RoiSet) -> bool:
        """Extracted ROIs never replace drawn ones."""
        return False

    def outlines(self) -> list[NDArray[np.float64]]:
        """Return each shape as a polygon in pixels of the recording."""
        return shapes_in_pixels(self.layer, self.recording_layer)

    def roi_ids(self) -> list[str]:
        """Return the id of each shape; new shapes get one."""
        n = len(self.layer.data)
        known = self.layer.features.get(_FEATURE)
        ids = [""] * n if known is None else [str(value) for value in known]
        seen: set[str] = set()
        for i, roi_id in enumerate(ids):
            if not roi_id or roi_id in seen or roi_id == "nan":  # new, or pasted
                ids[i] = str(uuid.uuid4())
            seen.add(ids[i])
        self._busy = True
        try:
            self.layer.features = {_FEATURE: np.array(ids, dtype=object)}
            self.layer.feature_defaults = {_FEATURE: ""}
        finally:
            self._busy = False
        return ids

    def set_components(self, components: Components) -> None:
        """Take over footprints and traces of the shapes."""
        from napari_mesmerize.data.rois import roi_table_from_components

        fresh = roi_table_from_components(components, kind="drawn")
        for column in ("accepted", *self.roi_set.tag_columns):
            known = self.roi_set.table[column].reindex(fresh.index)
            fresh[column] = known.where(
                known.notna(), True if column == "accepted" else ""
            )
        fresh["accepted"] = fresh["accepted"].astype(bool)
        before = self.roi_set.table
        changed = redrawn(before, fresh)
        came, went = set(fresh.index) - set(before.index), set(before.index)
        went -= set(fresh.index)
        if came or went or changed:
            title = "drawn ROI" if came else "moved ROI" if changed else "deleted ROI"
            self._remember(components)
            self._taking = True
            try:
                self.roi_set.exchange(components, fresh, changed=changed, title=title)
            finally:
                self._taking = False
        if self.roi_set.selected is None and len(components):
            self.roi_set.select(len(components) - 1)

    def colour_like(self, colour_by: str, *, show_rejected: bool) -> None:
        """Colour shapes one by one, by acceptance or by tag."""
        self.colour_by, self.show_rejected = colour_by, show_rejected
        self.refresh()

    def colours(self) -> NDArray[np.float32]:
        """Return the colour of each ROI, (n_rois, 4)."""
        return colours_for(
            self.roi_set.table, self.colour_by, show_rejected=self.show_rejected
        )

    def refresh(self) -> None:
        """Colour the shapes anew."""
        colours = self.colours()
        if len(colours) == 0 or len(colours) != len(self.layer.data):
            return
        self._busy = True
        try:
            self.layer.edge_color = colours
        finally:
            self._busy = False

    def show_selection(self) -> None:
        """Draw the selected ROI on top."""
        draw_selection(self._viewer(), self.roi_set, self.layer)

    def hide_selection(self) -> None:
        """Hide the drawing of the selected ROI."""
        hide_selection(self._viewer())

    def _remember(self, components: Components) -> None:
        """Keep the shape of each ROI, for when an undo brings it back."""
        features = self.layer.features.get(_FEATURE)
        if features is None:
            return
        shapes = zip(self.layer.data, self.layer.shape_type, strict=True)
        by_id = dict(zip(map(str, features), shapes, strict=True))
        for position, roi_id in enumerate(components.roi_ids):
            if roi_id in by_id:
                vertices, kind = by_id[roi_id]
                self._shapes[_key(components, position)] = np.array(vertices), str(kind)

    def _strokes(self) -> list[tuple[tuple[NDArray[np.float64], str], str]]:
        """Return the shapes that have no traces yet, with their ids."""
        traced = {roi_id for roi_id, _ in self._shapes}
        features = self.layer.features.get(_FEATURE)
        n = len(self.layer.data)
        ids = [""] * n if features is None else [str(value) for value in features]
        shapes = zip(self.layer.data, self.layer.shape_type, ids, strict=True)
        return [
            ((np.array(vertices), str(kind)), "" if roi_id == "nan" else roi_id)
            for vertices, kind, roi_id in shapes
            if roi_id not in traced
        ]

    def _on_replaced(self) -> None:
        """Draw the shapes of the ROIs that an undo or redo has brought."""
        if not self._taking:
            components, outlines = (
                self.roi_set.components,
                self.roi_set.table["outline"],
            )
            shapes = []
            for position, outline in enumerate(outlines):
                polygon = np.array([list(point) for point in outline], np.float64)
                known = self._shapes.get(_key(components, position))
                shapes.append((polygon, "polygon") if known is None else known)
            strokes = self._strokes()
            ids = [*components.roi_ids, *(roi_id for _, roi_id in strokes)]
            self._busy = True
            try:
                self.layer.selected_data = set()
                self.layer.data = [*shapes, *(shape for shape, _ in strokes)]
                self.layer.features = {_FEATURE: np.array(ids, dtype=object)}
                self.layer.feature_defaults = {_FEATURE: ""}
            finally:
                self._busy = False
        self.refresh()

    def _on_data(self, event: Any) -> None:
        # napari says "adding", "changing" before, and "added", "changed" after
        if not self._busy and not str(event.action).endswith("ing"):
            self._on_drawn(self)


def _key(components: Components, position: int) -> tuple[str, bytes]:
    """Return what an ROI in one of its shapes is known by: its id and its pixels."""
    matrix = components.footprints
    first, last = matrix.indptr[position : position + 2]
    return components.roi_ids[position], matrix.indices[first:last].tobytes()


def shapes_in_pixels(shapes: Shapes, image: Image) -> list[NDArray[np.float64]]:
    """Return the shapes of a layer as polygons in pixels of an image layer."""
    found = []
    for kind, vertices in zip(shapes.shape_type, shapes.data, strict=True):
        points = np.asarray(vertices, np.float64)
        if kind == "ellipse":
            points = ellipse_outline(points)
        ndim = min(points.shape[1], image.ndim)
        world = points[:, -ndim:] * shapes.scale[-ndim:] + shapes.translate[-ndim:]
        found.append((world - image.translate[-ndim:]) / image.scale[-ndim:])
    return found


def ellipse_outline(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a polygon along the ellipse in a (rotated) rectangle of four corners."""
    centre = corners.mean(axis=0)
    first, second = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, _ELLIPSE_POINTS, endpoint=False)[:, None]
    return np.asarray(centre + np.cos(angle) * first + np.sin(angle) * second)


def empty_components(shape: tuple[int, ...], recording: Any) -> Components:
    """Return components of no ROI."""
    none = sparse.csc_array((int(np.prod(shape)), 0), dtype=np.float32)
    return Components.build(
        none,
        shape,
        {"raw": np.zeros((0, recording.sizes["frame"]), np.float32)},
        frame_rate=recording.attrs.get("frame_rate"),
    )
