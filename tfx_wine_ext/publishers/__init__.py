"""Publishers: they record results in the metadata store."""
