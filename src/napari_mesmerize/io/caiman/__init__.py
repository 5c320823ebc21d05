"""CaImAn's HDF5: results read and written."""
