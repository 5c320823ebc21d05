"""Video files: reading recordings, writing films."""
