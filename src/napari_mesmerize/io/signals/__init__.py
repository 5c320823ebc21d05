"""What was recorded beside the frames: voltages, triggers, GPIO, tables, epochs."""

from napari_mesmerize.io.signals.read import (
    SignalInfo,
    is_signal_file,
    list_signals,
    read_signals,
)
from napari_mesmerize.io.signals.tables import is_epoch_table, read_epochs

__all__ = [
    "SignalInfo",
    "is_epoch_table",
    "is_signal_file",
    "list_signals",
    "read_epochs",
    "read_signals",
]
