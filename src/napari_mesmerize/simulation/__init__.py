"""Recordings with known truth, and scores of results against it."""
