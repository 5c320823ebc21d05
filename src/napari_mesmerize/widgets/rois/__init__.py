"""Docks for judging, tagging and drawing ROIs."""
