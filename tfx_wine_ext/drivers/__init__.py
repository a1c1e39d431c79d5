"""Decide from the metadata whether and how the work is done."""
