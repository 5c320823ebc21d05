"""Traces to transients and spikes."""
