"""What was recorded beside the frames: stimuli, events, behaviour."""
