"""What is known of a recording, from its file and those beside it."""
