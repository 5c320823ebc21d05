"""What the docks of one viewer share: its recordings, ROIs and project."""

import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from napari.utils.notifications import show_warning
from numpy.typing import NDArray
from psygnal import Signal

from napari_mesmerize.project import Project
from napari_mesmerize.widgets.layers.drawn import DrawnLayer
from napari_mesmerize.widgets.layers.extracted import RoiLayer
from napari_mesmerize.widgets.layers.picking import bind_undo, install_picking
from napari_mesmerize.widgets.layers.recordings import (
    KEY,
    is_recording,
    layer_data_tuple,
    recording_of,
    show_facts,
    shown_frame,
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
from napari_mesmerize.workspace.open_recording import OpenRecording
from napari_mesmerize.workspace.roi_set import RoiSet
from napari_mesmerize.workspace.selection import Selection
from napari_mesmerize.workspace.workspace import Workspace

_sessions: "weakref.WeakKeyDictionary[Any, Session]" = weakref.WeakKeyDictionary()


def get_session(viewer: ViewerModel) -> "Session":
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
    """What a viewer shows of a workspace: its recordings and ROIs as layers.

    Parameters
    ----------
    viewer : napari viewer
        The viewer.
    """

    recordings_changed = Signal()
    roi_set_changed = Signal()
    project_changed = Signal()
    shown_changed = Signal()  # the filter of the ROI manager
    params_suggested = Signal(dict)  # values for the CNMF dock

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = weakref.ref(viewer)  # a session never keeps a viewer alive
        self.workspace = Workspace()
        self._roi_layers: list[RoiLayer | DrawnLayer] = []
        self._active: RoiLayer | DrawnLayer | None = None
        self._told: RoiSet | None = None  # which ROIs the docks were told of
        self._unsaved = UnsavedNotice(viewer)
        self.shown: NDArray[np.intp] | None = None  # that the manager's filter shows
        self.suggested: dict[str, Any] = {}  # values that the CNMF dock takes over
        self.stimuli: dict[str, Any] = {}  # what levels of a channel were named
        events = viewer.layers.events
        events.inserted.connect(self._on_layers)
        events.removed.connect(self._on_layers)
        connect_renamed(viewer, self._on_layers)
        viewer.layers.selection.events.active.connect(self._on_active_layer)
        viewer.dims.events.current_step.connect(self._on_step)
        self._shown_recordings: list[xr.DataArray] = []
        workspace = self.workspace
        workspace.project_changed.connect(self._on_project)
        workspace.roi_set_changed.connect(self._on_active_rois)
        workspace.epochs_changed.connect(self._on_epochs)
        workspace.facts_changed.connect(self._on_facts)
        workspace.problem.connect(show_warning)
        workspace.selection.frame_changed.connect(self._on_frame)
        install_picking(viewer, self)

    @property
    def viewer(self) -> ViewerModel | None:
        """The viewer, or ``None`` after it is gone."""
        return self._viewer()

    @property
    def open_viewer(self) -> ViewerModel:
        """The viewer, for what lives in it and ends with it.

        Raises
        ------
        RuntimeError
            If the viewer is gone.
        """
        viewer = self._viewer()
        if viewer is None:
            raise RuntimeError("The viewer of this session is closed.")
        return viewer

    @property
    def project(self) -> Project | None:
        """The project that is open."""
        return self.workspace.project

    @property
    def selection(self) -> Selection:
        """What is selected, for all docks."""
        return self.workspace.selection

    # ------------------------------------------------------------------- undo
    def undo(self) -> str:
        """Take back the last step of what is looked at; return what it was."""
        return self.workspace.undo(self._recording())

    def redo(self) -> str:
        """Take the step again that was taken back last; return what it was."""
        return self.workspace.redo(self._recording())

    def undo_title(self) -> str:
        """Return what :meth:`undo` would take back; empty if there is nothing."""
        return self.workspace.undo_title(self._recording())

    def redo_title(self) -> str:
        """Return what :meth:`redo` would take again; empty if there is nothing."""
        return self.workspace.redo_title(self._recording())

    def _recording(self) -> xr.DataArray | None:
        layer = self.active_recording_layer()
        return None if layer is None else recording_of(layer)

    # ------------------------------------------------------------- recordings
    def recording_layers(self) -> list[Image]:
        """Return the layers that hold recordings, top first."""
        if self.viewer is None:
            return []
        layers = reversed(self.viewer.layers)
        return [x for x in layers if isinstance(x, Image) and is_recording(x)]

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
        layers = self.open_viewer.layers
        above = [i for i, other in enumerate(layers) if not isinstance(other, Image)]
        layers.insert(above[0] if above else len(layers), layer)
        return layer

    def hide_all(self) -> None:
        """Hide recordings, their images and ROIs, before others are opened."""
        viewer = self.viewer
        for layer in () if viewer is None else viewer.layers:
            role = layer.metadata.get(KEY, {}).get("role")
            if is_recording(layer) or role in ("projection", "rois"):
                layer.visible = False

    def epochs_of(self, layer: Image | None) -> pd.DataFrame | None:
        """Return the stimulus epochs that belong to a recording layer."""
        if layer is None:
            return None
        epochs: pd.DataFrame | None = layer.metadata.get(KEY, {}).get("epochs")
        return epochs

    def set_epochs(self, layer: Image, epochs: pd.DataFrame) -> None:
        """Write the stimulus epochs of a recording, in a step that can be undone.

        Other channels of it, its motion-corrected version and the ROIs on any of them
        have the same times, and get the same epochs.
        """
        self._open_recordings()
        self.workspace.set_epochs(recording_of(layer), epochs)

    def set_facts(self, layer: Image, facts: Mapping[str, Any]) -> None:
        """Write facts of a recording, in a step that can be undone."""
        self._open_recordings()
        self.workspace.set_facts(recording_of(layer), facts)

    def _open_recordings(self) -> None:
        """Let the workspace know the recordings that are open, and their epochs."""
        for layer in self.recording_layers():
            state = self.workspace.open_recording(recording_of(layer))
            state.epochs = self.epochs_of(layer)

    def _on_epochs(self) -> None:
        for layer in self.recording_layers():
            for state in self.workspace.recordings:
                if state.recording is recording_of(layer):
                    layer.metadata[KEY]["epochs"] = state.epochs
        self.recordings_changed.emit()

    def _on_facts(self, changed: OpenRecording) -> None:
        for layer in self.recording_layers():
            if recording_of(layer) is changed.recording:
                show_facts(layer)
        self.recordings_changed.emit()

    # ------------------------------------------------------------------- ROIs
    @property
    def roi_set(self) -> RoiSet | None:
        """The ROIs that docks show, or ``None``."""
        return self.workspace.roi_set

    @property
    def roi_layer(self) -> RoiLayer | DrawnLayer | None:
        """The active ROIs' layer, or ``None``."""
        return self._active

    def roi_layers(self) -> list[RoiLayer | DrawnLayer]:
        """Return what shows ROIs: extracted and drawn ones."""
        return list(self._roi_layers)

    def roi_sets(self) -> list[RoiSet]:
        """Return all ROI sets whose layer is open."""
        return [shown.roi_set for shown in self._roi_layers]

    def closed_sets(self) -> list[RoiSet]:
        """Return ROI sets whose layer was removed before their curation was saved."""
        return list(self.workspace.closed_sets)

    def show_rois(self, roi_set: RoiSet, *, like: Image | None = None) -> Labels:
        """Add ROIs as a Labels layer; ROIs of the same name are replaced in place.

        Those that were curated and not saved since stay; the new ones get another name.
        """
        kept = {s.roi_set.name for s in self._roi_layers if s.roi_set.curated}
        name, number = roi_set.name, 2
        while roi_set.name in kept:
            roi_set.name, number = f"{name} ({number})", number + 1
        for shown in self._roi_layers:
            old = shown.roi_set
            if isinstance(shown, RoiLayer) and old.name == roi_set.name:
                if not shown.show(roi_set):
                    continue
                if old is not roi_set:
                    self.workspace.close_rois(old)
                self._take(shown)
                return shown.layer
        for other in self._roi_layers:
            other.layer.visible = False  # two pictures over each other confuse
        made = RoiLayer(self.viewer, roi_set, like=like)
        self._roi_layers.append(made)
        if self.viewer is not None:
            self.viewer.add_layer(made.layer)
        self._take(made)
        return made.layer

    def add_roi_layer(self, shown: DrawnLayer) -> None:
        """Take over ROIs that have a layer already (drawn ones)."""
        if shown not in self._roi_layers:
            self._roi_layers.append(shown)
        self._take(shown)

    def _take(self, shown: RoiLayer | DrawnLayer) -> None:
        bind_undo(shown.layer, self)
        shown.roi_set.table_changed.connect(self._on_curated, unique=True)
        self.workspace.add_rois(shown.roi_set)
        self._activate(shown)

    def activate(self, roi_set: RoiSet) -> None:
        """Show these ROIs in the docks; those whose layer was removed get a new one."""
        if roi_set in self.workspace.closed_sets:
            like = next(
                (
                    layer
                    for layer in self.recording_layers()
                    if recording_of(layer) is roi_set.recording
                ),
                None,
            )
            self.workspace.closed_sets.remove(roi_set)
            self.show_rois(roi_set, like=like)
        for shown in self._roi_layers:
            if shown.roi_set is roi_set:
                self._activate(shown)

    def roi_layer_of(self, layer: Layer | None) -> RoiLayer | DrawnLayer | None:
        """Return what shows its ROIs in ``layer``."""
        return next((shown for shown in self._roi_layers if shown.layer is layer), None)

    def _activate(self, shown: RoiLayer | DrawnLayer | None) -> None:
        same = None if shown is None else shown.roi_set
        if shown is self._active and same is self._told:
            return
        if self._active is not None and shown is not self._active:
            self._active.hide_selection()
        self._active, self._told = shown, same
        self.shown = None
        self.workspace.activate(same)
        if shown is not None:
            shown.show_selection()
        self.roi_set_changed.emit()

    def _on_active_rois(self) -> None:
        """Follow a script that made other ROIs of the workspace the active ones."""
        for shown in self._roi_layers:
            if shown.roi_set is self.workspace.roi_set:
                self._activate(shown)

    # ---------------------------------------------------------------- project
    def set_project(self, project: Project | None) -> None:
        """Work in another project (``None``: in none)."""
        self.workspace.set_project(project)

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
        offer_in_console(self.open_viewer, {"mesmerize": self._api})

    # ----------------------------------------------------------------- events
    def _on_project(self) -> None:
        self.project_changed.emit()

    def _on_layers(self, event: Any = None) -> None:
        viewer = self.viewer
        if viewer is None:
            return
        open_layers = set(viewer.layers)
        gone = [s.roi_set for s in self._roi_layers if s.layer not in open_layers]
        self._roi_layers = [s for s in self._roi_layers if s.layer in open_layers]
        if self._active is not None and self._active not in self._roi_layers:
            self._active.hide_selection()
            self._activate(self._roi_layers[-1] if self._roi_layers else None)
        for roi_set in gone:
            if self.workspace.close_rois(roi_set):
                show_warning(
                    f"The layer of '{roi_set.name}' is closed, and its tags or "
                    "decisions are not saved. To get it back, choose it at the top of "
                    "the ROI manager."
                )
        self._close_recordings()
        self.recordings_changed.emit()

    def _close_recordings(self) -> None:
        """Let go of recordings whose layers are gone, unless ROIs lie on them."""
        before, self._shown_recordings = (
            self._shown_recordings,
            [
                layer.metadata[KEY]["recording"]
                for layer in self.recording_layers()
                if layer.metadata.get(KEY, {}).get("role") == "recording"
            ],
        )
        sets = [*self.workspace.roi_sets, *self.workspace.closed_sets]
        used = [roi_set.recording for roi_set in sets]
        for recording in before:
            if not any(recording is one for one in [*self._shown_recordings, *used]):
                self.workspace.close_recording(recording)

    def _on_curated(self) -> None:
        self._unsaved.update([*self.roi_sets(), *self.closed_sets()])

    def _on_step(self, event: Any = None) -> None:
        layer = self.active_recording_layer()
        if layer is not None and self.viewer is not None:
            self.selection.set_frame(shown_frame(self.viewer, layer))

    def _on_frame(self, frame: int | None) -> None:
        layer = self.active_recording_layer()
        if frame is None or layer is None or self.viewer is None:
            return
        if shown_frame(self.viewer, layer) != frame:
            axis = self.viewer.dims.ndim - layer.ndim
            self.viewer.dims.set_point(axis, frame + float(layer.translate[0]))

    def _on_active_layer(self, event: Any = None) -> None:
        viewer = self.viewer
        if viewer is None:
            return
        shown = self.roi_layer_of(viewer.layers.selection.active)
        if shown is not None:
            self._activate(shown)
        self.recordings_changed.emit()


def recording_for(session: Session, roi_set: RoiSet) -> xr.DataArray | None:
    """Return the recording that ROIs lie on; by shape where none was noted."""
    if roi_set.recording is not None:
        return roi_set.recording
    for layer in session.recording_layers():
        recording = recording_of(layer)
        if tuple(recording.shape[1:]) == roi_set.components.image_shape:
            return recording
    return None
