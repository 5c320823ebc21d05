"""Inscopix .isxd: movies, cell sets, events, vessels."""
