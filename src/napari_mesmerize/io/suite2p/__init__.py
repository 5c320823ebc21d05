"""Suite2p folders: results read and written."""
