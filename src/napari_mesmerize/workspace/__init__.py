"""What is open, without a window: ROI sets, their journal, samples, imports."""
