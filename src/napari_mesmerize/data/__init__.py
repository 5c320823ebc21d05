"""What travels: recordings, components, ROIs, epochs, traces, footprints, pictures."""
