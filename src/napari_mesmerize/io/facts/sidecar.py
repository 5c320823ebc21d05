"""Facts of a recording from a file beside it; one function per dialect."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from napari_mesmerize.errors import ParameterError, ReadError
from napari_mesmerize.io.facts import miniscope
from napari_mesmerize.io.items import iso_date, positive, warn

Facts = dict[str, Any]
MetadataFormat = str | Callable[[Path], Mapping[str, Any]]


def json_minimal(content: Mapping[str, Any]) -> Facts | None:
    """Return the facts of a JSON file with ``origin``, ``fps`` and ``date``.

    Further keys of the recording's own names (``pixel_size_um``, ``z_step_um``) are
    understood too; everything goes into ``meta``.
    """
    if not {"fps", "origin", "date", "frame_rate"} & set(content):
        return None
    rate = content.get("fps", content.get("frame_rate"))
    size = content.get("pixel_size_um")
    if isinstance(size, int | float):
        size = [size, size]
    sizes = [positive(s) for s in size] if isinstance(size, list | tuple) else []
    return {
        "frame_rate": positive(rate),
        "date": iso_date(content.get("date")),
        "origin": _text(content.get("origin")),
        "pixel_size_um": tuple(sizes) if len(sizes) == 2 and all(sizes) else None,
        "z_step_um": positive(content.get("z_step_um")),
    }


def awesome_imager(content: Mapping[str, Any]) -> Facts | None:
    """Return the facts of a JSON file by AwesomeImager."""
    if "framerate" not in content:
        return None
    stamp = f"{content.get('date', '')}_{content.get('time', '')}"
    return {
        "frame_rate": positive(content["framerate"]),
        "date": iso_date(stamp) or iso_date(content.get("date")),
        "origin": " ".join(f"AwesomeImager {content.get('version', '')}".split()),
    }


def inscopix_export(content: Mapping[str, Any]) -> Facts | None:
    """Return the facts of the JSON file of an Inscopix export."""
    exposure = positive(content.get("Exposure Time (ms)"))
    if exposure is None:
        return None
    return {
        "frame_rate": 1000 / exposure,
        "origin": _text(content.get("Microscope Type")) or "Inscopix",
    }


def load_json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file.

    Raises
    ------
    ReadError
        If it is none, or holds something else than keys and values.
    """
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ReadError(
            f"{path.name} can not be read as JSON: {error}. Correct it, for instance "
            '{"origin": "my microscope", "fps": 10.0, "date": "20201123_172345"}.'
        ) from error
    if not isinstance(content, dict):
        raise ReadError(
            f"{path.name} says nothing known about a recording; expected the keys "
            "'origin', 'fps' and 'date'."
        )
    return content


_JSON_DIALECTS: dict[str, Callable[[Mapping[str, Any]], Facts | None]] = {
    "AwesomeImager": awesome_imager,
    "inscopix_export": inscopix_export,
    "json_minimal": json_minimal,
}


def of_recording(path: Path) -> Facts:
    """Return what the recording's own file says (its first recording).

    This is what OME-TIFF, ScanImage, Femtonics and Inscopix files hold; a TIFF can so
    take the facts of the vendor's file that it was exported from.
    """
    from napari_mesmerize.io.readers import scan_file

    items = [item for item in scan_file(path, {}) if not item.info.problem]
    if not items:
        raise ReadError(f"{path.name} holds no recording that opens.")
    info = items[0].info
    return {
        "fps": info.frame_rate,
        "date": info.date,
        "origin": info.origin,
        "pixel_size_um": info.pixel_size_um,
        "z_step_um": info.z_step_um,
        **items[0].meta,
    }


def of_miniscope(path: Path) -> Facts:
    """Return what a Miniscope's ``metaData.json`` says."""
    facts, content = miniscope.read_facts(path.parent)
    if not content:
        raise ReadError(
            f"{path.name} says nothing, or can not be read; expected the metaData.json "
            "that a Miniscope writes beside its films."
        )
    return {"fps": facts.pop("frame_rate", None)} | facts | content


METADATA_FORMATS: dict[str, Callable[[Path], Mapping[str, Any]]] = {
    "json_minimal": load_json,
    "AwesomeImager": load_json,
    "inscopix_export": load_json,
    "ome": of_recording,
    "scanimage": of_recording,
    "femtonics": of_recording,
    "inscopix": of_recording,
    "miniscope": of_miniscope,
}
"""Functions ``(path) -> dict`` by name; add your own, which returns at least the keys
``origin``, ``fps`` and ``date``: ``METADATA_FORMATS["mine"] = my_function``."""


def read_facts(
    path: Path, metadata_format: MetadataFormat = ""
) -> tuple[Facts, dict[str, Any]]:
    """Read a metadata file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    metadata_format : str or callable, optional
        A name in ``METADATA_FORMATS``, or a function ``(path) -> dict``. Default: a
        JSON file whose keys tell its dialect.

    Returns
    -------
    facts : dict
        What it says of the recording; unknown facts are absent.
    content : dict
        All of it.

    Raises
    ------
    ParameterError
        If there is no such format.
    ReadError
        If the file can not be read, or says nothing known.
    """
    read = metadata_format or load_json
    if isinstance(read, str):
        if read not in METADATA_FORMATS:
            raise ParameterError(
                f"metadata_format='{read}' is unknown; known are "
                f"{', '.join(METADATA_FORMATS)}."
            )
        read = METADATA_FORMATS[read]
    content = read(path)
    if not isinstance(content, Mapping):
        raise ReadError(
            f"The metadata of {path.name} came as {type(content).__name__}; expected a "
            "dict with the keys 'origin', 'fps' and 'date'."
        )
    for parse in _JSON_DIALECTS.values():
        facts = parse(content)
        if facts is not None:
            _check(path, content, facts)
            return {k: v for k, v in facts.items() if v is not None}, dict(content)
    raise ReadError(
        f"{path.name} says nothing known about a recording; expected the keys "
        "'origin', 'fps' and 'date'."
    )


def _check(path: Path, content: Mapping[str, Any], facts: Facts) -> None:
    for key, fact in (("fps", "frame_rate"), ("date", "date")):
        if content.get(key) not in (None, "") and facts.get(fact) is None:
            expected = (
                "a number above 0"
                if key == "fps"
                else "'YYYYMMDD_HHMMSS' or ISO 8601, such as '20201123_172345'"
            )
            warn(
                f"{path.name}: {key}={content[key]!r} is not understood and left out; "
                f"expected {expected}."
            )


def find_metadata(path: Path) -> Path | None:
    """Return the metadata file beside a recording, if there is one."""
    if path.is_dir():
        inside = [
            path / "metadata.json",
            path / "meta.json",
            path / f"{path.name}.json",
        ]
        candidates = [path.with_name(path.name + ".json"), *inside]
    else:
        stem = path.name
        candidates = []
        while "." in stem:
            stem = stem.rpartition(".")[0]
            candidates.append(path.with_name(stem + ".json"))
    return next((c for c in candidates if c.is_file() and c != path), None)


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
