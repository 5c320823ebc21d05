"""Results for other programs: CSV, ImageJ, CaImAn, Suite2p, NWB."""

from napari_mesmerize.io.writers.caiman_hdf5 import write_caiman
from napari_mesmerize.io.writers.csv import write_table_csv, write_traces_csv
from napari_mesmerize.io.writers.imagej_roi import write_imagej_rois
from napari_mesmerize.io.writers.nwb import NwbSession, write_nwb
from napari_mesmerize.io.writers.suite2p import write_suite2p

__all__ = [
    "NwbSession",
    "write_caiman",
    "write_imagej_rois",
    "write_nwb",
    "write_suite2p",
    "write_table_csv",
    "write_traces_csv",
]
