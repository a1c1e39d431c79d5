"""Artifact types of this library; their names stand in users' metadata stores, never renamed."""

from __future__ import annotations

from tfx.types import artifact


class ExampleDriftReport(artifact.Artifact):
    """What became of Examples since a baseline.

    * File structure:
       - `{uri}/`
          - `drift_report.json`: every score, described by docs/drift-report.schema.json
          - `drift_report.html`: the same for people; one file that needs no network

    Custom properties: docs/drift-report.md.
    """

    TYPE_NAME = "ExampleDriftReport"


class DriftBlessing(artifact.Artifact):
    """Whether Examples are still the data that they were.

    * File structure:
       - `{uri}/`
          - `BLESSED`: if they are; empty
          - `NOT_BLESSED`: if they drifted; empty

    The custom property `blessed` is 1 or 0, which `Cond` can read:
    ``blessing.future()[0].custom_property("blessed") == 1``. `verdict` says why.
    """

    TYPE_NAME = "DriftBlessing"
