"""What the docks of one viewer share: its recordings, ROIs and project."""

import weakref
from typing import Any

import pandas as pd
import xarray as xr
from napari.layers import Image, Labels, Layer
from napari.utils.notifications import show_warning
from psygnal import Signal

from napari_mesmerize.widgets.layers.extracted import RoiLayer
from napari_mesmerize.widgets.layers.picking import install_picking
from napari_mesmerize.widgets.layers.recordings import (
    KEY,
    is_recording,
    layer_data_tuple,
    recording_of,
)
from napari_mesmerize.widgets.napari_api import (
    connect_renamed,
    offer_in_console,
    shown_window,
    unwrapped,
)
from napari_mesmerize.widgets.session.closing import guard
from napari_mesmerize.widgets.session.unsaved import UnsavedNotice
from napari_mesmerize.widgets.session.warm_up import start_warm_up
from napari_mesmerize.workspace.roi_set import RoiSet

_MOST_CLOSED = 5
_sessions: "weakref.WeakKeyDictionary[Any, Session]" = weakref.WeakKeyDictionary()


def get_session(viewer: Any) -> "Session":
    """Return the session of a viewer; docks opened in any order get the same one."""
    viewer = unwrapped(viewer)
    session = _sessions.get(viewer)
    if session is None:
        session = Session(viewer)
        _sessions[viewer] = session
        session.offer_console()
        guard(viewer)
        if shown_window(viewer) is not None:
            start_warm_up()
    return session


class Session:
    """Recordings, ROIs and the project that are open in a viewer."""

    recordings_changed = Signal()
    roi_set_changed = Signal()
    project_changed = Signal()
    samples_changed = Signal()
    shown_changed = Signal()  # the filter of the ROI manager
    params_suggested = Signal(dict)  # values for the CNMF dock
    rows_changed = Signal()  # the rows that are selected in the ROI manager

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)  # a session never keeps a viewer alive
        self._roi_layers: list[RoiLayer] = []
        self._active: RoiLayer | None = None
        self._closed: list[RoiSet] = []  # curated, and their layer was removed
        self._unsaved = UnsavedNotice(viewer)
        self.project: Any = None
        self.shown: Any = None  # positions that the ROI manager's filter shows
        self.suggested: dict[str, Any] = {}  # values that the CNMF dock takes over
        self.rows: list[int] = []  # positions whose rows are selected there
        self.stimuli: dict[str, Any] = {}  # what levels of a channel were named
        events = viewer.layers.events
        events.inserted.connect(self._on_layers)
        events.removed.connect(self._on_layers)
        connect_renamed(viewer, self._on_layers)
        viewer.layers.selection.events.active.connect(self._on_active_layer)
        install_picking(viewer, self)

    @property
    def viewer(self) -> Any:
        """The viewer, or ``None`` after it is gone."""
        return self._viewer()

    # ------------------------------------------------------------- recordings
    def recording_layers(self) -> list[Image]:
        """Return the layers that hold recordings, top first."""
        if self.viewer is None:
            return []
        return [layer for layer in reversed(self.viewer.layers) if is_recording(layer)]

    def active_recording_layer(self) -> Image | None:
        """Return the selected recording layer, or the topmost one."""
        layers = self.recording_layers()
        if self.viewer is None or not layers:
            return None
        active = self.viewer.layers.selection.active
        return active if active in layers else layers[0]

    def show_recording(
        self,
        recording: xr.DataArray,
        *,
        limits: tuple[float, float] | None = None,
        **options: Any,
    ) -> Image:
        """Add a recording as an Image layer, under the ROIs."""
        if limits is not None:
            options["contrast_limits"] = limits
        data, known, _ = layer_data_tuple(recording, **options)
        layer = Image(data, **known)
        layers = self.viewer.layers
        above = [i for i, other in enumerate(layers) if not isinstance(other, Image)]
        layers.insert(above[0] if above else len(layers), layer)
        return layer

    def hide_all(self) -> None:
        """Hide recordings, their images and ROIs, before others are opened."""
        for layer in self.viewer.layers:
            role = layer.metadata.get(KEY, {}).get("role")
            if is_recording(layer) or role in ("projection", "rois"):
                layer.visible = False

    def epochs_of(self, layer: Image | None) -> pd.DataFrame | None:
        """Return the stimulus epochs that belong to a recording layer."""
        return None if layer is None else layer.metadata.get(KEY, {}).get("epochs")

    def set_epochs(self, layer: Image, epochs: pd.DataFrame) -> None:
        """Write the stimulus epochs of a recording: to it, and to what came from it.

        Other channels of it, its motion-corrected version and the ROIs on any of them
        have the same times, and get the same epochs.
        """
        source = _source(recording_of(layer))
        for other in self.recording_layers():
            same = source is not None and _source(recording_of(other)) == source
            if other is layer or same:
                other.metadata[KEY]["epochs"] = epochs
        for roi_set in self.roi_sets():
            of = roi_set.recording
            if of is recording_of(layer) or (
                source is not None and of is not None and _source(of) == source
            ):
                roi_set.set_epochs(epochs)
        self.recordings_changed.emit()

    # ------------------------------------------------------------------- ROIs
    @property
    def roi_set(self) -> RoiSet | None:
        """The ROIs that docks show, or ``None``."""
        return None if self._active is None else self._active.roi_set

    @property
    def roi_layer(self) -> RoiLayer | None:
        """The active ROIs' layer, or ``None``."""
        return self._active

    def roi_layers(self) -> list[RoiLayer]:
        """Return what shows ROIs: extracted and drawn ones."""
        return list(self._roi_layers)

    def roi_sets(self) -> list[RoiSet]:
        """Return all ROI sets whose layer is open."""
        return [shown.roi_set for shown in self._roi_layers]

    def closed_sets(self) -> list[RoiSet]:
        """Return ROI sets whose layer was removed before their curation was saved."""
        return list(self._closed)

    def show_rois(self, roi_set: RoiSet, *, like: Image | None = None) -> Labels:
        """Add ROIs as a Labels layer; ROIs of the same name are replaced in place.

        Those that were curated and not saved since stay; the new ones get another name.
        """
        roi_set.table_changed.connect(self._on_curated, unique=True)
        roi_set.problem.connect(show_warning, unique=True)
        kept = {s.roi_set.name for s in self._roi_layers if s.roi_set.curated}
        name, number = roi_set.name, 2
        while roi_set.name in kept:
            roi_set.name, number = f"{name} ({number})", number + 1
        for shown in self._roi_layers:
            if shown.roi_set.name == roi_set.name and shown.show(roi_set):
                self._activate(shown)
                self.roi_set_changed.emit()
                return shown.layer
        for other in self._roi_layers:
            other.layer.visible = False  # two pictures over each other confuse
        shown = RoiLayer(self.viewer, roi_set, like=like)
        self._roi_layers.append(shown)
        self.viewer.add_layer(shown.layer)
        self._activate(shown)
        return shown.layer

    def add_roi_layer(self, shown: RoiLayer) -> None:
        """Take over ROIs that have a layer already (drawn ones)."""
        shown.roi_set.table_changed.connect(self._on_curated, unique=True)
        shown.roi_set.problem.connect(show_warning, unique=True)
        if shown not in self._roi_layers:
            self._roi_layers.append(shown)
        self._activate(shown)

    def activate(self, roi_set: RoiSet) -> None:
        """Show these ROIs in the docks; those whose layer was removed get a new one."""
        if roi_set in self._closed:
            self._closed.remove(roi_set)
            like = next(
                (
                    layer
                    for layer in self.recording_layers()
                    if recording_of(layer) is roi_set.recording
                ),
                None,
            )
            self.show_rois(roi_set, like=like)
        for shown in self._roi_layers:
            if shown.roi_set is roi_set:
                self._activate(shown)

    def roi_layer_of(self, layer: Layer | None) -> RoiLayer | None:
        """Return what shows its ROIs in ``layer``."""
        return next((shown for shown in self._roi_layers if shown.layer is layer), None)

    def _activate(self, shown: RoiLayer | None) -> None:
        if shown is self._active:
            return
        if self._active is not None:
            self._active.hide_selection()
        self._active = shown
        self.shown = None
        if shown is not None:
            shown.show_selection()
        self.roi_set_changed.emit()

    # ---------------------------------------------------------------- project
    def set_project(self, project: Any) -> None:
        """Work in another project (``None``: in none)."""
        self.project = project
        self.project_changed.emit()

    def suggest(self, values: dict[str, Any]) -> bool:
        """Hand parameters to the CNMF dock; false where it takes them later."""
        self.suggested = dict(values)
        self.params_suggested.emit(values)
        return not self.suggested

    def offer_console(self) -> None:
        """Put ``mesmerize`` into the namespace of napari's console.

        napari keeps names by weak references until its console is opened.
        """
        from napari_mesmerize.widgets.session.console import Api

        self._api = Api(self)
        offer_in_console(self.viewer, {"mesmerize": self._api})

    # ----------------------------------------------------------------- events
    def _on_layers(self, event: Any = None) -> None:
        viewer = self.viewer
        if viewer is None:
            return
        open_layers = set(viewer.layers)
        gone = [s.roi_set for s in self._roi_layers if s.layer not in open_layers]
        self._roi_layers = [s for s in self._roi_layers if s.layer in open_layers]
        self._keep_curated(gone)
        if self._active is not None and self._active not in self._roi_layers:
            self._active.hide_selection()
            self._activate(self._roi_layers[-1] if self._roi_layers else None)
        self.recordings_changed.emit()

    def _keep_curated(self, gone: list[RoiSet]) -> None:
        """Keep ROIs whose curation would be lost with their layer."""
        for roi_set in gone:
            if roi_set.curated and len(roi_set):
                self._closed = [*self._closed, roi_set][-_MOST_CLOSED:]
                show_warning(
                    f"The layer of '{roi_set.name}' is closed, and its tags or "
                    "decisions are not saved. To get it back, choose it at the top of "
                    "the ROI manager."
                )

    def _on_curated(self) -> None:
        self._unsaved.update([*self.roi_sets(), *self._closed])

    def _on_active_layer(self, event: Any = None) -> None:
        viewer = self.viewer
        if viewer is None:
            return
        shown = self.roi_layer_of(viewer.layers.selection.active)
        if shown is not None:
            self._activate(shown)
        self.recordings_changed.emit()


def _source(recording: xr.DataArray) -> tuple[str, str] | None:
    """Return the file and the unit in it, without the channel, and the frames."""
    known = recording.attrs.get("source") or {}
    if not known.get("uri"):
        return None
    channel = str((recording.attrs.get("meta") or {}).get("channel", ""))
    selection = str(known.get("selection") or "").removesuffix(channel)
    return str(known["uri"]), f"{selection} {recording.sizes['frame']}"


def recording_for(session: Session, roi_set: RoiSet) -> xr.DataArray | None:
    """Return the recording that ROIs lie on; by shape where none was noted."""
    if roi_set.recording is not None:
        return roi_set.recording
    for layer in session.recording_layers():
        recording = recording_of(layer)
        if tuple(recording.shape[1:]) == roi_set.components.image_shape:
            return recording
    return None
