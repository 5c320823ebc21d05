"""The steps of curation: what each changes, how it is taken back, and its entry."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from napari_mesmerize.data.components import Components
from napari_mesmerize.data.pictures import areas_of_exchanged
from napari_mesmerize.errors import MesmerizeError
from napari_mesmerize.history import StepTimer
from napari_mesmerize.project.journal import (
    Columns,
    Edit,
    Epochs,
    Facts,
    NewColumn,
    Step,
    new_id,
)
from napari_mesmerize.project.replaced_rois import Exchange, Replacement
from napari_mesmerize.workspace.undo import Place

if TYPE_CHECKING:
    from napari_mesmerize.workspace.open_recording import OpenRecording
    from napari_mesmerize.workspace.roi_set import RoiSet

_SMALL = 200  # bytes that a command takes with nothing in it


class _Noted:
    """A command that writes itself into a journal, if there is one.

    Parameters
    ----------
    title : str
        What it does, in a few words.
    subject : object
        What it changes.
    place : callable
        Returns where to note it, or ``None`` while it belongs to no sample.
    problem : callable
        Told what went wrong if it could not be noted; the step itself stands.
    """

    def __init__(
        self,
        title: str,
        subject: object,
        place: Callable[[], Place | None],
        problem: Callable[[str], object],
    ) -> None:
        self.id = new_id()
        self.title = title
        self.subject = subject
        self._place, self._problem = place, problem

    @property
    def n_bytes(self) -> int:
        """About how much memory it holds."""
        return _SMALL

    def park(self) -> None:
        """Hold little enough to stay in memory."""

    def note_done(self) -> None:
        """Write into the journal that it was taken for the first time."""
        self._note(self.write)

    def note_undone(self) -> None:
        """Write into the journal that it was taken back."""
        self._note(
            lambda at: at.journal.take_back(
                at.sample_id, self.id, lambda: self.write_opposite(at)
            )
        )

    def note_redone(self) -> None:
        """Write into the journal that it was taken again."""
        self._note(
            lambda at: at.journal.take_again(
                at.sample_id, self.id, lambda: self.write(at)
            )
        )

    def write(self, at: Place) -> None:
        """Write the step into a journal."""
        at.journal.write(self.step(at))

    def write_opposite(self, at: Place) -> None:
        """Write the opposite step into a journal."""
        step = self.inverse(at)
        if step is not None:
            at.journal.write(step)

    def step(self, at: Place) -> Step:
        """Return the journal's entry of it."""
        raise NotImplementedError

    def inverse(self, at: Place) -> Step | None:
        """Return the entry of the opposite step; ``None`` if nothing is to be done."""
        raise NotImplementedError

    def _note(self, write: Callable[[Place], object]) -> None:
        at = self._place()
        if at is not None:
            try:
                write(at)
            except MesmerizeError as error:
                self._problem(str(error))


class _RoiCommand(_Noted):
    def __init__(self, rois: RoiSet, title: str) -> None:
        super().__init__(title, rois, lambda: rois.place, rois.problem.emit)
        self.rois = rois


class ColumnValues(NamedTuple):
    """Values of one column that change, in some rows.

    ``old`` is ``None`` where the table had no such column before.
    """

    column: str
    rows: NDArray[np.intp]
    new: NDArray[Any]
    old: NDArray[Any] | None


class SetColumns(_RoiCommand):
    """Set values of columns of the ROI table: tags, verdicts, an evaluation.

    Parameters
    ----------
    rois : RoiSet
        Whose table.
    title : str
        What it does, in a few words.
    changes : list of ColumnValues
        What changes.
    components : Components, optional
        The same ROIs with other scores and a longer history, as of an evaluation.
    """

    def __init__(
        self,
        rois: RoiSet,
        title: str,
        changes: list[ColumnValues],
        components: Components | None = None,
    ) -> None:
        super().__init__(rois, title)
        self.changes = changes
        self._old = self._new = _judged(rois.components)
        if components is not None:
            self._new = _judged(components)

    @property
    def n_bytes(self) -> int:
        """About how much memory it holds."""
        return _SMALL + sum(24 * len(change.rows) for change in self.changes)

    def apply(self) -> None:
        """Take the step."""
        self._write(self._new, [(c.column, c.rows, c.new) for c in self.changes])

    def revert(self) -> None:
        """Take it back."""
        self._write(self._old, [(c.column, c.rows, c.old) for c in self.changes])

    def _write(
        self,
        judged: _Judged,
        columns: list[tuple[str, NDArray[np.intp], NDArray[Any] | None]],
    ) -> None:
        if self._new is not self._old:
            self.rois.judge(judged.scores, judged.accepted, judged.history)
        self.rois.write_columns(columns)

    def step(self, at: Place) -> Step:
        """Return the journal's entry of it."""
        return self._entry(at, backwards=False, step_id=self.id)

    def inverse(self, at: Place) -> Step:
        """Return the entry of the opposite step."""
        return self._entry(at, backwards=True, step_id="")

    def _entry(self, at: Place, *, backwards: bool, step_id: str) -> Step:
        index = self.rois.table.index
        new, old = {}, {}
        for change in self.changes:
            names = index[change.rows].tolist()
            before = change.old
            if before is None:
                before = np.full(len(names), _blank(change.new), object)
            after, before = (before, change.new) if backwards else (change.new, before)
            new[change.column] = dict(zip(names, after.tolist(), strict=True))
            old[change.column] = dict(zip(names, before.tolist(), strict=True))
        history = self._new.history[len(self._old.history) :]
        if len(new) == 1 and not history:
            ((column, values),) = new.items()
            return Edit(at.sample_id, column, values, old[column], id=step_id)
        return Columns(at.sample_id, new, old, [] if backwards else history, id=step_id)


class _Judged(NamedTuple):
    scores: pd.DataFrame
    accepted: NDArray[np.bool_]
    history: list[dict[str, Any]]


def _judged(components: Components) -> _Judged:
    return _Judged(components.scores, components.accepted, components.history)


def _blank(values: NDArray[Any]) -> str | None:
    return "" if all(isinstance(value, str) for value in values) else None


class AddColumn(_RoiCommand):
    """Add a tag column, untagged."""

    def __init__(self, rois: RoiSet, column: str) -> None:
        super().__init__(rois, f"new tag column {column}")
        self.column = column

    def apply(self) -> None:
        """Take the step."""
        self.rois.insert_column(self.column)

    def revert(self) -> None:
        """Take it back."""
        self.rois.write_columns([(self.column, np.empty(0, np.intp), None)])

    def step(self, at: Place) -> Step:
        """Return the journal's entry of it."""
        return NewColumn(at.sample_id, self.column, id=self.id)

    def inverse(self, at: Place) -> None:
        """Return nothing: a column that a sample has holds no tags and stays."""
        return


class ExchangeRois(_RoiCommand):
    """Put ROIs in the place of others: a merge, a split, ROIs drawn, moved, deleted.

    It holds the ROIs that went and those that came, not all others.

    Parameters
    ----------
    rois : RoiSet
        Where.
    title : str
        What it does, in a few words.
    components, table : Components and pandas.DataFrame
        All ROIs afterwards.
    changed : collection of str
        ROIs that are there before and afterwards, with another footprint or traces.
    areas : scipy.sparse.csc_array, optional
        What is drawn of each footprint afterwards.
    """

    def __init__(
        self,
        rois: RoiSet,
        title: str,
        components: Components,
        table: pd.DataFrame,
        changed: set[str],
        areas: Any = None,
    ) -> None:
        super().__init__(rois, title)
        before, after = list(rois.table.index), list(table.index)
        kept = (set(before) & set(after)) - changed
        if not _same_frame(rois.components, components):
            kept = set()
        gone = [i for i, name in enumerate(before) if name not in kept]
        came = [i for i, name in enumerate(after) if name not in kept]
        self._there = _side(components, table, came, [before[i] for i in gone])
        self._back = _side(rois.components, rois.table, gone, [after[i] for i in came])
        self._first: tuple[Components, pd.DataFrame, Any] | None
        self._first = (components, table, areas)
        self._parked: tempfile.TemporaryDirectory[str] | None = None

    @property
    def n_bytes(self) -> int:
        """About how much memory it holds."""
        return _SMALL + _size(self._there) + _size(self._back)

    def apply(self) -> None:
        """Take the step."""
        if self._first is not None:
            components, table, areas = self._first
            self._first = None
            self.rois.show(components, table, areas=areas)
        else:
            self._exchange("there", self._there)

    def revert(self) -> None:
        """Take it back."""
        self._exchange("back", self._back)

    def _exchange(self, name: str, side: Replacement) -> None:
        side = self._loaded(name, side)
        old = self.rois.components
        components = side.components_of(old)
        areas = areas_of_exchanged(
            self.rois.areas, old.roi_ids, components, set(side.exchange.places)
        )
        self.rois.show(components, side.rois_of(self.rois.table), areas=areas)

    def park(self) -> None:
        """Move footprints and traces to a temporary folder."""
        if self._parked is not None:
            return
        self._parked = tempfile.TemporaryDirectory(prefix="mesmerize-undo-")
        folder = Path(self._parked.name)
        self._there = _parked(folder / "there.npz", self._there)
        self._back = _parked(folder / "back.npz", self._back)

    def _loaded(self, name: str, side: Replacement) -> Replacement:
        if self._parked is None:
            return side
        return _unparked(Path(self._parked.name) / f"{name}.npz", side)

    def write(self, at: Place) -> None:
        """Write the ROIs that came into a journal."""
        _write_side(at, self._loaded("there", self._there), self.id)

    def write_opposite(self, at: Place) -> None:
        """Write the ROIs that went into a journal, as coming back."""
        _write_side(at, self._loaded("back", self._back), "")


def _same_frame(old: Components, new: Components) -> bool:
    """Say whether ROIs of both can stand in one table."""
    return (
        old.image_shape == new.image_shape
        and set(old.traces) == set(new.traces)
        and old.n_frames == new.n_frames
        and old.frame_rate == new.frame_rate
        and list(old.scores) == list(new.scores)
    )


def _side(
    components: Components, table: pd.DataFrame, came: list[int], gone: list[str]
) -> Replacement:
    names = [components.roi_ids[i] for i in came]
    exchange = Exchange("", gone, dict(zip(names, came, strict=True)), "")
    return Replacement(exchange, components.select(came), table.iloc[came].copy())


def _size(side: Replacement) -> int:
    components = side.components
    arrays = [components.footprints.data, components.footprints.indices]
    arrays += list(components.traces.values())
    return int(sum(array.nbytes for array in arrays)) + 2000 * len(side.rois)


def _parked(path: Path, side: Replacement) -> Replacement:
    """Write footprints and traces to a file; return the side without them."""
    components, matrix = side.components, side.components.footprints
    arrays: dict[str, Any] = {
        f"trace {kind}": values for kind, values in components.traces.items()
    }
    for name in ("data", "indices", "indptr"):
        arrays[name] = getattr(matrix, name)
    np.savez(path, **arrays)
    empty = {
        kind: np.empty((len(components), 0), np.float32) for kind in components.traces
    }
    none = sparse.csc_array(matrix.shape, dtype=np.float32)
    return _with(side, replace(components, footprints=none, traces=empty))


def _unparked(path: Path, side: Replacement) -> Replacement:
    components = side.components
    with np.load(path, allow_pickle=False) as stored:
        parts = (stored["data"], stored["indices"], stored["indptr"])
        matrix = sparse.csc_array(parts, shape=components.footprints.shape)
        traces = {kind: stored[f"trace {kind}"] for kind in components.traces}
    return _with(side, replace(components, footprints=matrix, traces=traces))


def _with(side: Replacement, components: Components) -> Replacement:
    return Replacement(side.exchange, components, side.rois)


def _write_side(at: Place, side: Replacement, step_id: str) -> None:
    """Write the ROIs that came, with their verdicts, into a journal."""
    accepted = side.rois["accepted"].to_numpy(bool)
    at.journal.record_exchange(
        at.sample_id,
        side.exchange.gone,
        replace(side.components, accepted=accepted),
        side.rois,
        side.exchange.places,
        step_id=step_id,
    )


class SetEpochs(_Noted):
    """Write other stimulus epochs of a recording, and of the ROIs on it.

    Parameters
    ----------
    recording : OpenRecording
        Of which they are.
    epochs : pandas.DataFrame or None
        The epochs.
    holders : sequence of OpenRecording and RoiSet
        All that hold the epochs of this recording, itself among them.
    """

    def __init__(
        self,
        recording: OpenRecording,
        epochs: pd.DataFrame | None,
        holders: Sequence[OpenRecording | RoiSet],
    ) -> None:
        super().__init__(
            "stimulus epochs",
            recording,
            lambda: recording.place,
            recording.problem.emit,
        )
        self._new = epochs
        self._old = recording.epochs
        self._holders = [(holder, holder.epochs) for holder in holders]

    @property
    def n_bytes(self) -> int:
        """About how much memory it holds."""
        rows = sum(len(t) for t in (self._new, self._old) if t is not None)
        return _SMALL + 300 * rows

    def apply(self) -> None:
        """Take the step."""
        for holder, _ in self._holders:
            holder.set_epochs(self._new)

    def revert(self) -> None:
        """Take it back."""
        for holder, before in self._holders:
            holder.set_epochs(before)

    def step(self, at: Place) -> Step:
        """Return the journal's entry of it."""
        return Epochs(at.sample_id, _rows(self._new), _rows(self._old), id=self.id)

    def inverse(self, at: Place) -> Step:
        """Return the entry of the opposite step."""
        return Epochs(at.sample_id, _rows(self._old), _rows(self._new))


def _rows(epochs: pd.DataFrame | None) -> list[dict[str, Any]] | None:
    if epochs is None:
        return None
    return [{str(k): v for k, v in row.items()} for row in epochs.to_dict("records")]


class SetFacts(_Noted):
    """Write facts of a recording: frame rate, pixel size, date, origin."""

    def __init__(self, recording: OpenRecording, facts: Mapping[str, Any]) -> None:
        names = ", ".join(name.replace("_um", "").replace("_", " ") for name in facts)
        super().__init__(
            f"{names} of the recording",
            recording,
            lambda: recording.place,
            recording.problem.emit,
        )
        self._recording = recording
        attrs = recording.recording.attrs
        self._new = dict(facts)
        self._old = {name: attrs.get(name) for name in facts}
        self._before = list(attrs.get("history") or [])
        timer = StepTimer("edit_facts", self._new, inputs=[recording.recording])
        self._after = timer.extend(self._before)

    def apply(self) -> None:
        """Take the step."""
        self._recording.write_facts(self._new, self._after)

    def revert(self) -> None:
        """Take it back."""
        self._recording.write_facts(self._old, self._before)

    def step(self, at: Place) -> Step:
        """Return the journal's entry of it."""
        return Facts(at.sample_id, self._new, self._old, id=self.id)

    def inverse(self, at: Place) -> Step:
        """Return the entry of the opposite step."""
        return Facts(at.sample_id, self._old, self._new)
