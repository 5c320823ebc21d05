"""Recordings and signals in files of any format: list, open, write."""

from napari_mesmerize.io.facts.sidecar import METADATA_FORMATS
from napari_mesmerize.io.items import ReadWarning, RecordingInfo
from napari_mesmerize.io.read import list_recordings, read_recording
from napari_mesmerize.io.readers import READERS, SUFFIXES, Reader
from napari_mesmerize.io.signals import list_signals, read_signals
from napari_mesmerize.io.write import WRITERS, write_recording

__all__ = [
    "METADATA_FORMATS",
    "READERS",
    "SUFFIXES",
    "WRITERS",
    "ReadWarning",
    "Reader",
    "RecordingInfo",
    "list_recordings",
    "list_signals",
    "read_recording",
    "read_signals",
    "write_recording",
]
