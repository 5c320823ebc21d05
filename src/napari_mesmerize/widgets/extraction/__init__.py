"""Docks for finding components."""
