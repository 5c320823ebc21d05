"""Neurodata Without Borders: recordings and results."""
