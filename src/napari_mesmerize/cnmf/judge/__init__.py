"""Scores of components, and which are accepted."""
