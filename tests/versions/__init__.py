"""One store, one pipeline, and TFX 1.16 and 1.21 in turn."""
