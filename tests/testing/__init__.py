"""Tests of tfx_wine_ext.testing."""
