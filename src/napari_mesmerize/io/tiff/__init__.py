"""TIFF: pages, dialects, series; reading and writing."""
