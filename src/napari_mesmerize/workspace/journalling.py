"""Curation on disk before it is saved: into the project's journal, and out of it."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import pandas as pd

from napari_mesmerize.data.pictures import areas_of_exchanged
from napari_mesmerize.errors import MesmerizeError


def note_edit(
    roi_set: Any, column: str, new: dict[str, Any], old: dict[str, Any]
) -> None:
    """Write an edit of a column down."""
    if roi_set.journalled and roi_set.in_sample:
        try:
            roi_set.project.journal.record(roi_set.sample_id, column, new, old)
        except MesmerizeError as error:
            roi_set.problem.emit(str(error))


def note_exchange(
    roi_set: Any, before: Iterable[str], changed: Collection[str] = ()
) -> None:
    """Write down which ROIs went and which came since there were those of ``before``.

    ``changed`` are ROIs of both that have other footprints or traces now.
    """
    if not (roi_set.journalled and roi_set.in_sample):
        return
    before = list(before)
    known, now = set(before) - set(changed), list(roi_set.table.index)
    kept = known & set(now)
    came = [i for i, name in enumerate(now) if name not in kept]
    gone = [name for name in before if name not in kept]
    if not came and not gone:
        return
    try:
        roi_set.project.journal.record_exchange(
            roi_set.sample_id,
            gone,
            roi_set.curated_components().select(came),
            roi_set.table,
            {now[i]: i for i in came},
        )
    except MesmerizeError as error:
        roi_set.problem.emit(str(error))


def redrawn(old: pd.DataFrame, new: pd.DataFrame) -> set[str]:
    """Return the ROIs of both tables whose outline differs."""
    from napari_mesmerize.project.parquet import points

    both = [name for name in new.index if name in old.index]
    before, after = (points(table.loc[both, "outline"]) for table in (old, new))
    return {both[i] for i in range(len(both)) if before[i] != after[i]}


def replay(
    roi_set: Any, project: Any, steps: Sequence[Any]
) -> tuple[list[Any], list[str]]:
    """Take the steps of a crashed session again; each can be undone.

    Returns
    -------
    list of Edit or Exchange
        What was taken again, without what had been undone.
    list of str
        What could not be taken again, and why.
    """
    problems: list[str] = []
    taken: list[Any] = []
    roi_set.journalled = False
    try:
        for step in steps:
            if taken and _takes_back(step, taken[-1]):
                roi_set.undo()
                taken.pop()
                continue
            try:
                _take(roi_set, project, step)
                taken.append(step)
            except MesmerizeError as error:
                problems.append(str(error))
    finally:
        roi_set.journalled = True
    roi_set.unsaved = roi_set.curated = True
    return taken, problems


def _take(roi_set: Any, project: Any, step: Any) -> None:
    from napari_mesmerize.project.replaced_rois import read_exchange

    if not _exchanges(step):
        roi_set.edit(step.column, step.new)
        return
    came = read_exchange(project.path, step)
    old = roi_set.components
    new = came.components_of(old)
    areas = areas_of_exchanged(roi_set.areas, old.roi_ids, new, set(step.places))
    roi_set.exchange(new, came.rois_of(roi_set.table), areas)


def _takes_back(step: Any, last: Any) -> bool:
    """Say whether a step undid the one before it."""
    if _exchanges(step) != _exchanges(last):
        return False
    if _exchanges(step):
        came, went = set(step.places), set(step.gone)
        drawn_anew = bool(came & went)
        swapped = (came, went) == (set(last.gone), set(last.places))
        return swapped and not drawn_anew
    return step.column == last.column and (step.new, step.old) == (last.old, last.new)


def _exchanges(step: Any) -> bool:
    """Say whether a step is a merge, a split or a drawing; otherwise it is an edit."""
    return not hasattr(step, "column")


def describe(steps: Sequence[Any]) -> str:
    """Say in a sentence what was brought back."""
    n_exchanges = sum(map(_exchanges, steps))
    parts = [
        one if number == 1 else f"{number} {many}"
        for number, one, many in (
            (len(steps) - n_exchanges, "1 edit", "edits"),
            (n_exchanges, "1 merge or split", "merges or splits"),
        )
        if number
    ]
    if not parts:
        return ""
    return (
        f"{' and '.join(parts)} of a session that was not closed came back. Undo takes "
        "them back one by one, Save curation keeps them."
    )
