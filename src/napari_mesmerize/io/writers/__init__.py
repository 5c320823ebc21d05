"""Results for other programs: CSV, ImageJ, CaImAn, Suite2p, MATLAB, NWB."""

from napari_mesmerize.io.writers.caiman_hdf5 import write_caiman
from napari_mesmerize.io.writers.csv import write_table_csv, write_traces_csv
from napari_mesmerize.io.writers.imagej_roi import write_imagej_rois
from napari_mesmerize.io.writers.mat import write_mat
from napari_mesmerize.io.writers.nwb import NwbSession, write_nwb
from napari_mesmerize.io.writers.suite2p import write_suite2p
from napari_mesmerize.io.writers.writing import FORMATS, write_results

__all__ = [
    "FORMATS",
    "NwbSession",
    "write_caiman",
    "write_imagej_rois",
    "write_mat",
    "write_nwb",
    "write_results",
    "write_suite2p",
    "write_table_csv",
    "write_traces_csv",
]
