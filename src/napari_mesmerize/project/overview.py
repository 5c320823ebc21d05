"""The project's table: a row per ROI with the sample's columns, cached."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from napari_mesmerize.errors import ProjectError
from napari_mesmerize.progress import Progress, silent
from napari_mesmerize.project.config import Config, fill_roi_tags
from napari_mesmerize.project.sample import Sample

SAMPLE_COLUMNS = (
    "sample_id",
    "animal_id",
    "trial_id",
    "date",
    "comments",
    "frame_rate",
    "n_frames",
)
_log = logging.getLogger(__name__)
_FILES = ("sample.json", "rois.parquet")
_Stamp = tuple[tuple[int, int, int], ...]


class TableCache:
    """Tables of samples that are read again only when their files changed."""

    def __init__(self) -> None:
        self._rois: dict[str, tuple[Any, pd.DataFrame]] = {}
        self._facts: dict[str, tuple[_Stamp, dict[str, Any]]] = {}
        self._whole: tuple[Any, pd.DataFrame] | None = None

    def roi_table(
        self,
        samples: dict[str, Sample],
        config: Config,
        outlines: bool = False,
        skip_damaged: bool = False,
        progress: Progress = silent,
    ) -> pd.DataFrame:
        """Return one row per ROI of all samples; a copy that may be changed."""
        stamps = {sample_id: _stamp(s.path) for sample_id, s in samples.items()}
        key = (tuple(stamps.items()), config, outlines)
        if self._whole is not None and self._whole[0] == key:
            return self._whole[1].copy()
        parts = []
        for sample_id, sample in progress(
            list(samples.items()), desc="Reading samples", total=len(samples)
        ):
            with _damaged(skip=skip_damaged):
                stamp = stamps[sample_id]
                parts.append(
                    self._sample_rois(sample_id, sample, stamp, config, outlines)
                )
        table = _concat(parts, config)
        self._forget(samples)
        self._whole = (key, table) if len(parts) == len(samples) else None
        return table.copy()

    def sample_table(
        self, samples: dict[str, Sample], config: Config, *, skip_damaged: bool = False
    ) -> pd.DataFrame:
        """Return one row per sample."""
        rows = []
        for sample_id, sample in samples.items():
            with _damaged(skip=skip_damaged):
                stamp = _stamp(sample.path)
                rows.append(self._sample_facts(sample_id, sample, stamp, config))
        names = [*SAMPLE_COLUMNS, *(column.name for column in config.custom_columns)]
        table = pd.DataFrame(rows, columns=names)
        return _typed(table, config)

    def _forget(self, samples: dict[str, Sample]) -> None:
        for cache in (self._rois, self._facts):
            for sample_id in set(cache) - set(samples):
                cache.pop(sample_id)

    def _sample_facts(
        self, sample_id: str, sample: Sample, stamp: _Stamp, config: Config
    ) -> dict[str, Any]:
        cached = self._facts.get(sample_id)
        if cached is None or cached[0] != stamp:
            cached = (stamp, sample.row())
            self._facts[sample_id] = cached
        row = dict(cached[1])
        custom = row.pop("custom")
        for column in config.custom_columns:
            row[column.name] = (
                column.convert(custom[column.name])
                if column.name in custom
                else column.default
            )
        return row

    def _sample_rois(
        self,
        sample_id: str,
        sample: Sample,
        stamp: _Stamp,
        config: Config,
        outlines: bool,
    ) -> pd.DataFrame:
        key = (stamp, config, outlines)
        cached = self._rois.get(sample_id)
        if cached is not None and cached[0] == key:
            return cached[1]
        facts = self._sample_facts(sample_id, sample, stamp, config)
        rois = fill_roi_tags(sample.roi_columns(outlines=outlines), config)
        clash = [name for name in rois.columns if name in facts]
        rois = rois.rename(columns={name: f"{name}_roi" for name in clash})
        front = pd.DataFrame([facts] * len(rois), index=rois.index, columns=list(facts))
        table = pd.concat([_typed(front, config), rois], axis=1)
        self._rois[sample_id] = (key, table)
        return table


@contextlib.contextmanager
def _damaged(*, skip: bool) -> Iterator[None]:
    """Leave out a sample that can not be read, if asked to; say it either way."""
    try:
        yield
    except ProjectError as error:
        if not skip:
            raise ProjectError(
                f"{error} To go on without this sample: table(skip_damaged=True)."
            ) from error
        _log.warning("A sample is left out of the table: %s", error)


def _stamp(folder: Path) -> _Stamp:
    stamps = []
    for name in _FILES:
        try:
            status = (folder / name).stat()
        except FileNotFoundError:
            stamps.append((0, 0, 0))
            continue
        stamps.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(stamps)


def _concat(parts: list[pd.DataFrame], config: Config) -> pd.DataFrame:
    custom = [column.name for column in config.custom_columns]
    if not any(len(part) for part in parts):
        names = [*SAMPLE_COLUMNS, *custom, "kind", "accepted", *config.roi_tags]
        empty = pd.DataFrame(columns=names, index=pd.Index([], dtype=object))
        empty["accepted"] = empty["accepted"].astype(bool)
        table = _typed(empty, config)
    else:
        table = pd.concat([part for part in parts if len(part)])
    for name in config.roi_tags:
        table[name] = table[name].astype(object)
    table.index.name = "roi_id"
    return table


def _typed(table: pd.DataFrame, config: Config) -> pd.DataFrame:
    types = {column.name: column.pandas_dtype for column in config.custom_columns}
    types |= {"sample_id": "object", "animal_id": "object", "trial_id": "object"}
    types |= {"comments": "object", "frame_rate": "float64", "n_frames": "int64"}
    return table.astype(types)
