"""Recordings to recordings or images: lazy transforms, projections, reductions."""

from napari_mesmerize.transforms.lazy import downsample, map_frames, normalise
from napari_mesmerize.transforms.projections import project
from napari_mesmerize.transforms.reductions import (
    data_range,
    map_pixels,
    montage,
    percentile_image,
    reduce_frames,
)
from napari_mesmerize.transforms.thumbnails import thumbnail

__all__ = [
    "data_range",
    "downsample",
    "map_frames",
    "map_pixels",
    "montage",
    "normalise",
    "percentile_image",
    "project",
    "reduce_frames",
    "thumbnail",
]
