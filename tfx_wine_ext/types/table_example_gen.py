"""Keys of `TableExampleGen`. Users' metadata stores hold them: never rename them.

All other keys are those of `ParquetExampleGen` (`tfx_wine_ext.types.parquet_example_gen`).
"""

from __future__ import annotations

# Custom property of the Examples artifact, set by the publisher: what was read, as JSON; for each
# input split a description, of which span and version are resolved
SOURCE_KEY = "source"

# The beginning of the fingerprint of a split whose source cannot tell whether it has changed; a
# random number follows, so that the cache is never used
UNKNOWN_FINGERPRINT = "unknown-"
