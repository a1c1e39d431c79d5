"""Executors: they do the work of the components."""
