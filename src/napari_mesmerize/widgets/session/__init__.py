"""What belongs to a viewer: its session, closing, console."""
