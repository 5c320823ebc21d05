"""The edit journal: each curation step is on disk before it is saved in the sample."""

import contextlib
import json
import os
import platform
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError
from napari_mesmerize.history import json_safe
from napari_mesmerize.project import backups
from napari_mesmerize.project.json_files import now, writing
from napari_mesmerize.project.replaced_rois import Exchange, write_exchange

FORMAT = "napari-mesmerize journal"
FORMAT_VERSION = 2
PARTS = ("rois", "epochs", "facts")  # of a sample, saved one by one


@dataclass(frozen=True)
class Edit:
    """One change of one column of some ROIs.

    Attributes
    ----------
    sample_id : str
        The sample.
    column : str
        A tag column, ``accepted`` or another column of the ROI table.
    new, old : dict
        Value by ``roi_id`` after and before.
    time : str
        ISO 8601, UTC.
    id : str
        By which an undo or redo names it.
    """

    sample_id: str
    column: str
    new: dict[str, Any]
    old: dict[str, Any]
    time: str = ""
    id: str = ""

    def inverse(self) -> "Edit":
        """Return the edit that undoes this one."""
        return Edit(self.sample_id, self.column, new=self.old, old=self.new, time=now())


@dataclass(frozen=True)
class Columns:
    """A change of several columns in one step, such as an evaluation.

    Attributes
    ----------
    sample_id : str
        The sample.
    new, old : dict of str to dict
        Value by ``roi_id`` after and before, by column.
    history : list of dict
        What the history of the components is longer by.
    time, id : str
        As of an :class:`Edit`.
    """

    sample_id: str
    new: dict[str, dict[str, Any]]
    old: dict[str, dict[str, Any]]
    history: list[dict[str, Any]] = field(default_factory=list)
    time: str = ""
    id: str = ""

    def edits(self) -> list[Edit]:
        """Return one edit a column."""
        return [
            Edit(self.sample_id, column, values, self.old.get(column, {}), self.time)
            for column, values in self.new.items()
        ]


@dataclass(frozen=True)
class NewColumn:
    """A tag column that was added, empty."""

    sample_id: str
    column: str
    time: str = ""
    id: str = ""


@dataclass(frozen=True)
class Epochs:
    """Other stimulus epochs: rows of their table, or ``None`` without epochs."""

    sample_id: str
    new: list[dict[str, Any]] | None
    old: list[dict[str, Any]] | None
    time: str = ""
    id: str = ""


@dataclass(frozen=True)
class Facts:
    """Other facts of the recording: values by name, after and before."""

    sample_id: str
    new: dict[str, Any]
    old: dict[str, Any]
    time: str = ""
    id: str = ""


Step = Edit | Columns | NewColumn | Exchange | Epochs | Facts
STEP_KINDS: dict[str, type[Step]] = {
    "edit": Edit,
    "columns": Columns,
    "new column": NewColumn,
    "exchange": Exchange,
    "epochs": Epochs,
    "facts": Facts,
}
_NAMES = {kind: name for name, kind in STEP_KINDS.items()}


def part_of(step: Step) -> str:
    """Return the part of a sample that a step changes, one of :data:`PARTS`."""
    if isinstance(step, Epochs | Facts):
        return _NAMES[type(step)]
    return "rois"


def new_id() -> str:
    """Return an id for a step."""
    return uuid.uuid4().hex[:16]


def apply_edits(rois: pd.DataFrame, edits: Sequence[Edit]) -> pd.DataFrame:
    """Return an ROI table with edits made to it.

    Parameters
    ----------
    rois : pandas.DataFrame
        The ROI table; it is not changed.
    edits : sequence of Edit
        Edits in their order. ROIs that the table does not have are skipped.

    Returns
    -------
    pandas.DataFrame
        A copy with the edits made.

    Notes
    -----
    Use it to see what a list of edits does to a table. To bring back the edits of a
    crashed session, :meth:`Project.recover` also knows merges and splits.

    Examples
    --------
    >>> from napari_mesmerize.data.rois import roi_table_from_outlines
    >>> from napari_mesmerize.project import Edit, apply_edits
    >>> rois = roi_table_from_outlines([[(2, 2), (2, 8), (8, 8)]], tags=["region"])
    >>> (roi,) = rois.index
    >>> edit = Edit("m1-_-t1", "region", {roi: "anterior"}, {roi: ""})
    >>> apply_edits(rois, [edit])["region"].tolist()
    ['anterior']
    >>> apply_edits(rois, [edit, edit.inverse()])["region"].tolist()
    ['']
    """
    rois = rois.copy()
    for edit in edits:
        values = {roi: new for roi, new in edit.new.items() if roi in rois.index}
        if not values:
            continue
        if edit.column not in rois:
            text = all(isinstance(value, str) for value in values.values())
            rois[edit.column] = pd.Series(
                "" if text else None, index=rois.index, dtype=object
            )
        rois.loc[list(values), edit.column] = list(values.values())
    return rois


class Journal:
    """The journal of one session: a file of JSON lines that only grows.

    Parameters
    ----------
    project : pathlib.Path
        The project folder. The file is made when the first edit comes.
    """

    def __init__(self, project: Path) -> None:
        started = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        self._project = project
        self.path = project / "journal" / f"{started}-{uuid.uuid4().hex[:8]}.jsonl"
        self._unsaved: dict[str, list[Step]] = {}
        self._undone: dict[str, dict[str, Step]] = {}

    def record(
        self,
        sample_id: str,
        column: str,
        new: Mapping[str, Any],
        old: Mapping[str, Any] | None = None,
    ) -> Edit:
        """Write an edit down, on disk when this returns.

        Parameters
        ----------
        sample_id : str
            The sample.
        column : str
            The column of its ROI table that was changed.
        new : mapping
            New value by ``roi_id``.
        old : mapping, optional
            Values before, for undo.

        Raises
        ------
        ProjectError
            If the journal can not be written; the edit itself is not lost.
        """
        edit = Edit(sample_id, column, dict(new), dict(old or {}))
        written = self.write(edit)
        assert isinstance(written, Edit)
        return written

    def record_exchange(
        self,
        sample_id: str,
        gone: Sequence[str],
        components: Components,
        rois: pd.DataFrame,
        places: Mapping[str, int],
        *,
        step_id: str = "",
    ) -> Exchange:
        """Write down that ROIs came in the place of others, as in a merge or a split.

        Parameters
        ----------
        sample_id : str
            The sample.
        gone : sequence of str
            The ``roi_id`` of each ROI that was taken away.
        components, rois : Components and pandas.DataFrame
            The ROIs that came, and an ROI table that has their rows.
        places : mapping
            Position, in the table afterwards, of each ROI that came, by ``roi_id``.
        step_id : str, optional
            Id of the step; default a new one.

        Raises
        ------
        ProjectError
            If the journal can not be written; the exchange itself is not lost.
        """
        folder, session = self.path.parent, self.path.stem
        with writing("A merge or split", folder):
            exchange = write_exchange(
                folder, session, sample_id, gone, components, rois, places
            )
        written = self.write(replace(exchange, id=step_id))
        assert isinstance(written, Exchange)
        return written

    def write(self, step: Step) -> Step:
        """Write a step down, on disk when this returns.

        Parameters
        ----------
        step : Step
            What was done. Without an id and a time it gets them.

        Raises
        ------
        ProjectError
            If the journal can not be written; the step itself is not lost.
        """
        values = {
            each.name: json_safe(getattr(step, each.name)) for each in fields(step)
        }
        values["id"], values["time"] = step.id or new_id(), step.time or now()
        step = type(step)(**values)
        self._unsaved.setdefault(step.sample_id, []).append(step)
        self._append({"event": _NAMES[type(step)], **values})
        return step

    def adopt(self, sample_id: str, steps: Sequence[Step]) -> None:
        """Take over the steps that another session's journal holds.

        They are not written again. An undo of one of them is written here.
        """
        self._unsaved.setdefault(sample_id, []).extend(steps)

    def take_back(
        self, sample_id: str, step_id: str, write_opposite: Callable[[], object]
    ) -> None:
        """Write down that a step was undone.

        Parameters
        ----------
        sample_id : str
            The sample.
        step_id : str
            Id of the step.
        write_opposite : callable
            Writes the opposite step. It is called where the step itself was saved in
            the sample meanwhile.

        Raises
        ------
        ProjectError
            If the journal can not be written.
        """
        step = self._take_out(sample_id, step_id)
        if step is None:
            write_opposite()
            return
        self._undone.setdefault(sample_id, {})[step_id] = step
        self._note("undo", sample_id, step_id)

    def take_again(
        self, sample_id: str, step_id: str, write_step: Callable[[], object]
    ) -> None:
        """Write down that a step was redone.

        ``write_step`` writes the step itself. It is called where the journal does not
        hold it any more.

        Raises
        ------
        ProjectError
            If the journal can not be written.
        """
        step = self._undone.get(sample_id, {}).pop(step_id, None)
        if step is None:
            write_step()
            return
        self._unsaved.setdefault(sample_id, []).append(step)
        self._note("redo", sample_id, step_id)

    def undo(self, sample_id: str) -> Edit | None:
        """Write down that the newest unsaved edit is undone; return what undoes it.

        Returns
        -------
        Edit or None
            To be applied to the table; None if there is nothing to undo.
        """
        steps = self._unsaved.get(sample_id, [])
        if not steps:
            return None
        last = steps[-1]
        if not isinstance(last, Edit):
            raise ParameterError(
                f"The last step is '{_NAMES[type(last)]}', not an edit of one column; "
                "record what takes it back, of ROIs with record_exchange()."
            )
        if not last.old:
            raise ParameterError(
                f"The last edit of {last.column!r} does not say what was there "
                "before; give old=... to record() for edits that can be undone."
            )
        self.take_back(sample_id, last.id, lambda: self.write(last.inverse()))
        return last.inverse()

    def mark_saved(self, sample_id: str, parts: Collection[str] = PARTS) -> None:
        """Write down that the sample's steps so far are in its files.

        Parameters
        ----------
        sample_id : str
            The sample.
        parts : collection of str, optional
            Which of :data:`PARTS` was saved; default all.
        """
        steps = self._unsaved.pop(sample_id, [])
        undone = self._undone.pop(sample_id, {})
        left = [step for step in steps if part_of(step) not in parts]
        if left:
            self._unsaved[sample_id] = left
        still = {key: s for key, s in undone.items() if part_of(s) not in parts}
        if still:
            self._undone[sample_id] = still
        if len(left) < len(steps) or len(still) < len(undone):
            self._append(_saved(sample_id, parts))

    def unsaved(self, sample_id: str) -> list[Step]:
        """Return the steps that are not yet in the sample."""
        return list(self._unsaved.get(sample_id, []))

    def close(self) -> None:
        """End the session; the journal moves to ``backups/`` if nothing is unsaved."""
        if self.path.exists() and not any(self._unsaved.values()):
            retire(self._project, self.path, "session ended, all edits saved")

    def _take_out(self, sample_id: str, step_id: str) -> Step | None:
        steps = self._unsaved.get(sample_id, [])
        for at in range(len(steps) - 1, -1, -1):
            if steps[at].id == step_id:
                return steps.pop(at)
        return None

    def _note(self, event: str, sample_id: str, step_id: str) -> None:
        self._append(
            {"event": event, "sample_id": sample_id, "of": step_id, "time": now()}
        )

    def _append(self, event: Mapping[str, Any]) -> None:
        new = not self.path.exists()
        with writing("An edit", self.path):
            self.path.parent.mkdir(exist_ok=True)
            _append(self.path, [_header(), event] if new else [event])


def append_saved(path: Path, sample_id: str, parts: Collection[str] = PARTS) -> None:
    """Note in a journal that the steps of a sample are in its files."""
    with writing("An edit", path):
        _append(path, [_saved(sample_id, parts)])


def _saved(sample_id: str, parts: Collection[str]) -> dict[str, Any]:
    event = {"event": "saved", "sample_id": sample_id, "time": now()}
    whole = set(parts) == set(PARTS)
    return event if whole else event | {"parts": sorted(parts)}


def _append(path: Path, events: Sequence[Mapping[str, Any]]) -> None:
    """Write events at the end of a journal; they are on disk when this returns."""
    text = "".join(
        json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n"
        for event in events
    )
    with open(path, "ab") as file:
        size = file.tell()
        try:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):  # leave no half line behind
                os.truncate(path, size)
            raise


def _header() -> dict[str, Any]:
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "host": platform.node(),
        "pid": os.getpid(),
        "process_started": psutil.Process().create_time(),
        "time": now(),
    }


def retire(project: Path, path: Path, reason: str) -> None:
    """Move a journal, with the ROIs that it refers to, to ``backups/``."""
    slot = backups.new_slot(project, f"journal/{path.name}", reason)
    path.rename(slot)
    if path.with_suffix("").is_dir():
        path.with_suffix("").rename(slot.with_suffix(""))
