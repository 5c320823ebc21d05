"""The image that frames are aligned to."""
