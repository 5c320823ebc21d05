"""The edit journal: each curation step is on disk before it is saved in the sample."""

import contextlib
import json
import os
import platform
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from napari_mesmerize.project.locks import is_stale
from napari_mesmerize.project.replaced_rois import Exchange, write_exchange

FORMAT = "napari-mesmerize journal"
FORMAT_VERSION = 1


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
    """

    sample_id: str
    column: str
    new: dict[str, Any]
    old: dict[str, Any]
    time: str = ""

    def inverse(self) -> "Edit":
        """Return the edit that undoes this one."""
        return Edit(self.sample_id, self.column, new=self.old, old=self.new, time=now())


Step = Edit | Exchange


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
        edit = Edit(
            sample_id, column, json_safe(dict(new)), json_safe(dict(old or {})), now()
        )
        self._unsaved.setdefault(sample_id, []).append(edit)
        self._append({"event": "edit", **vars(edit)})
        return edit

    def record_exchange(
        self,
        sample_id: str,
        gone: Sequence[str],
        components: Components,
        rois: pd.DataFrame,
        places: Mapping[str, int],
    ) -> Exchange:
        """Write down that ROIs came in the place of others, as in a merge or a split.

        Taking one back is another exchange, the other way round.

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
        self._unsaved.setdefault(sample_id, []).append(exchange)
        self._append({"event": "exchange", **vars(exchange)})
        return exchange

    def undo(self, sample_id: str) -> Edit | None:
        """Write down that the newest unsaved edit is undone; return what undoes it.

        Returns
        -------
        Edit or None
            To be applied to the table; None if there is nothing to undo.
        """
        edits = self._unsaved.get(sample_id, [])
        if not edits:
            return None
        last = edits[-1]
        if isinstance(last, Exchange):
            raise ParameterError(
                "The last step exchanged ROIs; record the exchange that takes it back "
                "with record_exchange()."
            )
        if not last.old:
            raise ParameterError(
                f"The last edit of {last.column!r} does not say what was there "
                "before; give old=... to record() for edits that can be undone."
            )
        inverse = last.inverse()
        self._append({"event": "undo", "sample_id": sample_id, "time": inverse.time})
        edits.pop()
        return inverse

    def mark_saved(self, sample_id: str) -> None:
        """Write down that the sample's edits so far are in its ROI table."""
        if self._unsaved.pop(sample_id, None):
            self._append({"event": "saved", "sample_id": sample_id, "time": now()})

    def unsaved(self, sample_id: str) -> list[Step]:
        """Return the edits and exchanges that are not yet in the sample."""
        return list(self._unsaved.get(sample_id, []))

    def close(self) -> None:
        """End the session; the journal moves to ``backups/`` if nothing is unsaved."""
        if self.path.exists() and not any(self._unsaved.values()):
            retire(self._project, self.path, "session ended, all edits saved")

    def _append(self, event: Mapping[str, Any]) -> None:
        new = not self.path.exists()
        with writing("An edit", self.path):
            self.path.parent.mkdir(exist_ok=True)
            _append(self.path, [_header(), event] if new else [event])


def append_saved(path: Path, sample_id: str) -> None:
    """Note in a journal that the edits of a sample are in its ROI table."""
    event = {"event": "saved", "sample_id": sample_id, "time": now()}
    with writing("An edit", path):
        _append(path, [event])


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


def read_unsaved(path: Path) -> dict[str, list[Step]]:
    """Return the steps of a journal that never were saved, by sample.

    A last line that a crash cut off is left out, and whatever can not be understood.
    """
    unsaved: dict[str, list[Step]] = {}
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            event = json.loads(line.decode("utf-8"))
            kind, sample_id = event["event"], event["sample_id"]
            edits = unsaved.setdefault(sample_id, [])
            if kind == "edit":
                keys = ("sample_id", "column", "new", "old", "time")
                edits.append(Edit(**{key: event[key] for key in keys}))
            elif kind == "exchange":
                keys = ("sample_id", "gone", "places", "file", "time")
                edits.append(Exchange(**{key: event[key] for key in keys}))
            elif kind == "undo" and edits:
                edits.pop()
            elif kind == "saved":
                edits.clear()
        except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError):
            continue
    return {sample_id: edits for sample_id, edits in unsaved.items() if edits}


def abandoned(project: Path, own: Path) -> list[Path]:
    """Return the journals of sessions that are over (crashed), oldest first."""
    found = []
    for path in sorted((project / "journal").glob("*.jsonl")):
        if path == own:
            continue
        try:
            header = json.loads(path.read_bytes().split(b"\n")[0])
            alive = isinstance(header.get("pid"), int) and not is_stale(header)
        except (UnicodeDecodeError, json.JSONDecodeError, AttributeError):
            alive = False
        if not alive:
            found.append(path)
    return found
