"""Record the result in the metadata store."""
