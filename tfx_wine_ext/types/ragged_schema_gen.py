"""Keys of `RaggedSchemaGen`. Users' metadata stores hold them: never rename them."""

from __future__ import annotations

# Inputs
EXAMPLES_KEY = "examples"
SCHEMA_KEY = "schema"

# Output: an input and an output cannot have one key
RAGGED_SCHEMA_KEY = "ragged_schema"
