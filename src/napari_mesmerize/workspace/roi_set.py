"""The ROIs that are looked at: table, footprints, traces, and which is selected."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from psygnal import Signal
from scipy import sparse

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.pictures import drawn_areas
from napari_mesmerize.data.rois import roi_table_from_components
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.workspace.journalling import note_edit, note_exchange

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
    edited = Signal(str, dict, dict)  # column, new and old value by roi_id

    def __init__(
        self,
        components: Components,
        table: pd.DataFrame | None = None,
        *,
        recording: xr.DataArray | None = None,
        epochs: pd.DataFrame | None = None,
        name: str = "ROIs",
        tag_columns: tuple[str, ...] = (),
        project: Any = None,
        sample_id: str | None = None,
        areas: Any = None,
    ) -> None:
        self.name = name
        self.recording = recording
        self.project = project
        self.sample_id = sample_id
        self.epochs = epochs
        self.journalled = True  # false while a journal's steps are taken again
        self.unsaved = False
        self.curated = False  # tagged, judged, merged, ... since it was made or saved
        self.selected: int | None = None
        self._undo: list[Any] = []  # (column, rows, values before), or what restores
        self._components = components
        self._by_pixel: sparse.csr_array | None = None
        self._areas = areas
        self.table = _fitting_table(components, table)
        for column in tag_columns:
            self.add_tag_column(column)
        self.edited.connect(self._note_edit)
        self.mark_saved()

    def __len__(self) -> int:
        return len(self.table)

    def mark_saved(self, table: pd.DataFrame | None = None) -> None:
        """Note that ``table`` (default: all) was saved; later edits were not."""
        self.unsaved = self.curated = False
        if table is None:
            return
        if not table.index.equals(self.table.index):  # merged or split meanwhile
            self.unsaved = self.curated = True
            note_exchange(self, table.index)
        both = self.table.index.intersection(table.index)
        for column in ("accepted", *self.tag_columns):
            now = self.table.loc[both, column]
            then = table.loc[both, column] if column in table else ""
            rows = both[(now != then).to_numpy(bool)]
            if len(rows):
                self.unsaved = self.curated = True
                self.edited.emit(column, now[rows].to_dict(), {})

    @property
    def in_sample(self) -> bool:
        """Whether these are the ROIs of a sample that its project still has."""
        return self.project is not None and self.sample_id in self.project

    def _note_edit(self, column: str, new: dict[str, Any], old: dict[str, Any]) -> None:
        note_edit(self, column, new, old)

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
        areas: Any = None,
    ) -> None:
        """Show other components; tags of ROIs that stay are kept."""
        fresh = _fitting_table(components, table)
        if table is None:
            for column in ("accepted", *self.tag_columns):
                if column in self.table:
                    known = self.table[column].reindex(fresh.index)
                    fresh[column] = known.where(known.notna(), fresh.get(column, ""))
            fresh["accepted"] = fresh["accepted"].astype(bool)
        chosen = None if self.selected is None else self.table.index[self.selected]
        self.components, self.table = components, fresh
        self._areas = areas
        self._undo = []
        known_place = fresh.index.get_indexer(pd.Index([chosen]))[0]
        self.selected = None if known_place < 0 else int(known_place)
        self.unsaved = True
        self.replaced.emit()
        self.selection_changed.emit()

    def exchange(
        self, components: Components, table: pd.DataFrame, areas: Any = None
    ) -> None:
        """Show merged or split ROIs, in a step that :meth:`undo` takes back.

        ``areas`` may be what :attr:`areas` would compute, which takes a while.
        """
        before = (self.components, self.table, self._areas)
        steps = self._undo

        def restore() -> None:
            now = self.table.index
            self.replace(before[0], before[1], areas=before[2])
            self._undo = steps
            note_exchange(self, now)

        self.replace(components, table, areas=areas)
        self.curated = True
        self._undo = [*steps, restore]
        note_exchange(self, before[1].index)

    def set_columns(
        self, columns: dict[str, Any], components: Components | None = None
    ) -> None:
        """Write whole columns (a value an ROI) in one step that can be undone.

        ``components`` are the same ROIs, with other scores or history.
        """
        before = {c: self.table[c].copy() for c in columns if c in self.table}
        known = self._components

        def restore() -> None:
            self._components = known
            self._write(before)

        self._components = known if components is None else components
        self._write(columns)
        self._undo.append(restore)

    def _write(self, columns: dict[str, Any]) -> None:
        for column, values in columns.items():
            values = pd.Series(np.asarray(values), index=self.table.index)
            old = self.table.get(column, pd.Series(None, self.table.index, object))
            rows = self.table.index[(values != old).to_numpy(bool)]
            self.table[column] = values
            if len(rows):
                self.edited.emit(column, values[rows].to_dict(), old[rows].to_dict())
        self._changed()

    def select(self, position: int | None) -> None:
        """Select an ROI by its position, or none."""
        if position is not None and not 0 <= position < len(self):
            position = None
        if position != self.selected:
            self.selected = position
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
        if not name or name in self.table:
            return
        self.table[name] = pd.Series("", index=self.table.index, dtype=object)
        self._changed()

    def set_tag(self, column: str, value: str, positions: Any = None) -> None:
        """Set a tag of some ROIs; default: of the selected one."""
        if column not in self.tag_columns:
            raise ParameterError(
                f"'{column}' is no tag column; known are {self.tag_columns}."
            )
        self._set(column, value.strip(), positions)

    def set_accepted(self, accepted: bool, positions: Any = None) -> None:
        """Accept or reject some ROIs; default: the selected one."""
        self._set("accepted", bool(accepted), positions)

    def undo(self) -> None:
        """Take the last tag, acceptance, rejection, evaluation, merge or split back."""
        step = self._undo.pop() if self._undo else None
        if callable(step):
            step()
        elif step is not None:
            column, rows, values = step
            now = self.table.loc[rows, column].to_dict()
            self.table.loc[rows, column] = values
            self.edited.emit(column, values.to_dict(), now)
            self._changed()

    def set_epochs(self, epochs: pd.DataFrame | None) -> None:
        """Show other stimulus epochs."""
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

    def edit(self, column: str, values: dict[str, Any]) -> None:
        """Set a column of some ROIs by ``roi_id``, in a step that can be undone."""
        rows = self.table.index[self.table.index.isin(list(values))]
        if len(rows) == 0:
            return
        if column not in self.table:
            self.add_tag_column(column)
        before = self.table.loc[rows, column].copy()
        self._undo.append((column, rows, before))
        self.table.loc[rows, column] = [values[name] for name in rows]
        new = self.table.loc[rows, column].to_dict()
        self.edited.emit(column, new, before.to_dict())
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
    def areas(self) -> Any:
        """The pixels that stand for each ROI in pictures, a column an ROI."""
        if self._areas is None:
            self._areas = drawn_areas(self._components)
        return self._areas

    def _set(self, column: str, value: Any, positions: Any) -> None:
        if positions is None:
            positions = [] if self.selected is None else [self.selected]
        rows = self.table.index[np.asarray(positions, dtype=np.intp)]
        if len(rows) == 0:
            return
        self.edit(column, dict.fromkeys(rows, value))

    def _changed(self) -> None:
        self.unsaved = self.curated = True
        self.table_changed.emit()


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
