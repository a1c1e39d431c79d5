"""The executor of DriftReport: reads both sides, compares them, and writes what became of it."""

from __future__ import annotations

import datetime
import functools
import json
import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from absl import logging
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.orchestration.portable import outputs_utils
from tfx.proto import example_gen_pb2
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils

from tfx_wine_ext.drift import DriftConfig, TableSketch, Verdict, compare
from tfx_wine_ext.drift.anomalies import anomalies_proto
from tfx_wine_ext.drift.document import DataSource, report_document
from tfx_wine_ext.drivers.drift_report import describe, sides_of, span_of
from tfx_wine_ext.executors.beam_files import BeamFiles
from tfx_wine_ext.executors.beam_tasks import run_on_workers
from tfx_wine_ext.publishers.drift_report import publish, worst_features
from tfx_wine_ext.report.drift_page import render_drift_page
from tfx_wine_ext.types import drift_report as keys

REPORT, WARN, FAIL = MODES = ("report", "warn", "fail")
