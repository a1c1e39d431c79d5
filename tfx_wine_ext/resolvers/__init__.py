"""Strategies for TFX's `Resolver`, which pick inputs from the metadata store."""
