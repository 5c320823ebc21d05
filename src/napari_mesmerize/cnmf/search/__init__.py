"""Candidates for cells."""
