"""The engines, and the chain of them: from a recording to a sample."""
