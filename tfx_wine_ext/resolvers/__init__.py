"""Strategies for TFX's `Resolver`: they pick inputs from the metadata store."""
