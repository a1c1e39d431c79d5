"""Keys of `ParquetExampleGen`. Users' metadata stores hold them: never rename them.

TFX's own keys (``input_base``, ``span``, ...) are used where they exist, so that TFX's tools read
these artifacts like those of any ExampleGen.
"""

from __future__ import annotations

# Outputs
EXAMPLES_KEY = "examples"

# Parameters shared with TFX's FileBasedExampleGen
INPUT_BASE_KEY = "input_base"
INPUT_CONFIG_KEY = "input_config"
OUTPUT_CONFIG_KEY = "output_config"
OUTPUT_DATA_FORMAT_KEY = "output_data_format"
OUTPUT_FILE_FORMAT_KEY = "output_file_format"
RANGE_CONFIG_KEY = "range_config"

# Parameter of this component only: `tfx_wine_ext.columnar.ingest.IngestOptions` as JSON text
INGEST_OPTIONS_KEY = "ingest_options"

# Properties of the execution, set by the driver
SPAN_KEY = "span"
VERSION_KEY = "version"
INPUT_FINGERPRINT_KEY = "input_fingerprint"
INPUT_FILES_KEY = "input_files"

# Custom property of the Examples artifact, set by the driver if the input pattern has a date: the
# span's date, YYYY-MM-DD; TFX's span number is then the days since 1970-01-01
SPAN_DATE_KEY = "span_date"

# Custom properties of the Examples artifact, set by the publisher
ROWS_KEY = "rows"
BYTES_KEY = "bytes"
SHARDS_KEY = "shards"
FEATURES_KEY = "features"
COLUMNS_KEY = "columns"
SCHEMA_FINGERPRINT_KEY = "schema_fingerprint"
CONTENT_FINGERPRINT_KEY = "content_fingerprint"


def of_split(key: str, split: str) -> str:
    """Returns the property key for one split: key and split joined by an underscore.

    Args:
        key: `ROWS_KEY`, `BYTES_KEY` or `SHARDS_KEY`.
        split: Name of the split.

    Example:
        >>> of_split(ROWS_KEY, "train")
        'rows_train'
    """
    return f"{key}_{split}"
