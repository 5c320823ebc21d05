"""What travels: recordings, components, ROIs, epochs, signals, traces, pictures."""
