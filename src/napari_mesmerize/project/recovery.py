"""Bring back: backups into their place, edits of crashed sessions into ROI tables."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from napari_mesmerize import atomic
from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ProjectError
from napari_mesmerize.project import backups, commit, journal
from napari_mesmerize.project.backups import Backup
from napari_mesmerize.project.journal_reading import abandoned, read_journals
from napari_mesmerize.project.json_files import write_file, writing
from napari_mesmerize.project.locks import locked
from napari_mesmerize.project.replaced_rois import Exchange, read_exchange
from napari_mesmerize.project.sample import Sample


def restore(project: Path, backup: Backup | str | Path) -> None:
    """Put a backup back in its place; what is there is kept as another backup.

    Raises
    ------
    ProjectError
        If the backup is of something that is not restored alone.
    """
    if not isinstance(backup, Backup):
        backup = backups.find_backup(project, backup)
    parts = backup.what.split("/")
    if parts[0] == "samples" and len(parts) == 2:
        _restore_sample(project, backup, parts[1])
        return
    place = project / backup.what
    single = parts == ["mesmerize.json"] or (parts[0] == "samples" and len(parts) == 3)
    if not single or not place.parent.is_dir():
        raise ProjectError(
            f"{backup.what} can not be restored from {backup.path}: its folder "
            f"{place.parent} is not there, or it is no part of a sample. Copy it by "
            "hand."
        )
    folder = place.parent
    lock = folder / f".{place.name}.lock"
    if len(parts) == 3:
        lock = commit.lock_path(project / "samples", parts[1])
    with writing(backup.what, place), locked(lock, backup.what, wait_s=10):
        if place.exists():
            backups.keep_copy(project, place, "a backup was restored")
        content = backup.path.read_bytes()
        write_file(place, lambda file: file.write(content))


def _restore_sample(project: Path, backup: Backup, name: str) -> None:
    samples = project / "samples"
    what = f"Sample {name}"
    with writing(what, samples), locked(commit.lock_path(samples, name), what):
        commit.clear(project, name)
        folder = commit.temporary_folder(samples, name)
        try:
            folder.mkdir()
            names = [part.name for part in backup.path.iterdir()]
            commit.carry_parts(backup.path, folder, names)
            commit.commit(project, folder, name, "a backup was restored")
        finally:
            atomic.remove(folder)


def unsaved_edits(project: Path, own: Path) -> list[str]:
    """Return the ids of samples with edits that crashed sessions did not save."""
    return sorted(read_journals(abandoned(project, own)).steps)


def unsaved_steps(paths: Sequence[Path], sample_id: str) -> list[journal.Step]:
    """Return what crashed sessions did to a sample and did not save, oldest first."""
    return read_journals(paths).steps.get(sample_id, [])


def journal_problems(project: Path, own: Path) -> list[str]:
    """Return which lines of crashed sessions' journals can not be understood."""
    return read_journals(abandoned(project, own)).problems


def recovered(
    project: Path, steps: Sequence[journal.Step], sample: Sample
) -> tuple[Components | None, pd.DataFrame]:
    """Return a sample's components and ROI table with steps taken again.

    Raises
    ------
    ProjectError
        If ROIs that came in an exchange can not be read.
    """
    components, rois = sample.components, sample.rois
    for step in steps:
        if isinstance(step, Exchange):
            made = read_exchange(project, step)
            rois = made.rois_of(rois)
            components = components and made.components_of(components)
        elif isinstance(step, journal.Edit):
            rois = journal.apply_edits(rois, [step])
        elif isinstance(step, journal.NewColumn) and step.column not in rois:
            rois = rois.assign(**{step.column: ""})
        elif isinstance(step, journal.Columns):
            rois = journal.apply_edits(rois, step.edits())
            if components is not None:
                history = [*components.history, *step.history]
                components = replace(components, history=history)
    return components, rois


def settle(
    project: Path, paths: Sequence[Path], sample_id: str, parts: Collection[str]
) -> None:
    """Note in crashed sessions' journals that parts of a sample are saved now.

    A journal of which nothing is left to save moves to ``backups/``.
    """
    paths = [path for path in paths if path.exists()]
    for path, samples in read_journals(paths).open.items():
        if sample_id in samples:
            journal.append_saved(path, sample_id, parts)
    left = read_journals(paths)
    for path in paths:
        if path not in left.open and path not in left.newer:
            journal.retire(project, path, "crashed session, edits recovered")


def forget(project: Path, own: Path) -> None:
    """Move the journals of crashed sessions to ``backups/``."""
    with writing("The journal", project / "journal"):
        for path in abandoned(project, own):
            journal.retire(project, path, "crashed session, edits not wanted")
