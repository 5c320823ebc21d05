"""The dock of traces."""
