"""Artifact types, and the keys of every input, output, parameter and property."""
