"""Where a recording came from: its address, a fingerprint, and finding it again."""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_mesmerize.errors import ProjectError

_PART = 2**20
_MANY = 16
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(?![\\])")
ALGORITHM = "sha256 of size, first, middle and last MiB"


def is_file_address(uri: str) -> bool:
    """Return whether an address is a path, rather than ``scheme:...``."""
    return bool(uri) and (Path(uri).is_absolute() or not _SCHEME.match(uri))


def describe_source(source: Mapping[str, Any] | None, project: Path) -> dict[str, Any]:
    """Return what a sample keeps about the source of its recording.

    Parameters
    ----------
    source : mapping or None
        ``recording.attrs["source"]``.
    project : pathlib.Path
        The project folder; the path relative to it is kept too, so that both can move
        together.

    Returns
    -------
    dict
        The source's own entries, ``relative`` and ``fingerprint`` where the files can
        be read now.
    """
    kept = dict(source or {})
    uri = kept.get("uri")
    if not isinstance(uri, str) or not is_file_address(uri):
        return kept
    path = Path(os.path.abspath(uri))
    try:
        kept["relative"] = Path(os.path.relpath(path, project)).as_posix()
    except ValueError:  # another drive
        kept["relative"] = None
    try:
        kept["fingerprint"] = fingerprint(path)
    except OSError:  # a pattern, or not there any more
        kept["fingerprint"] = None
    return kept


def fingerprint(path: Path) -> dict[str, Any]:
    """Return a checksum of a file or folder that takes no time even for huge files.

    SHA-256 over the size (8 bytes, little-endian) and the first, middle and last MiB;
    of a folder or a pattern, over all names and sizes, then the same of its files in
    the order of their names (of more than 16 files the first, middle and last).
    """
    files = _files(path)
    if not files:
        raise FileNotFoundError(f"{path} does not exist")
    sizes = [file.stat().st_size for file in files]
    digest = hashlib.sha256()
    chosen = list(range(len(files)))
    if files != [path]:
        for file, size in zip(files, sizes, strict=True):
            digest.update(f"{file.name}\0{size}\0".encode())
        if len(files) > _MANY:
            chosen = sorted({0, len(files) // 2, len(files) - 1})
    for at in chosen:
        _add_file(digest, files[at], sizes[at])
    return {
        "algorithm": ALGORITHM,
        "value": digest.hexdigest(),
        "bytes": sum(sizes),
        "files": len(files),
    }


def _files(path: Path) -> list[Path]:
    """Return a file, the files of a folder, or those that a pattern (``*``) matches."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file())
    if path.exists():
        return [path]
    if any(sign in path.name for sign in "*?["):
        return sorted(file for file in path.parent.glob(path.name) if file.is_file())
    return []


def _add_file(digest: Any, file: Path, size: int) -> None:
    digest.update(size.to_bytes(8, "little"))
    with file.open("rb") as stream:
        for start in (0, size // 2, max(0, size - _PART)):
            stream.seek(start)
            digest.update(stream.read(_PART))


def find_source(source: Mapping[str, Any], project: Path, sample_id: str) -> Path:
    """Return where the source of a sample's recording lies now.

    The path relative to the project is tried first, then the absolute one.

    Raises
    ------
    ProjectError
        If it is at neither place, if another file lies there, or if it is no file.
    """
    uri = source.get("uri")
    if not isinstance(uri, str) or not uri:
        raise ProjectError(
            f"Sample {sample_id} does not say where its recording came from (an array "
            "in memory, or none was given). Add the sample again with "
            "copy_recording=True to keep the recording in the project."
        )
    if not is_file_address(uri):
        raise ProjectError(
            f"The recording of sample {sample_id} came from {uri}, which is no file "
            "and can not be opened again. Add the sample again with "
            "copy_recording=True to keep the recording in the project."
        )
    places = [Path(uri)]
    if isinstance(source.get("relative"), str):
        places.insert(0, Path(os.path.normpath(project / source["relative"])))
    expected = source.get("fingerprint")
    others = []
    for place in places:
        if not _files(place):
            continue
        if expected is None or _same(fingerprint(place), expected):
            return place
        others.append(str(place))
    if others:
        raise ProjectError(
            f"{others[0]} is not the file that sample {sample_id} was made from: its "
            "content changed (size or checksum differ). Put the original file back, or "
            "give it: sample.open_recording(path=...)."
        )
    raise ProjectError(
        f"The recording of sample {sample_id} is missing: neither "
        f"{' nor '.join(dict.fromkeys(map(str, places)))} exists. Mount the disk, put "
        "the file back, say where it is now: sample.open_recording(path=...); or keep "
        "a copy in the project next time: copy_recording=True."
    )


def _same(found: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    if expected.get("algorithm") != found["algorithm"]:
        return bool(expected.get("bytes") == found["bytes"])
    return bool(expected.get("value") == found["value"])
