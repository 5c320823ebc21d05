"""The ROIs that are looked at: table, footprints, traces, and which is selected."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from psygnal import Signal
from scipy import sparse

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.pictures import drawn_areas
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.errors import MesmerizeError, ParameterError
from napari_mesmerize.project import Project
from napari_mesmerize.workspace.selection import Selection
from napari_mesmerize.workspace.undo import Command, Place, UndoStack
from napari_mesmerize.workspace.undo_commands import (
    AddColumn,
    ColumnValues,
    ExchangeRois,
    SetColumns,
)

Areas: TypeAlias = "sparse.csc_array[Any]"
FIXED_COLUMNS = ("kind", "outline", "accepted")


class RoiSet:
    """ROIs of one recording.

    Parameters
    ----------
    components : Components
        Footprints and traces.
    table : pandas.DataFrame, optional
        The ROI table (index ``roi_id``, rows in the order of the footprints); default
        the table of ``components``.
    recording : xarray.DataArray, optional
        What the ROIs lie on.
    epochs : pandas.DataFrame, optional
        Stimulus epochs.
    name : str, optional
        Shown to people.
    tag_columns : sequence of str, optional
        Tag columns that the table has in any case.
    project, sample_id : Project and str, optional
        The project's sample that this was opened from or saved to; every edit, merge
        and split goes to the journal of that project at once.
    areas : scipy.sparse.csc_array, optional
        What is drawn of each footprint, where it was computed already
        (:func:`~napari_mesmerize.data.pictures.drawn_areas`).
    """

    table_changed = Signal()  # tags or accepted changed
    replaced = Signal()  # other ROIs, or other traces
    selection_changed = Signal()
    epochs_changed = Signal()
    problem = Signal(str)  # what the user must know: an edit that was not kept

    def __init__(
        self,
        components: Components,
        table: pd.DataFrame | None = None,
        *,
        recording: xr.DataArray | None = None,
        epochs: pd.DataFrame | None = None,
        name: str = "ROIs",
        tag_columns: tuple[str, ...] = (),
        project: Project | None = None,
        sample_id: str | None = None,
        areas: Areas | None = None,
    ) -> None:
        self.name = name
        self.recording = recording
        self.project = project
        self.sample_id = sample_id
        self.epochs = epochs
        self.journalled = True  # false while a journal's steps are taken again
        self.unsaved = False
        self.curated = False  # tagged, judged, merged, ... since it was made or saved
        self.selection = Selection()
        self.undo_stack = UndoStack()
        self._components = components
        self._by_pixel: sparse.csr_array | None = None
        self._areas = areas
        self.table = _fitting_table(components, table)
        for column in tag_columns:
            if column not in self.table:
                self.insert_column(column)
        self.selection.rois_changed.connect(self._on_selection)
        self.mark_saved()

    def __len__(self) -> int:
        return len(self.table)

    def now(self) -> tuple[Command, ...]:
        """Return the steps so far, for :meth:`mark_saved`."""
        return self.undo_stack.done(self)

    def mark_saved(self, steps: tuple[Command, ...] | None = None) -> None:
        """Note that the ROIs were saved.

        Parameters
        ----------
        steps : tuple of Command, optional
            What :meth:`now` returned when they were read; what was done or undone since
            is not saved, and is written into the journal again. Default: all is saved.
        """
        self.unsaved = self.curated = False
        here = self.now()
        steps = here if steps is None else steps
        same = next(
            (
                i
                for i, (a, b) in enumerate(zip(here, steps, strict=False))
                if a is not b
            ),
            min(len(here), len(steps)),
        )
        since = [*reversed(steps[same:]), *here[same:]]
        if not since:
            return
        self.unsaved = self.curated = True
        place = self.place
        if place is None:
            return
        try:
            for command in reversed(steps[same:]):
                command.write_opposite(place)
            for command in here[same:]:
                command.write(place)
        except MesmerizeError as error:
            self.problem.emit(str(error))

    @property
    def in_sample(self) -> bool:
        """Whether these are the ROIs of a sample that its project still has."""
        return self.project is not None and self.sample_id in self.project

    @property
    def place(self) -> Place | None:
        """The journal that steps go into; ``None`` while there is no sample."""
        if not self.journalled or self.project is None or not self.in_sample:
            return None
        return Place(self.project.journal, str(self.sample_id))

    @property
    def tag_columns(self) -> list[str]:
        """Names of the tag columns, in the table's order."""
        known = {*FIXED_COLUMNS, "rejected_because", *self.components.scores.columns}
        return [
            str(column)
            for column in self.table.columns
            if column not in known
            and not pd.api.types.is_numeric_dtype(self.table[column])
        ]

    @property
    def trace_kinds(self) -> list[str]:
        """Kinds of traces that there are."""
        return list(self.components.traces)

    def traces(self, kind: str) -> NDArray[np.float32] | None:
        """Return the traces of a kind, (n_rois, n_frames), or ``None``."""
        return self.components.traces.get(kind)

    def replace(
        self,
        components: Components,
        table: pd.DataFrame | None = None,
        *,
        areas: Areas | None = None,
        title: str = "other ROIs or traces",
    ) -> None:
        """Show other components, in a step that can be undone.

        Tags of ROIs that stay are kept.
        """
        fresh = _fitting_table(components, table)
        if table is None:
            for column in ("accepted", *self.tag_columns):
                known = self.table[column].reindex(fresh.index)
                fresh[column] = known.where(known.notna(), fresh.get(column, ""))
            fresh["accepted"] = fresh["accepted"].astype(bool)
        changed, curated = set(self.table.index), self.curated
        self._do(ExchangeRois(self, title, components, fresh, changed, areas))
        self.curated = curated  # nobody decided anything

    def exchange(
        self,
        components: Components,
        table: pd.DataFrame,
        areas: Areas | None = None,
        *,
        changed: Collection[str] = (),
        title: str = "merge or split",
    ) -> None:
        """Show merged, split or drawn ROIs, in a step that can be undone.

        Parameters
        ----------
        components, table : Components and pandas.DataFrame
            All ROIs afterwards.
        areas : scipy.sparse.csc_array, optional
            What :attr:`areas` would compute, which takes a while.
        changed : collection of str
            ROIs that stay, but with another footprint or other traces.
        title : str, optional
            What it is, for the button that takes it back.
        """
        fresh = _fitting_table(components, table)
        self._do(ExchangeRois(self, title, components, fresh, set(changed), areas))

    def set_columns(
        self, columns: Mapping[str, ArrayLike], components: Components | None = None
    ) -> None:
        """Write whole columns (a value an ROI) in one step that can be undone.

        ``components`` are the same ROIs, with other scores or history.
        """
        changes = []
        for column, given in columns.items():
            values = np.asarray(given)
            old, rows = None, np.arange(len(self))
            if column in self.table:
                before = self.table[column].to_numpy()
                rows = np.flatnonzero(np.asarray(values != before, bool))
                old = before[rows]
            changes.append(ColumnValues(column, rows, values[rows], old))
        self._do(SetColumns(self, "evaluation", changes, components))

    @property
    def selected(self) -> int | None:
        """Position of the ROI that is shown on top, or ``None``."""
        positions = self.selected_positions
        return positions[-1] if positions else None

    @property
    def selected_positions(self) -> list[int]:
        """Positions of all selected ROIs; that of the current one is the last."""
        found = self.table.index.get_indexer(
            pd.Index(self.selection.rois, dtype=object)
        )
        return [int(position) for position in found if position >= 0]

    def select(self, position: int | None) -> None:
        """Select an ROI by its position, or none."""
        inside = position is not None and 0 <= position < len(self)
        self.select_several([position] if inside and position is not None else [])

    def select_several(
        self, positions: Sequence[int], current: int | None = None
    ) -> None:
        """Select ROIs by their positions; the last, or ``current``, is on top."""
        names = self.table.index[np.asarray(positions, np.intp)]
        top = None if current is None else str(self.table.index[current])
        self.selection.set_rois([str(name) for name in names], top)

    def follow(self, selection: Selection) -> None:
        """Take another selection for one's own; it is the truth from now on."""
        self.selection.rois_changed.disconnect(self._on_selection, missing_ok=True)
        self.selection = selection
        selection.rois_changed.connect(self._on_selection)

    def _on_selection(self, roi_ids: tuple[str, ...]) -> None:
        self.selection_changed.emit()

    def step(self, by: int, shown: NDArray[np.intp] | None = None) -> None:
        """Select the next (``by=1``) or previous (-1) of the ``shown`` ROIs."""
        order = np.arange(len(self)) if shown is None else np.asarray(shown)
        if order.size == 0:
            return
        here = np.flatnonzero(order == self.selected)
        if here.size == 0:
            self.select(int(order[0 if by > 0 else -1]))
        else:
            self.select(int(order[(here[0] + by) % order.size]))

    def add_tag_column(self, name: str) -> None:
        """Add a tag column, untagged."""
        name = name.strip()
        if name and name not in self.table:
            self._do(AddColumn(self, name))

    def set_tag(
        self, column: str, value: str, positions: ArrayLike | None = None
    ) -> None:
        """Set a tag of some ROIs; default: of the selected ones."""
        if column not in self.tag_columns:
            raise ParameterError(
                f"'{column}' is no tag column; known are {self.tag_columns}."
            )
        self._set(column, value.strip(), positions)

    def set_accepted(self, accepted: bool, positions: ArrayLike | None = None) -> None:
        """Accept or reject some ROIs; default: the selected ones."""
        self._set("accepted", bool(accepted), positions)

    def undo(self) -> str:
        """Take the last step back; return what it was, or nothing."""
        command = self.undo_stack.undo([self])
        return "" if command is None else command.title

    def redo(self) -> str:
        """Take the step again that was taken back last; return what it was."""
        command = self.undo_stack.redo([self])
        return "" if command is None else command.title

    def set_epochs(self, epochs: pd.DataFrame | None) -> None:
        """Show other stimulus epochs; a workspace makes a step of it."""
        self.epochs = epochs
        self.unsaved = True
        self.epochs_changed.emit()

    def update_from(self, features: pd.DataFrame) -> None:
        """Take over tags and acceptance that were edited elsewhere, row by row."""
        for column in ("accepted", *self.tag_columns):
            if column in features and len(features) == len(self):
                values = features[column].to_numpy()
                values = values.astype(bool) if column == "accepted" else values
                now = self.table[column].to_numpy()
                rows = np.flatnonzero(values != now)
                if rows.size:
                    names = self.table.index[rows]
                    self.edit(column, dict(zip(names, values[rows], strict=True)))

    def edit(self, column: str, values: Mapping[str, Any]) -> None:
        """Set a column of some ROIs by ``roi_id``, in a step that can be undone."""
        names = list(values)
        found = self.table.index.get_indexer(pd.Index(names, dtype=object))
        there = np.flatnonzero(found >= 0)
        if len(there):
            given = np.empty(len(names), object)
            given[:] = list(values.values())
            self._edit(column, found[there], given[there])

    def _edit(self, column: str, rows: NDArray[np.intp], values: NDArray[Any]) -> None:
        old = None
        if column in self.table:
            old = self.table[column].to_numpy()[rows]
        which = "1 ROI" if len(rows) == 1 else f"{len(rows)} ROIs"
        what = "verdict" if column == "accepted" else column.replace("_", " ")
        change = ColumnValues(column, rows, values, old)
        self._do(SetColumns(self, f"{what} of {which}", [change]))

    def _do(self, command: Command) -> None:
        self.undo_stack.do(command)

    # ------------------------------------------------ what commands write with
    def show(
        self, components: Components, table: pd.DataFrame, *, areas: Areas | None
    ) -> None:
        """Show ROIs; part of a step, which says how to come back."""
        self.components, self.table = components, table
        self._areas = areas
        self.unsaved = self.curated = True
        chosen = self.selection.rois
        there = [name for name in chosen if name in table.index]
        self.replaced.emit()
        if len(there) < len(chosen):
            self.selection.set_rois(there)
        else:
            self.selection_changed.emit()  # at another position, perhaps

    def judge(
        self,
        scores: pd.DataFrame,
        accepted: NDArray[np.bool_],
        history: list[dict[str, Any]],
    ) -> None:
        """Give the ROIs other scores and another history; part of a step."""
        self._components = replace(
            self._components, scores=scores, accepted=accepted, history=history
        )

    def write_columns(
        self, columns: Iterable[tuple[str, NDArray[np.intp], NDArray[Any] | None]]
    ) -> None:
        """Write values into rows of columns; ``None`` takes the column away."""
        for column, rows, values in columns:
            if values is None:
                self.table = self.table.drop(columns=column)
            elif column not in self.table:
                whole = len(rows) == len(self) and values.dtype != object
                blank = values if whole else _blanks(len(self), values)
                series = pd.Series(blank, index=self.table.index)
                self.table[column] = series if whole else series.astype(object)
                self._fill(column, rows, values)
            elif len(rows):
                self._fill(column, rows, values)
        self._changed()

    def _fill(self, column: str, rows: NDArray[np.intp], values: NDArray[Any]) -> None:
        filled = self.table[column].to_numpy(copy=True)
        if filled.dtype != object and not np.can_cast(values.dtype, filled.dtype):
            filled = filled.astype(object)
        filled[rows] = values
        kind = bool if self.table[column].dtype == bool else filled.dtype
        index = self.table.index
        self.table[column] = pd.Series(filled.astype(kind), index, dtype=kind)

    def insert_column(self, name: str) -> None:
        """Add an empty tag column; part of a step."""
        self.table[name] = pd.Series("", index=self.table.index, dtype=object)
        self._changed()

    def curated_components(self) -> Components:
        """Return the components with the acceptance of the table."""
        accepted = self.table["accepted"].to_numpy(bool)
        return replace(self.components, accepted=accepted)

    def at_pixel(self, pixel: tuple[int, ...]) -> list[int]:
        """Return positions of the ROIs at a pixel, strongest footprint first."""
        shape = self.components.image_shape
        if not all(0 <= at < size for at, size in zip(pixel, shape, strict=True)):
            return []
        if self._by_pixel is None:
            shared = self._components.footprints.multiply(self.areas)
            self._by_pixel = sparse.csr_array(shared)
        at = int(np.ravel_multi_index(pixel, shape))
        first, last = self._by_pixel.indptr[at : at + 2]
        weights = self._by_pixel.data[first:last]
        found = self._by_pixel.indices[first:last][np.argsort(-weights)]
        return [int(position) for position in found]

    @property
    def components(self) -> Components:
        """Footprints and traces."""
        return self._components

    @components.setter
    def components(self, components: Components) -> None:
        self._components = components
        self._by_pixel = None
        self._areas = None

    @property
    def areas(self) -> Areas:
        """The pixels that stand for each ROI in pictures, a column an ROI."""
        if self._areas is None:
            self._areas = drawn_areas(self._components)
        return self._areas

    def _set(self, column: str, value: str | bool, positions: ArrayLike | None) -> None:
        if positions is None:
            positions = self.selected_positions
        rows = np.asarray(positions, dtype=np.intp)
        if len(rows):
            self._edit(column, rows, np.full(len(rows), value, object))

    def _changed(self) -> None:
        self.unsaved = self.curated = True
        self.table_changed.emit()


def _blanks(n_rois: int, values: NDArray[Any]) -> NDArray[Any]:
    """Return what rows hold that a new column says nothing of."""
    text = all(isinstance(value, str) for value in values)
    return np.full(n_rois, "" if text else None, object)


def _fitting_table(components: Components, table: pd.DataFrame | None) -> pd.DataFrame:
    """Return the table in the order of the footprints."""
    if table is None:
        return roi_table_from_components(components)
    missing = [i for i in components.roi_ids if i not in table.index]
    if missing:
        raise ParameterError(
            f"The ROI table lacks {len(missing)} of {len(components)} ROIs "
            f"({', '.join(missing[:3])}, ...); its index must hold their roi_ids."
        )
    return table.loc[list(components.roi_ids)].copy()
