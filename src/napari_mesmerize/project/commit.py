"""Put a written sample folder in its place so that a crash leaves the old or the new.

A new folder is written under a hidden temporary name, then renamed to the hidden name
``.<sample_id>.ready``. From that moment it *is* the sample: whoever looks for it takes
the ready folder first. What follows, moving the old folder to ``backups/`` and the
ready one to its own name, is finished by the next who opens the project if it is cut
off.
"""

import contextlib
import glob
import logging
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

from napari_mesmerize import atomic
from napari_mesmerize.atomic import sync_folder, sync_tree
from napari_mesmerize.project import backups
from napari_mesmerize.project.locks import LockedError, locked
from napari_mesmerize.project.names import fold_name

_log = logging.getLogger(__name__)
_READY = ".ready"
_TEMPORARY = ".tmp"


def lock_path(samples: Path, sample_id: str) -> Path:
    """Return the lock file of a sample; the same for names that differ only in case."""
    return samples / f".{fold_name(sample_id)}.lock"


def temporary_folder(samples: Path, sample_id: str) -> Path:
    """Return a new hidden name beside a sample's place, to write it to."""
    return samples / f".{sample_id}.{uuid.uuid4().hex[:8]}{_TEMPORARY}"


def list_samples(samples: Path) -> dict[str, Path]:
    """Return the folder of each sample that is there, by the folder's name, sorted."""
    found: dict[str, Path] = {}
    for folder in samples.iterdir():
        name = folder.name
        if name.startswith("."):
            if name.endswith(_READY):
                found[name[1 : -len(_READY)]] = folder
        elif name not in found and folder.is_dir():
            found[name] = folder
    return {name: current_folder(samples, name) for name in sorted(found)}


def current_folder(samples: Path, name: str) -> Path:
    """Return the folder that is a sample now."""
    ready = samples / f".{name}{_READY}"
    return ready if ready.is_dir() else samples / name


def carry_parts(old: Path, new: Path, names: Iterable[str]) -> None:
    """Give a new sample folder parts of an old one, which stays as it is.

    Zarr folders are carried over by hard links. Tables and documents, which people and
    their programs may change in place, are copied. A part that is missing stays so.
    """
    for name in names:
        part = old / name
        if part.is_dir():
            atomic.carry_over(part, new / name)
        elif part.exists():
            shutil.copy2(part, new / name)


def commit(project: Path, written: Path, name: str, reason: str) -> None:
    """Make the written folder the sample; an older one moves to ``backups/``.

    The caller holds the sample's lock.

    Parameters
    ----------
    project : pathlib.Path
        The project folder.
    written : pathlib.Path
        The folder, complete, under its temporary name.
    name : str
        The sample's folder name.
    reason : str
        What the backup says about the older folder.
    """
    samples = project / "samples"
    place = samples / name
    sync_tree(written)
    if not place.exists():
        written.rename(place)
        sync_folder(samples)
        return
    slot = backups.new_slot(project, f"samples/{name}", reason)
    ready = samples / f".{name}{_READY}"
    try:
        written.rename(ready)
        sync_folder(samples)
        try:
            _finish(ready, place, slot)
        except OSError as error:
            if _take_back(ready, written, place):
                raise
            _log.warning("Sample %s is saved, but not tidied up: %s", name, error)
    finally:
        backups.drop_slot(project, slot)
    sync_folder(samples)


def _take_back(ready: Path, written: Path, place: Path) -> bool:
    """Return whether the old sample could be made the sample again."""
    if not place.exists():
        return False
    try:
        ready.rename(written)
    except OSError:
        return False
    return True


def _finish(ready: Path, place: Path, slot: Path) -> None:
    place.rename(slot)
    try:
        ready.rename(place)
    except OSError:
        with contextlib.suppress(OSError):
            slot.rename(place)
        raise


def remove(project: Path, name: str, reason: str) -> Path:
    """Move a sample, whose lock the caller holds, to ``backups/``; return where."""
    samples = project / "samples"
    slot = backups.new_slot(project, f"samples/{name}", reason)
    try:
        current_folder(samples, name).rename(slot)
    finally:
        backups.drop_slot(project, slot)
    sync_folder(samples)
    return slot


def recover(project: Path) -> None:
    """Finish or clear away what dead writers left; what is being written is left alone.

    Raises
    ------
    OSError
        If the folder can not be changed; nothing is lost then, readers cope.
    """
    samples = project / "samples"
    for leftover in sorted(samples.iterdir()):
        name = leftover.name
        if not name.startswith(".") or not leftover.is_dir():
            continue
        if name.endswith(_READY):
            recover_sample(project, name[1 : -len(_READY)])
        elif name.endswith(_TEMPORARY):
            recover_sample(project, name[1 : -len(_TEMPORARY)].rpartition(".")[0])


def recover_sample(project: Path, name: str) -> None:
    """Finish or clear away what dead writers of one sample left."""
    samples = project / "samples"
    try:
        with locked(lock_path(samples, name), f"Sample {name}"):
            clear(project, name)
    except LockedError:
        return


def clear(project: Path, name: str) -> None:
    """Do what :func:`recover_sample` does, for a caller who holds the lock."""
    samples = project / "samples"
    ready, place = samples / f".{name}{_READY}", samples / name
    if ready.is_dir():
        if place.exists():
            reason = "replaced; finished after a crash"
            slot = backups.new_slot(project, f"samples/{name}", reason)
            try:
                _finish(ready, place, slot)
            finally:
                backups.drop_slot(project, slot)
        else:
            ready.rename(place)
    for leftover in samples.glob(f".{glob.escape(name)}.*{_TEMPORARY}"):
        token = leftover.name[len(name) + 2 : -len(_TEMPORARY)]
        if leftover.is_dir() and "." not in token:
            atomic.remove(leftover)
