"""Bring back: backups into their place, edits of crashed sessions into ROI tables."""

from pathlib import Path

import pandas as pd

from napari_mesmerize import atomic
from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ProjectError
from napari_mesmerize.project import backups, commit, journal
from napari_mesmerize.project.backups import Backup
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
    found: set[str] = set()
    for path in journal.abandoned(project, own):
        found.update(journal.read_unsaved(path))
    return sorted(found)


def unsaved_steps(project: Path, own: Path, sample_id: str) -> list[journal.Step]:
    """Return what crashed sessions did to a sample and did not save, oldest first."""
    steps: list[journal.Step] = []
    for path in journal.abandoned(project, own):
        steps += journal.read_unsaved(path).get(sample_id, [])
    return steps


def recovered(
    project: Path, own: Path, sample: Sample
) -> tuple[Components | None, pd.DataFrame]:
    """Return a sample's components and ROI table with those steps taken again.

    Raises
    ------
    ProjectError
        If ROIs that came in an exchange can not be read.
    """
    components, rois = sample.components, sample.rois
    for step in unsaved_steps(project, own, sample.sample_id):
        if isinstance(step, Exchange):
            made = read_exchange(project, step)
            rois = made.rois_of(rois)
            components = components and made.components_of(components)
        else:
            rois = journal.apply_edits(rois, [step])
    return components, rois


def settle(project: Path, own: Path, sample_id: str) -> None:
    """Note in crashed sessions' journals that a sample's edits are saved now."""
    for path in journal.abandoned(project, own):
        unsaved = journal.read_unsaved(path)
        if sample_id in unsaved:
            journal.append_saved(path, sample_id)
        if set(unsaved) <= {sample_id}:
            journal.retire(project, path, "crashed session, edits recovered")


def forget(project: Path, own: Path) -> None:
    """Move the journals of crashed sessions to ``backups/``."""
    with writing("The journal", project / "journal"):
        for path in journal.abandoned(project, own):
            journal.retire(project, path, "crashed session, edits not wanted")
