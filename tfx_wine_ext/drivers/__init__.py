"""Drivers: they decide from the metadata whether and how the work is done."""
