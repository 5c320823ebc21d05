"""The dock that maps stimuli."""
