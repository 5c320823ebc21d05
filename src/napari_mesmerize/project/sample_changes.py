"""Changes to a project's samples: each under the sample's lock, with a backup."""

import contextlib
import difflib
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from napari_mesmerize import atomic
from napari_mesmerize.data.components import Components
from napari_mesmerize.errors import ParameterError, ProjectError
from napari_mesmerize.history import StepTimer, json_safe
from napari_mesmerize.progress import Progress, silent
from napari_mesmerize.project import backups, commit, parquet
from napari_mesmerize.project.config import Config, fill_roi_tags
from napari_mesmerize.project.json_files import now, read_json, write_json, writing
from napari_mesmerize.project.locks import locked
from napari_mesmerize.project.names import fold_name
from napari_mesmerize.project.sample import FORMAT, FORMAT_VERSION, Sample
from napari_mesmerize.project.write_sample import (
    CheckedContent,
    check_project_epochs,
    rewrite_sample,
    write_sample,
)

EDITABLE_FACTS = ("frame_rate", "pixel_size_um", "z_step_um", "date", "origin")


def sample_folders(project: Path) -> dict[str, str]:
    """Return the folder name of each sample by its id, sorted.

    They differ where a system stored an accented letter as two characters.
    """
    try:
        names = commit.list_samples(project / "samples")
    except OSError as error:
        raise ProjectError(
            f"The samples of {project} can not be listed: {error}. See that the disk "
            "or share is there."
        ) from error
    return {unicodedata.normalize("NFC", name): name for name in names}


def find_sample(project: Path, sample_id: str) -> str:
    """Return the folder name of a sample.

    Raises
    ------
    ProjectError
        If there is none of that id; the text names the nearest.
    """
    folders = sample_folders(project)
    wanted = unicodedata.normalize("NFC", str(sample_id))
    if wanted in folders:
        return folders[wanted]
    near = difflib.get_close_matches(wanted, folders, n=1)
    hint = f"did you mean {near[0]}?" if near else _first(list(folders))
    raise ProjectError(f"The project {project} has no sample {sample_id!r}; {hint}")


def _first(names: list[str]) -> str:
    if not names:
        return "it has none yet."
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"it has {', '.join(names[:5])}{more}."


def same_elsewhere(sample_id: str, folders: Mapping[str, str]) -> str | None:
    """Return a sample whose id differs only in case, or None."""
    folded = fold_name(sample_id)
    return next((other for other in folders if fold_name(other) == folded), None)


def refuse_existing(project: Path, sample_id: str, *, overwrite: bool) -> None:
    """Raise if a sample is there and must not be replaced.

    Raises
    ------
    ProjectError
        If it is there and ``overwrite`` is false.
    ParameterError
        If one is there whose id differs only in case.
    """
    folders = sample_folders(project)
    if sample_id in folders:
        if overwrite:
            return
        raise ProjectError(
            f"The project {project} already has a sample {sample_id}; choose another "
            "animal_id or trial_id, or say overwrite=True (the old sample is then kept "
            "in backups/)."
        )
    other = same_elsewhere(sample_id, folders)
    if other is not None:
        raise ParameterError(
            f"The project has a sample {other}, which differs from {sample_id} only in "
            "upper and lower case; Windows and macOS can not keep both. Choose another "
            "name."
        )


def add(
    project: Path,
    content: CheckedContent,
    *,
    overwrite: bool,
    max_memory: int | None = None,
    progress: Progress = silent,
) -> None:
    """Write a sample and put it in its place, whole or not at all."""
    sample_id, samples = content.sample_id, project / "samples"
    what = f"Sample {sample_id}"
    with writing(what, samples), locked(commit.lock_path(samples, sample_id), what):
        name = sample_folders(project).get(sample_id, sample_id)
        commit.clear(project, name)
        refuse_existing(project, sample_id, overwrite=overwrite)
        folder = commit.temporary_folder(samples, name)
        try:
            write_sample(
                folder,
                content,
                project,
                created=_created_before(samples / name) or now(),
                max_memory=max_memory,
                progress=progress,
            )
            commit.commit(project, folder, name, "overwritten")
        finally:
            atomic.remove(folder)


def _created_before(folder: Path) -> str | None:
    """Return when a sample that is replaced was first added, if that can be read."""
    try:
        document = read_json(folder / "sample.json", FORMAT, FORMAT_VERSION, str)
    except OSError:
        return None
    created = document.get("created")
    return created if isinstance(created, str) else None


def replace_components(
    project: Path,
    sample: Sample,
    components: Components,
    rois: pd.DataFrame,
    config: Config,
) -> None:
    """Save other components and their ROI table in a sample; carry all else over."""
    inputs = [sample.sample_id, components]
    timer = StepTimer("replace_components", {}, inputs=inputs)
    table = fill_roi_tags(parquet.check_rois(rois), config)
    with _changing(project, sample) as old:
        path = old / "sample.json"
        document = read_json(path, FORMAT, FORMAT_VERSION, sample.remedy(path.name))
        steps = {str(step.get("id")): step for step in sample.history}
        for made in components.history:
            steps.setdefault(str(made.get("id")), dict(made))
        difference = _difference(sample.roi_columns(), table)
        step = timer.done().model_copy(update={"params": difference})
        history = [*steps.values(), step.model_dump(mode="json")]
        folder = commit.temporary_folder(project / "samples", sample.folder_name)
        try:
            rewrite_sample(folder, old, document, components, table, history)
            commit.commit(project, folder, sample.folder_name, "components replaced")
        finally:
            atomic.remove(folder)


def replace_rois(
    project: Path, sample: Sample, rois: pd.DataFrame, config: Config
) -> None:
    """Save another ROI table in a sample; what changed is noted in its history."""
    timer = StepTimer("update_rois", {}, inputs=[sample.sample_id])
    table = fill_roi_tags(parquet.check_rois(rois), config)
    with _changing(project, sample) as folder:
        path = folder / "rois.parquet"
        remedy = sample.remedy(path.name)
        old = sample.roi_columns()
        step = timer.done().model_copy(update={"params": _difference(old, table)})
        history = parquet.read_table_history(path, remedy)
        backups.keep_copy(project, path, "ROI table changed")
        history.append(step.model_dump(mode="json"))
        parquet.write_table(path, table, parquet.ROIS, history=history)


def _difference(old: pd.DataFrame, new: pd.DataFrame) -> dict[str, Any]:
    """Return how many ROIs were added and removed, and changed values per column."""
    both = old.index.intersection(new.index)
    changed = {}
    for name in new.columns.intersection(old.columns):
        before, after = old.loc[both, name], new.loc[both, name]
        if name == "outline":
            n_changed = sum(
                a != b for a, b in zip(before, parquet.points(after), strict=True)
            )
        else:
            same = (before == after) | (before.isna() & after.isna())
            n_changed = int((~same).sum())
        if n_changed:
            changed[str(name)] = int(n_changed)
    return {
        "added": len(new) - len(both),
        "removed": len(old) - len(both),
        "new_columns": [str(n) for n in new.columns.difference(old.columns)],
        "changed": changed,
    }


def replace_epochs(
    project: Path, sample: Sample, epochs: pd.DataFrame, config: Config
) -> None:
    """Save other epochs in a sample."""
    table = check_project_epochs(epochs, config)
    with _changing(project, sample) as folder:
        path = folder / "epochs.parquet"
        backups.keep_copy(project, path, "epochs changed")
        parquet.write_table(path, table, parquet.EPOCHS)


def replace_document(
    project: Path,
    sample: Sample,
    comments: str | None,
    custom: Mapping[str, Any] | None,
    config: Config,
) -> None:
    """Save other comments or custom values in a sample."""
    values = config.convert_custom(custom)
    if comments is not None and not isinstance(comments, str):
        raise ParameterError(
            f"comments is of type {type(comments).__name__}; expected text."
        )
    with _changing(project, sample) as folder:
        path = folder / "sample.json"
        document = read_json(path, FORMAT, FORMAT_VERSION, sample.remedy(path.name))
        if comments is not None:
            document["comments"] = comments
        given = {name: values[name] for name in custom or {}}
        document["custom"] = {**document.get("custom", {}), **given}
        document["modified"] = now()
        backups.keep_copy(project, path, "comments or custom values changed")
        write_json(path, document)


def replace_facts(project: Path, sample: Sample, facts: Mapping[str, Any]) -> None:
    """Save other facts of the recording in a sample."""
    unknown = sorted(set(facts) - set(EDITABLE_FACTS))
    if unknown:
        raise ParameterError(
            f"{', '.join(unknown)} can not be changed in a sample; the facts that can "
            f"are {', '.join(EDITABLE_FACTS)}."
        )
    values = json_safe(dict(facts))
    timer = StepTimer("edit_facts", values, inputs=[sample.sample_id])
    with _changing(project, sample) as folder:
        path = folder / "sample.json"
        document = read_json(path, FORMAT, FORMAT_VERSION, sample.remedy(path.name))
        document["recording"] = {**(document.get("recording") or {}), **values}
        document["history"] = timer.extend(document.get("history") or [])
        document["modified"] = now()
        backups.keep_copy(project, path, "facts of the recording changed")
        write_json(path, document)


def remove(project: Path, sample: Sample) -> Path:
    """Move a sample to ``backups/`` and return where it lies."""
    with _changing(project, sample):
        return commit.remove(project, sample.folder_name, "removed")


@contextlib.contextmanager
def _changing(project: Path, sample: Sample) -> Iterator[Path]:
    """Hold a sample's lock; gives its folder, with a dead writer's work finished."""
    name, samples = sample.folder_name, project / "samples"
    what = f"Sample {sample.sample_id}"
    with writing(what, samples), locked(commit.lock_path(samples, name), what):
        commit.clear(project, name)
        yield sample.path
