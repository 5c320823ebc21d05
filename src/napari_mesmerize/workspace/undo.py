"""Undo and redo: the steps of all that is open, in one list."""

from collections.abc import Collection
from typing import NamedTuple, Protocol

from psygnal import Signal

from napari_mesmerize.project.journal import Journal

MOST_STEPS = 10_000
MOST_BYTES = 2**30


class Place(NamedTuple):
    """A journal, and the sample whose steps go into it."""

    journal: Journal
    sample_id: str


class Command(Protocol):
    """A step that can be taken, taken back, and taken again."""

    id: str
    """By which a journal names it."""

    title: str
    """What it does, in a few words for a menu."""

    subject: object
    """What it changes: an ROI set, or epochs and facts of a recording."""

    @property
    def n_bytes(self) -> int:
        """About how much memory it holds."""

    def apply(self) -> None:
        """Take the step."""

    def revert(self) -> None:
        """Take it back."""

    def park(self) -> None:
        """Move what it holds to the disk; applying and reverting still work."""

    def write(self, at: Place) -> None:
        """Write it into a journal."""

    def write_opposite(self, at: Place) -> None:
        """Write the opposite step into a journal."""

    def note_done(self) -> None:
        """Write into the journal that it was taken for the first time."""

    def note_undone(self) -> None:
        """Write into the journal that it was taken back."""

    def note_redone(self) -> None:
        """Write into the journal that it was taken again."""


class UndoStack:
    """The steps that were taken, and those that were taken back.

    Steps that change different things do not depend on each other. So the steps of one
    ROI set can be taken back without those that were taken elsewhere since.

    Parameters
    ----------
    most_steps : int, optional
        How many steps are remembered.
    most_bytes : int, optional
        How much memory the steps may hold together. Beyond it the oldest move to a
        temporary file.

    Notes
    -----
    A step remembers only what it changed: values of columns, or the ROIs that went and
    came.
    """

    changed = Signal()

    def __init__(
        self, *, most_steps: int = MOST_STEPS, most_bytes: int = MOST_BYTES
    ) -> None:
        self._done: list[Command] = []
        self._undone: list[Command] = []  # the next to take again is the last
        self._most_steps, self._most_bytes = most_steps, most_bytes

    def __len__(self) -> int:
        return len(self._done)

    @property
    def last(self) -> Command:
        """The step that was taken last."""
        return self._done[-1]

    def do(self, command: Command) -> None:
        """Take a step; what was taken back of the same subject can not come again."""
        command.apply()
        self.add(command)
        command.note_done()

    def add(self, command: Command) -> None:
        """Remember a step that was taken, and is in the journal, already."""
        subject = command.subject
        self._undone = [c for c in self._undone if c.subject is not subject]
        self._done.append(command)
        del self._done[: -self._most_steps]
        self._park_oldest()
        self.changed.emit()

    def undo(self, subjects: Collection[object] | None = None) -> Command | None:
        """Take the last step back; return it.

        Parameters
        ----------
        subjects : collection, optional
            Only a step that changed one of them; default any.
        """
        at = _last(self._done, subjects)
        if at is None:
            return None
        command = self._done[at]
        command.revert()
        del self._done[at]
        self._undone.append(command)
        command.note_undone()
        self.changed.emit()
        return command

    def redo(self, subjects: Collection[object] | None = None) -> Command | None:
        """Take again what was taken back last; return it."""
        at = _last(self._undone, subjects)
        if at is None:
            return None
        command = self._undone[at]
        command.apply()
        del self._undone[at]
        self._done.append(command)
        command.note_redone()
        self.changed.emit()
        return command

    def undo_title(self, subjects: Collection[object] | None = None) -> str:
        """Return what :meth:`undo` would take back; empty if there is nothing."""
        at = _last(self._done, subjects)
        return "" if at is None else self._done[at].title

    def redo_title(self, subjects: Collection[object] | None = None) -> str:
        """Return what :meth:`redo` would take again; empty if there is nothing."""
        at = _last(self._undone, subjects)
        return "" if at is None else self._undone[at].title

    def done(self, subject: object) -> tuple[Command, ...]:
        """Return the steps of a subject that are taken, oldest first."""
        return tuple(c for c in self._done if c.subject is subject)

    def move(self, subjects: Collection[object], other: "UndoStack") -> None:
        """Hand the steps of some subjects over to another list."""
        if other is self:
            return
        for mine, theirs in ((self._done, other._done), (self._undone, other._undone)):
            theirs += [c for c in mine if _is_of(c, subjects)]
            mine[:] = [c for c in mine if not _is_of(c, subjects)]
        other.changed.emit()

    def forget(self, subject: object) -> None:
        """Forget the steps of a subject, because they no longer fit."""
        self._done = [c for c in self._done if c.subject is not subject]
        self._undone = [c for c in self._undone if c.subject is not subject]
        self.changed.emit()

    def _park_oldest(self) -> None:
        held = sum(command.n_bytes for command in self._done)
        for command in self._done[:-1]:
            if held <= self._most_bytes:
                return
            held -= command.n_bytes
            command.park()
            held += command.n_bytes


def _last(commands: list[Command], subjects: Collection[object] | None) -> int | None:
    """Return the position of the last step of some subjects."""
    for at in range(len(commands) - 1, -1, -1):
        if subjects is None or _is_of(commands[at], subjects):
            return at
    return None


def _is_of(command: Command, subjects: Collection[object]) -> bool:
    return any(command.subject is one for one in subjects)
