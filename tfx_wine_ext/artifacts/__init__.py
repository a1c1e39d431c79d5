"""Facts about artifacts, on disk and in metadata, for all who read or write them; without TFX."""
