"""Results of other programs: read them, compare them with a recording, write them."""

from napari_mesmerize.io.caiman.export import write_caiman
from napari_mesmerize.io.csv import write_table_csv, write_traces_csv
from napari_mesmerize.io.imagej.export import write_imagej_rois
from napari_mesmerize.io.matlab.export import write_mat
from napari_mesmerize.io.nwb.export import NwbSession, write_nwb
from napari_mesmerize.io.results.fit import (
    ORIENTATIONS,
    Finding,
    check_fit,
    reorient,
)
from napari_mesmerize.io.results.read import (
    FORMATS,
    detect_format,
    read_result_images,
    read_results,
)
from napari_mesmerize.io.results.write import EXPORTS, write_results
from napari_mesmerize.io.suite2p.export import write_suite2p

__all__ = [
    "EXPORTS",
    "FORMATS",
    "ORIENTATIONS",
    "Finding",
    "NwbSession",
    "check_fit",
    "detect_format",
    "read_result_images",
    "read_results",
    "reorient",
    "write_caiman",
    "write_imagej_rois",
    "write_mat",
    "write_nwb",
    "write_results",
    "write_suite2p",
    "write_table_csv",
    "write_traces_csv",
]
