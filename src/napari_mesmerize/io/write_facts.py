"""Facts of a recording kept beside its file, where opening it finds them again."""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import xarray as xr

from napari_mesmerize.atomic import write_json
from napari_mesmerize.errors import MesmerizeError, ReadError, WriteError
from napari_mesmerize.io.facts.sidecar import find_metadata, json_minimal, load_json
from napari_mesmerize.io.read import list_recordings

_KEYS = {
    "frame_rate": "fps",
    "date": "date",
    "origin": "origin",
    "pixel_size_um": "pixel_size_um",
    "z_step_um": "z_step_um",
}
_OTHER_DIALECTS = ("framerate", "Exposure Time (ms)")
_UNCHANGED = ("read_recording", "edit_facts")


def facts_file(recording: xr.DataArray) -> tuple[Path | None, str]:
    """Return the file that facts go into, or ``None`` and why there is none.

    Parameters
    ----------
    recording : xarray.DataArray
        As it was opened; what was computed from a file has no file of its own.
    """
    source = recording.attrs.get("source") or {}
    path = Path(str(source.get("uri") or ""))
    steps = [step.get("operation") for step in recording.attrs.get("history") or []]
    if not source.get("uri") or not path.exists():
        return None, "it was not opened from a file"
    if any(step not in _UNCHANGED for step in steps):
        return None, "it was computed from a file"
    known = find_metadata(path)
    if len(source.get("files") or ()) > 1:
        known = find_metadata(path.parent) or known
    if known is not None:
        return known, ""
    if path.is_dir():
        return path.with_name(path.name + ".json"), ""
    return path.with_suffix(".json"), ""


def check_alone(recording: xr.DataArray) -> None:
    """Refuse facts for a file that holds recordings of several kinds.

    Raises
    ------
    WriteError
        If the file holds others, whose facts would be changed too.
    """
    source = recording.attrs.get("source") or {}
    if not source.get("selection"):
        return
    path = str(source["uri"])
    try:
        infos = [info for info in list_recordings(path) if not info.problem]
    except MesmerizeError:
        return
    if len({(info.shape, info.frame_rate, info.kind) for info in infos}) > 1:
        raise WriteError(
            f"{Path(path).name} holds {len(infos)} recordings, and a file beside it "
            "would speak of all. Add the recording to a project, which keeps its facts."
        )


def write_facts(recording: xr.DataArray) -> Path:
    """Write frame rate, pixel size, date and origin beside the recording's file.

    A JSON file that is there already keeps its other entries; one of another program
    stays as ``.orig``.

    Raises
    ------
    WriteError
        If there is no place for it.
    """
    path, reason = facts_file(recording)
    if path is None:
        raise WriteError(
            f"The facts can not be kept beside a file, since {reason}. Add the "
            "recording to a project, which keeps them."
        )
    check_alone(recording)
    content = _known(path)
    for fact, key in _KEYS.items():
        value = recording.attrs.get(fact)
        if value is None:
            content.pop(key, None)
        else:
            content[key] = list(value) if isinstance(value, tuple) else value
    try:
        write_json(path, content, overwrite=True)
    except WriteError as error:
        raise WriteError(
            f"{error} The facts hold until napari is closed; or add the recording to a "
            "project, which keeps them."
        ) from error
    return path


def _known(path: Path) -> dict[str, Any]:
    """Return what a file holds that will be written again."""
    if not path.exists():
        return {}
    try:
        content = load_json(path)
    except ReadError:
        content = {}
    if json_minimal(content) is not None and not set(content) & set(_OTHER_DIALECTS):
        return content
    kept = path.with_name(path.name + ".orig")
    if not kept.exists():
        with suppress(OSError):
            shutil.copy2(path, kept)
    return {"orig_meta": content} if content else {}
