"""Read journals back: which steps of crashed sessions are in no sample yet."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from napari_mesmerize.project.journal import (
    FORMAT_VERSION,
    PARTS,
    STEP_KINDS,
    Step,
    part_of,
)
from napari_mesmerize.project.locks import is_stale


@dataclass
class Unsaved:
    """What journals hold that is in no sample.

    Attributes
    ----------
    steps : dict of str to list of Step
        Steps to take again, oldest first, by sample.
    open : dict of pathlib.Path to set of str
        Samples of which a journal holds something that is not saved.
    problems : list of str
        Lines that can not be understood. They are left out, all others are read.
    newer : set of pathlib.Path
        Journals that a newer version wrote; nothing of them is read.
    """

    steps: dict[str, list[Step]] = field(default_factory=dict)
    open: dict[Path, set[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    newer: set[Path] = field(default_factory=set)


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


def read_unsaved(path: Path) -> dict[str, list[Step]]:
    """Return the steps of a journal that never were saved, by sample.

    A last line that a crash cut off is left out, and whatever can not be understood.
    """
    return read_journals([path]).steps


def read_journals(paths: Sequence[Path]) -> Unsaved:
    """Read journals as one, the oldest first.

    An undo may be in another journal than its step: steps of a crashed session can be
    undone in the session that brought them back.
    """
    reading = _Reading()
    for path in paths:
        reading.read(path)
    steps: dict[str, list[Step]] = {}
    for entry in reading.live:
        steps.setdefault(entry.step.sample_id, []).append(entry.step)
    return Unsaved(steps, reading.open_samples(), reading.problems, reading.newer)


@dataclass(frozen=True)
class _Entry:
    path: Path
    step: Step


class _Reading:
    def __init__(self) -> None:
        self.live: list[_Entry] = []
        self.undone: dict[str, _Entry] = {}
        self.noted: dict[tuple[Path, str], set[str]] = {}  # parts undone or redone
        self.problems: list[str] = []
        self.newer: set[Path] = set()

    def read(self, path: Path) -> None:
        lines = path.read_bytes().split(b"\n")[:-1]
        for number, line in enumerate(lines, start=1):
            try:
                event = json.loads(line.decode("utf-8"))
                if number == 1 and "event" not in event:
                    version = event.get("format_version", 0)
                    if version > FORMAT_VERSION:
                        self.newer.add(path)
                        self.problems.append(
                            f"{path} was written by a newer version of this package "
                            f"(format {version}; this one reads {FORMAT_VERSION}). "
                            "Update the package to bring its steps back."
                        )
                        return
                    continue
                self._take(path, number, event)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                shown = line[:60].decode("utf-8", "replace")
                self.problems.append(
                    f"Line {number} of {path} is damaged ({_why(error)}): {shown!r}. "
                    "It is left out, all other lines are read; the file is kept."
                )

    def open_samples(self) -> dict[Path, set[str]]:
        found: dict[Path, set[str]] = {}
        for entry in self.live:
            found.setdefault(entry.path, set()).add(entry.step.sample_id)
        for path, sample_id in self.noted:
            found.setdefault(path, set()).add(sample_id)
        return found

    def _take(self, path: Path, number: int, event: Mapping[str, Any]) -> None:
        kind, sample_id = event["event"], event["sample_id"]
        if kind in STEP_KINDS:
            self.live.append(_Entry(path, _step(path, number, event)))
        elif kind == "undo":
            self._undo(path, sample_id, event.get("of"))
        elif kind == "redo":
            entry = self.undone.pop(event["of"])
            self.live.append(entry)
            self._note(path, entry)
        elif kind == "saved":
            self._saved(path, sample_id, event.get("parts", PARTS))
        else:
            raise ValueError(f"no event is named {kind!r}")

    def _undo(self, path: Path, sample_id: str, of: str | None) -> None:
        for at in range(len(self.live) - 1, -1, -1):
            entry = self.live[at]
            last_here = entry.path == path and entry.step.sample_id == sample_id
            if last_here if of is None else entry.step.id == of:
                del self.live[at]
                self.undone[entry.step.id] = entry
                self._note(path, entry)
                return
        if of is not None:
            raise ValueError(f"it undoes the step {of}, which is not there")

    def _note(self, path: Path, entry: _Entry) -> None:
        if path != entry.path:
            key = (path, entry.step.sample_id)
            self.noted.setdefault(key, set()).add(part_of(entry.step))

    def _saved(self, path: Path, sample_id: str, parts: Sequence[str]) -> None:
        self.live = [
            entry
            for entry in self.live
            if entry.path != path
            or entry.step.sample_id != sample_id
            or part_of(entry.step) not in parts
        ]
        left = self.noted.pop((path, sample_id), set()) - set(parts)
        if left:
            self.noted[path, sample_id] = left


def _step(path: Path, number: int, event: Mapping[str, Any]) -> Step:
    """Return the step that a line holds; journals of format 1 have no ids."""
    kind = STEP_KINDS[event["event"]]
    known = {each.name: event[each.name] for each in fields(kind) if each.name != "id"}
    step = kind(**known, id=event.get("id") or f"{path.stem}:{number}")
    _check(step)
    return step


def _check(step: Step) -> None:
    """Raise where values are of other types than those that were written."""
    if not isinstance(step.sample_id, str) or not isinstance(step.id, str):
        raise TypeError("sample_id and id must be texts")
    for each in fields(step):
        value, wanted = getattr(step, each.name), str(each.type)
        if wanted.startswith("dict") and not isinstance(value, dict):
            raise TypeError(f"{each.name} must be a table of values")


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return "it is no line of JSON"
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    return str(error)
