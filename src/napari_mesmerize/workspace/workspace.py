"""The workspace: what is open, one selection, one list of steps to undo."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from psygnal import Signal

from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.progress import Progress, silent
from napari_mesmerize.project import Project, Sample, create_project
from napari_mesmerize.workspace import open_sample, save_sample
from napari_mesmerize.workspace.open_recording import OpenRecording
from napari_mesmerize.workspace.open_sample import OpenedSample
from napari_mesmerize.workspace.roi_set import RoiSet
from napari_mesmerize.workspace.selection import Selection
from napari_mesmerize.workspace.undo import Command, UndoStack
from napari_mesmerize.workspace.undo_commands import SetEpochs, SetFacts

_MOST_CLOSED = 5


class Curated:
    """What is written when a curation is saved, as it was when this was made.

    Parameters
    ----------
    roi_set : RoiSet
        The ROIs of a sample.
    facts : mapping, optional
        Edited facts of the recording.
    """

    def __init__(self, roi_set: RoiSet, facts: Mapping[str, Any] | None = None) -> None:
        if roi_set.project is None or roi_set.sample_id is None:
            raise ParameterError(
                f"'{roi_set.name}' belongs to no sample; add one to a project first."
            )
        self.roi_set = roi_set
        self.project: Project = roi_set.project
        self.sample_id: str = roi_set.sample_id
        self.components: Components = roi_set.curated_components()
        self.table = roi_set.table.copy()
        self.tag_columns = list(roi_set.tag_columns)
        self.epochs = roi_set.epochs
        self.steps = roi_set.now()
        self.facts = dict(facts or {})

    def save(self, *, progress: Progress = silent) -> Sample:
        """Write it into the sample; this may run in another thread."""
        saved: Sample = save_sample.save_curation(
            self.project,
            self.sample_id,
            self.components,
            self.table,
            self.tag_columns,
            self.epochs,
            progress=progress,
        )
        if self.facts:
            saved = self.project.update_facts(self.sample_id, self.facts)
        return saved


class Workspace:
    """Recordings, ROIs and the project that are open, without a window.

    Examples
    --------
    A session of curation as a script::

        workspace = Workspace()
        workspace.open_project("my_project")
        rois = workspace.open_sample("m01-_-day1").roi_set
        rois.set_tag("cell_type", "soma", [0, 3])
        workspace.undo()
        workspace.save_curation()
    """

    project_changed = Signal()
    roi_sets_changed = Signal()
    roi_set_changed = Signal()  # another one is active
    epochs_changed = Signal()
    facts_changed = Signal(object)  # OpenRecording
    problem = Signal(str)

    def __init__(self) -> None:
        self.project: Project | None = None
        self.selection = Selection()
        self.undo_stack = UndoStack()
        self.recordings: list[OpenRecording] = []
        self.roi_sets: list[RoiSet] = []
        self.closed_sets: list[RoiSet] = []  # curated, not saved, and closed
        self.roi_set: RoiSet | None = None

    # ------------------------------------------------------------------ project
    def set_project(self, project: Project | None) -> None:
        """Work in another project (``None``: in none)."""
        self.project = project
        self.project_changed.emit()

    def create_project(self, path: str | Path, **options: Any) -> Project:
        """Make a project and work in it; ``options`` as of ``create_project``."""
        project = create_project(path, **options)
        self.set_project(project)
        return project

    def open_project(
        self, path: str | Path, *, progress: Progress = silent
    ) -> open_sample.OpenedProject:
        """Open a project and work in it; what a crash left unsaved is returned too."""
        opened = open_sample.open_folder(path, progress=progress)
        self.set_project(opened.project)
        return opened

    # --------------------------------------------------------------- recordings
    def open_recording(
        self, recording: xr.DataArray, epochs: pd.DataFrame | None = None
    ) -> OpenRecording:
        """Return a recording as it is open here; new ones are added."""
        for known in self.recordings:
            if known.recording is recording:
                return known
        found = OpenRecording(recording, epochs)
        self._add_recording(found)
        return found

    def close_recording(self, recording: xr.DataArray) -> None:
        """Forget a recording, with the steps that changed its epochs and facts."""
        for known in list(self.recordings):
            if known.recording is recording:
                self.recordings.remove(known)
                self.undo_stack.forget(known)

    def epochs_of(self, recording: xr.DataArray) -> pd.DataFrame | None:
        """Return the stimulus epochs of a recording."""
        return self.open_recording(recording).epochs

    def set_epochs(self, recording: xr.DataArray, epochs: pd.DataFrame | None) -> None:
        """Write the stimulus epochs of a recording, and of what came from it.

        Other channels of it, its motion-corrected version and the ROIs on any of them
        have the same times, and get the same epochs.
        """
        state = self.open_recording(recording)
        holders: list[OpenRecording | RoiSet] = [
            other for other in self.recordings if other.is_of(recording)
        ]
        holders += [
            roi_set
            for roi_set in [*self.roi_sets, *self.closed_sets]
            if roi_set.recording is not None and state.is_of(roi_set.recording)
        ]
        self.undo_stack.do(SetEpochs(state, epochs, holders))

    def set_facts(self, recording: xr.DataArray, facts: Mapping[str, Any]) -> None:
        """Write facts of a recording: frame rate, pixel size, date, origin."""
        known = recording.attrs
        new = {name: value for name, value in facts.items() if known.get(name) != value}
        if new:
            self.undo_stack.do(SetFacts(self.open_recording(recording), new))

    def _add_recording(self, state: OpenRecording) -> None:
        self.recordings.append(state)
        state.epochs_changed.connect(self._on_epochs)
        state.facts_changed.connect(lambda: self.facts_changed.emit(state))
        state.problem.connect(self._tell)

    # psygnal finds out how many arguments a compiled slot takes by calling it: to
    # connect a signal to the emit of another would emit that
    def _on_epochs(self) -> None:
        self.epochs_changed.emit()

    def _tell(self, text: str) -> None:
        self.problem.emit(text)

    # --------------------------------------------------------------------- ROIs
    def add_rois(self, roi_set: RoiSet) -> None:
        """Open a set of ROIs and make it the active one."""
        if roi_set in self.closed_sets:
            self.closed_sets.remove(roi_set)
        if roi_set not in self.roi_sets:
            self.roi_sets.append(roi_set)
            roi_set.undo_stack.move([roi_set], self.undo_stack)
            roi_set.undo_stack = self.undo_stack
            roi_set.problem.connect(self._tell, unique=True)
            self.roi_sets_changed.emit()
        self.activate(roi_set)

    def activate(self, roi_set: RoiSet | None) -> None:
        """Look at another set of ROIs; each remembers what was selected in it."""
        if roi_set is self.roi_set:
            return
        if self.roi_set is not None:
            own = Selection()
            own.set_rois(self.selection.rois)
            self.roi_set.follow(own)
        self.roi_set = roi_set
        chosen: tuple[str, ...] = ()
        if roi_set is not None:
            chosen = roi_set.selection.rois
            roi_set.follow(self.selection)
        self.selection.set_sample(None if roi_set is None else roi_set.sample_id)
        self.selection.set_rois(chosen)
        self.roi_set_changed.emit()

    def close_rois(self, roi_set: RoiSet) -> bool:
        """Close a set of ROIs; return whether it is kept, as its curation is not saved.

        The kept one can be added again. Steps of others are forgotten.
        """
        if roi_set not in self.roi_sets:
            return False
        self.roi_sets.remove(roi_set)
        if roi_set is self.roi_set:
            self.activate(self.roi_sets[-1] if self.roi_sets else None)
        kept = roi_set.curated and len(roi_set) > 0
        if kept:
            self.closed_sets = [*self.closed_sets, roi_set][-_MOST_CLOSED:]
        else:
            self.undo_stack.forget(roi_set)
        self.roi_sets_changed.emit()
        return kept

    # --------------------------------------------------------------------- undo
    def undo(self, recording: xr.DataArray | None = None) -> str:
        """Take back the last step of what is looked at; return what it was.

        Parameters
        ----------
        recording : xarray.DataArray, optional
            A recording whose epochs and facts count too. Those of the recording under
            the active ROIs do in any case.
        """
        return _title(self.undo_stack.undo(self._subjects(recording)))

    def redo(self, recording: xr.DataArray | None = None) -> str:
        """Take the step again that was taken back last; return what it was."""
        return _title(self.undo_stack.redo(self._subjects(recording)))

    def undo_title(self, recording: xr.DataArray | None = None) -> str:
        """Return what :meth:`undo` would take back; empty if there is nothing."""
        return self.undo_stack.undo_title(self._subjects(recording))

    def redo_title(self, recording: xr.DataArray | None = None) -> str:
        """Return what :meth:`redo` would take again; empty if there is nothing."""
        return self.undo_stack.redo_title(self._subjects(recording))

    def _subjects(self, recording: xr.DataArray | None) -> list[object] | None:
        active = self.roi_set
        known = [recording, None if active is None else active.recording]
        under = [one for one in known if one is not None]
        if active is None and not under:
            return None
        found: list[object] = [] if active is None else [active]
        found += [s for s in self.recordings if any(s.is_of(one) for one in under)]
        return found

    # ------------------------------------------------------------------ samples
    def open_sample(
        self, sample_id: str, *, progress: Progress = silent
    ) -> OpenedSample:
        """Open a sample of the project, with what a crashed session did to it."""
        opened = open_sample.open_sample(
            self.current_project(), sample_id, progress=progress
        )
        self.take(opened)
        return opened

    def take(self, opened: OpenedSample) -> None:
        """Take over a sample that was read, perhaps in another thread."""
        if opened.stack is not None:
            parts = [opened.open_recording, opened.roi_set]
            opened.stack.move(parts, self.undo_stack)
        if opened.open_recording is not None:
            self._add_recording(opened.open_recording)
        if opened.roi_set is not None:
            self.add_rois(opened.roi_set)

    def curated(self, roi_set: RoiSet | None = None) -> Curated:
        """Return what saving a set of ROIs (default: the active) would write."""
        roi_set = self.roi_set if roi_set is None else roi_set
        if roi_set is None:
            raise ParameterError("No ROIs are open; open a sample first.")
        state = self._recording_under(roi_set)
        return Curated(roi_set, None if state is None else state.unsaved_facts())

    def save_curation(
        self, roi_set: RoiSet | None = None, *, progress: Progress = silent
    ) -> Sample:
        """Save the curation of a sample: ROIs, tags, verdicts, epochs and facts."""
        curated = self.curated(roi_set)
        sample = curated.save(progress=progress)
        self.note_saved(curated)
        return sample

    def note_saved(self, curated: Curated) -> None:
        """Note that a curation was saved."""
        state = self._recording_under(curated.roi_set)
        if state is not None:
            facts = state.unsaved_facts()
            state.edited_facts = {
                name
                for name, value in facts.items()
                if name not in curated.facts or curated.facts[name] != value
            }
        curated.roi_set.mark_saved(curated.steps)
        curated.roi_set.table_changed.emit()

    def note_added(
        self,
        project: Project,
        sample: Sample,
        recording: xr.DataArray | None,
        roi_set: RoiSet | None,
        steps: tuple[Command, ...],
    ) -> None:
        """Note that recording and ROIs are those of a sample now."""
        if recording is not None:
            state = self.open_recording(recording)
            state.project, state.sample_id = project, sample.sample_id
            state.edited_facts = set()
        if roi_set is not None:
            roi_set.project, roi_set.sample_id = project, sample.sample_id
            roi_set.mark_saved(steps)
            if roi_set is self.roi_set:
                self.selection.set_sample(sample.sample_id)
            roi_set.table_changed.emit()

    def current_project(self) -> Project:
        """Return the project that is open.

        Raises
        ------
        ParameterError
            If none is.
        """
        if self.project is None:
            raise ParameterError("No project is open; open or create one first.")
        return self.project

    def _recording_under(self, roi_set: RoiSet) -> OpenRecording | None:
        for state in self.recordings:
            if roi_set.recording is not None and state.recording is roi_set.recording:
                return state
        return None


def _title(command: Command | None) -> str:
    return "" if command is None else command.title
