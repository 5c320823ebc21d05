"""Results of other programs: read, compared with the recording, turned."""

from napari_mesmerize.io.results.check import (
    ORIENTATIONS,
    Finding,
    check_fit,
    reorient,
)
from napari_mesmerize.io.results.reading import (
    FORMATS,
    detect_format,
    read_result_images,
    read_results,
)

__all__ = [
    "FORMATS",
    "ORIENTATIONS",
    "Finding",
    "check_fit",
    "detect_format",
    "read_result_images",
    "read_results",
    "reorient",
]
