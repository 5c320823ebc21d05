"""What engines share: compiling, memory, caches, order."""
