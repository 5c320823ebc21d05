"""What napari calls by the manifest: readers, writers, samples, launching."""
