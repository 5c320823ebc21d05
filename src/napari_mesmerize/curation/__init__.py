"""What is done to found components: merge, split, demix, and replay of it."""
