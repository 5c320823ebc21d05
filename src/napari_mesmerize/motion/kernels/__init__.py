"""The inner loops, on the processor and on a graphics card."""
