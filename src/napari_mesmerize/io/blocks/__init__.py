"""Arrays on disk by blocks of frames: reading, scaling, reuse of buffers."""
