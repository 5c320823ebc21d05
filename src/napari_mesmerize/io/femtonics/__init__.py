"""Femtonics .mes and .mesc: recordings, curves, voltages."""
