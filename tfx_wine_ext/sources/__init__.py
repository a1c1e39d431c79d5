"""Where rows come from: the schema, fingerprint, parts and record batches of tables in files.

This package depends on Arrow and numpy, but not on TFX or TensorFlow.
"""

from tfx_wine_ext import safe_arrow  # noqa: F401 (before any module opens a file)
