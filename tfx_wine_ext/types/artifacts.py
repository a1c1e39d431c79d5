"""Artifact types of this library. Users' metadata stores hold their names: never rename them.

Each can be imported by its name: Kubeflow's compiler takes no other names, and its containers
import the classes by them.
"""

from __future__ import annotations

from tfx.types import artifact

from tfx_wine_ext.types import drift_report as keys


class ExampleDriftReport(artifact.Artifact):
    """How Examples differ from a baseline.

    * File structure:
       - `{uri}/`
          - `drift_report.json`: every score, in the format of docs/drift-report.schema.json
          - `drift_report.html`: the same for people, in one file that needs no network

    Custom properties: docs/drift-report.md.
    """

    TYPE_NAME = keys.REPORT_TYPE


class DriftBlessing(artifact.Artifact):
    """Whether Examples passed the drift check.

    * File structure:
       - `{uri}/`
          - `BLESSED`: an empty file, if they did not drift
          - `NOT_BLESSED`: an empty file, if they drifted

    The custom property `blessed` is 1 or 0, which `Cond` can read:
    ``blessing.future()[0].custom_property("blessed") == 1``. `verdict` says why.
    """

    TYPE_NAME = keys.BLESSING_TYPE
