"""The dock of a project's samples."""
