"""The driver of DriftReport: decides what is compared with what, and checks the inputs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging
from ml_metadata.metadata_store import metadata_store
from tfx import types
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts

from tfx_wine_ext.artifacts.presence import (
    STATISTICS_FILE,
    ArtifactGoneError,
    Gone,
    missing_file,
    missing_files,
)
from tfx_wine_ext.drift.document import LostSource
from tfx_wine_ext.drift.reasons import BaselineLost
from tfx_wine_ext.drivers.deciding_driver import DecidingDriver
from tfx_wine_ext.report.words.drift import sentence
from tfx_wine_ext.report.words.text import span_text
from tfx_wine_ext.types import drift_report as keys

READABLE_PAYLOADS = (example_gen_pb2.FORMAT_TF_EXAMPLE, example_gen_pb2.FORMAT_PARQUET)
_REMAKE = "restore the folder, or rerun the component that writes it without the cache"


class DriftReportDriver(DecidingDriver):
    """Checks the inputs: one current artifact, at most one baseline, and their splits.

    A missing baseline is not an error. The decision is recorded with the execution, as the sentence
    `decision`, beside the thresholds in force.

    Raises:
        ArtifactGoneError: The files of the current data, of the schema, or of a baseline that the
            author chose are missing.
        ValueError: An artifact lacks the split or has an unreadable payload, or an input has
            several artifacts. The message names the input.
    """

    def decide(
        self,
        inputs: Mapping[str, Sequence[types.Artifact]],
        exec_properties: Mapping[str, Any],
        store: metadata_store.MetadataStore,
    ) -> Mapping[str, str]:
        """Decides what is compared with what."""
        decision = decide(inputs, exec_properties)
        lost = lost_baseline(inputs, exec_properties)
        if lost is None:
            logging.info("%s", decision)
            return {keys.DECISION_KEY: decision}
        decision = f"No baseline for {_subject(inputs, exec_properties)}: {lost.reason}"
        logging.warning("%s", decision)
        return {
            keys.DECISION_KEY: decision,
            keys.LOST_KEY: json.dumps(lost.to_dict(), sort_keys=True),
        }

    def used(
        self,
        inputs: Mapping[str, Sequence[types.Artifact]],
        exec_properties: Mapping[str, Any],
    ) -> Mapping[str, list[types.Artifact]]:
        """Removes a baseline that is gone."""
        if keys.LOST_KEY not in exec_properties:
            return {}
        return {sides_of(inputs, exec_properties)[1]: []}


def decide(
    inputs: Mapping[str, Sequence[types.Artifact]], exec_properties: Mapping[str, Any]
) -> str:
    """Says in a sentence what is compared with what, from the metadata only.

    Raises:
        ValueError: See `DriftReportDriver`.
    """
    current_key, baseline_key = sides_of(inputs, exec_properties)
    split, baseline_split = (
        exec_properties[keys.SPLIT_KEY],
        exec_properties[keys.BASELINE_SPLIT_KEY],
    )
    current = _checked(inputs, current_key, keys.SPLIT_KEY, split)
    baseline = _checked(inputs, baseline_key, keys.BASELINE_SPLIT_KEY, baseline_split)
    if current is None:
        raise ValueError(f"{current_key}: expected an artifact, found none: nothing to check")
    subject = _subject(inputs, exec_properties)
    return (
        f"No baseline for {subject}: the input {baseline_key!r} has no artifact, as on a first run"
        if baseline is None
        else f"Comparing {subject} with {describe(baseline, baseline_split)} ({baseline.uri})"
    )


def _subject(
    inputs: Mapping[str, Sequence[types.Artifact]], exec_properties: Mapping[str, Any]
) -> str:
    [current] = inputs[sides_of(inputs, exec_properties)[0]]
    return f"{describe(current, exec_properties[keys.SPLIT_KEY])} ({current.uri})"


def lost_baseline(
    inputs: Mapping[str, Sequence[types.Artifact]], exec_properties: Mapping[str, Any]
) -> LostSource | None:
    """Checks that the files of all inputs exist.

    Args:
        inputs: The artifacts of each input, which `decide` has accepted.
        exec_properties: The parameters of the component.

    Returns:
        The baseline, if a Resolver found it and its files are gone; None if nothing is missing.

    Raises:
        ArtifactGoneError: The files of the current data, of the schema, or of a baseline that the
            author chose are missing.
        ArtifactAccessError: Access is denied.
    """
    for schema in inputs.get(keys.SCHEMA_KEY) or ():
        gone = missing_files(schema.uri)
        if gone is not None:
            raise ArtifactGoneError(
                f"{keys.SCHEMA_KEY} ({schema.uri})",
                gone,
                _REMAKE,
            )
    current_key, baseline_key = sides_of(inputs, exec_properties)
    sides = (
        (current_key, exec_properties[keys.SPLIT_KEY]),
        (baseline_key, exec_properties[keys.BASELINE_SPLIT_KEY]),
    )
    for (key, split), is_current in zip(sides, (True, False)):
        for artifact in inputs.get(key) or ():
            gone = _missing_of(artifact, split)
            if gone is None:
                continue
            if is_current or key == current_key:
                remedy = _REMAKE
            elif exec_properties.get(keys.BASELINE_PINNED_KEY, 1):
                remedy = "restore the folder, or choose another baseline"
            else:
                return _lost(artifact, split, gone)
            raise ArtifactGoneError(
                f"{key}, {describe(artifact, split)} ({artifact.uri})", gone, remedy
            )
    return None


def _lost(artifact: types.Artifact, split: str, gone: Gone) -> LostSource:
    name = describe(artifact, split)
    return LostSource(
        name=name,
        uri=artifact.uri,
        split=split,
        span=span_of(artifact),
        path=gone.path,
        found=gone.found,
        reason=sentence(BaselineLost(name, artifact.uri, gone.path, gone.found)),
    )


def _missing_of(artifact: types.Artifact, split: str) -> Gone | None:
    """Looks for the files of a split of Examples or ExampleStatistics."""
    folder = str(artifact_utils.get_split_uri([artifact], split))
    if artifact.type_name == standard_artifacts.ExampleStatistics.TYPE_NAME:
        return missing_files(folder, artifact.uri) or missing_file(
            os.path.join(folder, STATISTICS_FILE)
        )
    return missing_files(folder, artifact.uri)


def sides_of(
    inputs: Mapping[str, Sequence[types.Artifact]], exec_properties: Mapping[str, Any]
) -> tuple[str, str]:
    """Returns the input keys of the current data and the baseline: Examples or statistics."""
    examples = keys.EXAMPLES_KEY, keys.BASELINE_KEY
    statistics = keys.STATISTICS_KEY, keys.BASELINE_STATISTICS_KEY
    current, baseline = examples if keys.EXAMPLES_KEY in inputs else statistics
    return current, current if exec_properties[keys.SKEW_KEY] else baseline


def describe(artifact: types.Artifact, split: str) -> str:
    """Returns a split's name for people, with its span if it has one."""
    span = span_of(artifact)
    if span is None:
        return f"split {split}"
    return f"span {span_text(span, span_date_of(artifact))}, split {split}"


def span_of(artifact: types.Artifact) -> int | None:
    """Returns the span number; ExampleGen sets a custom property, other components a property."""
    if artifact.has_custom_property(keys.SPAN_KEY):
        return int(artifact.get_int_custom_property(keys.SPAN_KEY))
    declared = artifact.mlmd_artifact.properties
    return int(declared[keys.SPAN_KEY].int_value) if keys.SPAN_KEY in declared else None


def span_date_of(artifact: types.Artifact) -> str | None:
    """Returns the span's date, if ParquetExampleGen found the span by a date."""
    if artifact.has_custom_property(keys.SPAN_DATE_KEY):
        return str(artifact.get_string_custom_property(keys.SPAN_DATE_KEY))
    return None


def _checked(
    inputs: Mapping[str, Sequence[types.Artifact]], key: str, argument: str, split: str
) -> types.Artifact | None:
    """Returns the only artifact of an input, None if there is none; refuses unusable ones."""
    artifacts = inputs.get(key) or []
    if not artifacts:
        return None
    if len(artifacts) > 1:
        raise ValueError(
            f"{key}: expected one artifact, found {len(artifacts)}: choose one with a Resolver"
        )
    [artifact] = artifacts
    splits = artifact_utils.decode_split_names(artifact.split_names)
    if split not in splits:
        raise ValueError(
            f"{argument}: expected a split of {key} ({artifact.uri}), which has "
            f"{', '.join(splits) or 'none'}; found {split!r}"
        )
    if key in (keys.EXAMPLES_KEY, keys.BASELINE_KEY):
        payload = examples_utils.get_payload_format(artifact)
        if payload not in READABLE_PAYLOADS:
            expected = " or ".join(map(example_gen_pb2.PayloadFormat.Name, READABLE_PAYLOADS))
            raise ValueError(
                f"{key}: expected examples of payload {expected}, found "
                f"{example_gen_pb2.PayloadFormat.Name(payload)} ({artifact.uri}); give "
                f"{keys.STATISTICS_KEY} and {keys.BASELINE_STATISTICS_KEY} instead"
            )
    return artifact
