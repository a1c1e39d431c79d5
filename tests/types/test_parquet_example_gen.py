"""The keys: names that stand in users' metadata stores."""

from __future__ import annotations

from tfx.components.example_gen import utils
from tfx.types import standard_component_specs

from tfx_wine_ext.types import parquet_example_gen as keys

KEYS = {name: value for name, value in vars(keys).items() if name.endswith("_KEY")}


def test_no_key_was_renamed():
    # A key that changes cuts its users off from what their stores hold: this list only grows.
    assert KEYS == {
        "EXAMPLES_KEY": "examples",
        "INPUT_BASE_KEY": "input_base",
        "INPUT_CONFIG_KEY": "input_config",
        "OUTPUT_CONFIG_KEY": "output_config",
        "OUTPUT_DATA_FORMAT_KEY": "output_data_format",
        "OUTPUT_FILE_FORMAT_KEY": "output_file_format",
        "RANGE_CONFIG_KEY": "range_config",
        "INGEST_OPTIONS_KEY": "ingest_options",
        "SPAN_KEY": "span",
        "SPAN_DATE_KEY": "span_date",
        "VERSION_KEY": "version",
        "INPUT_FINGERPRINT_KEY": "input_fingerprint",
        "INPUT_FILES_KEY": "input_files",
        "ROWS_KEY": "rows",
        "BYTES_KEY": "bytes",
        "SHARDS_KEY": "shards",
        "FEATURES_KEY": "features",
        "COLUMNS_KEY": "columns",
        "SCHEMA_FINGERPRINT_KEY": "schema_fingerprint",
        "CONTENT_FINGERPRINT_KEY": "content_fingerprint",
    }


def test_a_key_that_tfx_has_is_tfx_s():
    ours = {name: value for name, value in KEYS.items() if hasattr(standard_component_specs, name)}
    assert ours == {name: getattr(standard_component_specs, name) for name in ours}
    assert len(ours) == 7
    assert (keys.SPAN_KEY, keys.VERSION_KEY, keys.INPUT_FINGERPRINT_KEY) == (
        utils.SPAN_PROPERTY_NAME,
        utils.VERSION_PROPERTY_NAME,
        utils.FINGERPRINT_PROPERTY_NAME,
    )


def test_the_number_of_a_split_has_a_key_of_its_own():
    found = [
        keys.of_split(key, "train") for key in (keys.ROWS_KEY, keys.BYTES_KEY, keys.SHARDS_KEY)
    ]
    assert found == ["rows_train", "bytes_train", "shards_train"]
