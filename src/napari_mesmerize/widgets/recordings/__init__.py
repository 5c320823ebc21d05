"""Docks for files and their facts."""
