"""Decides what DriftReport compares with what, and checks its inputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from absl import logging
from tfx import types
from tfx.components.util import examples_utils
from tfx.types import artifact_utils, standard_artifacts

from tfx_wine_ext.artifacts.layout import PARQUET, STATISTICS_FILE, TF_EXAMPLE
from tfx_wine_ext.artifacts.presence import (
    REMAKE,
    ArtifactGoneError,
    Gone,
    check_present,
    missing_file,
    missing_files,
)
from tfx_wine_ext.artifacts.properties import properties_of, span_date_of, span_of
from tfx_wine_ext.decisions import Inputs
from tfx_wine_ext.drift.document import LostSource
from tfx_wine_ext.drift.reasons import BaselineLost
from tfx_wine_ext.report.words.drift import sentence
from tfx_wine_ext.report.words.text import split_text
from tfx_wine_ext.types import drift_report as keys

READABLE_PAYLOADS = (TF_EXAMPLE, PARQUET)


def decision(inputs: Inputs, exec_properties: Mapping[str, Any]) -> dict[str, str]:
    """Decides what is compared with what, before any data are read.

    Returns:
        Properties of the execution: the decision as a sentence, and the lost baseline, if any.

    Raises:
        ArtifactGoneError: The files of the current data, of the schema, or of a baseline that the
            author chose are missing.
        ArtifactAccessError: Access is denied.
        ValueError: An artifact lacks the split or has an unreadable payload, or an input has
            several artifacts. The message names the input.
    """
    decided = decide(inputs, exec_properties)
    lost = lost_baseline(inputs, exec_properties)
    if lost is None:
        logging.info("%s", decided)
        return {keys.DECISION_KEY: decided}
    decided = f"No baseline for {_subject(inputs, exec_properties)}: {lost.reason}"
    logging.warning("%s", decided)
    return {
        keys.DECISION_KEY: decided,
        keys.LOST_KEY: json.dumps(lost.to_dict(), sort_keys=True),
    }


def decide(inputs: Inputs, exec_properties: Mapping[str, Any]) -> str:
    """Says in a sentence what is compared with what, from the metadata only; see `decision`."""
    current_key, baseline_key = sides_of(inputs, exec_properties)
    baseline_split = exec_properties[keys.BASELINE_SPLIT_KEY]
    current = _checked(inputs, current_key, keys.SPLIT_KEY, exec_properties[keys.SPLIT_KEY])
    baseline = _checked(inputs, baseline_key, keys.BASELINE_SPLIT_KEY, baseline_split)
    if current is None:
        raise ValueError(f"{current_key}: expected an artifact, found none: nothing to check")
    subject = _subject(inputs, exec_properties)
    return (
        f"No baseline for {subject}: the input {baseline_key!r} has no artifact, as on a first run"
        if baseline is None
        else f"Comparing {subject} with {describe(baseline, baseline_split)} ({baseline.uri})"
    )


def lost_baseline(inputs: Inputs, exec_properties: Mapping[str, Any]) -> LostSource | None:
    """Checks that the files of all inputs exist.

    Returns:
        The baseline, if a Resolver found it and its files are gone; None if nothing is missing.

    Raises:
        ArtifactGoneError, ArtifactAccessError: As `decision`.
    """
    for schema in inputs.get(keys.SCHEMA_KEY) or ():
        check_present(f"{keys.SCHEMA_KEY} ({schema.uri})", schema.uri)
    current_key, baseline_key = sides_of(inputs, exec_properties)
    sides = (
        (current_key, exec_properties[keys.SPLIT_KEY], True),
        (baseline_key, exec_properties[keys.BASELINE_SPLIT_KEY], baseline_key == current_key),
    )
    for key, split, is_current in sides:
        for artifact in inputs.get(key) or ():
            gone = _missing_of(artifact, split)
            if gone is None:
                continue
            name = describe(artifact, split)
            if not is_current and not exec_properties.get(keys.BASELINE_PINNED_KEY, 1):
                return LostSource(
                    name=name,
                    uri=artifact.uri,
                    split=split,
                    span=span_of(properties_of(artifact)),
                    path=gone.path,
                    found=gone.found,
                    reason=sentence(BaselineLost(name, artifact.uri, gone.path, gone.found)),
                )
            raise ArtifactGoneError(
                f"{key}, {name} ({artifact.uri})",
                gone,
                REMAKE if is_current else "restore the folder, or choose another baseline",
            )
    return None


def sides_of(inputs: Inputs, exec_properties: Mapping[str, Any]) -> tuple[str, str]:
    """Returns the input keys of the current data and the baseline: Examples or statistics."""
    examples = keys.EXAMPLES_KEY, keys.BASELINE_KEY
    statistics = keys.STATISTICS_KEY, keys.BASELINE_STATISTICS_KEY
    current, baseline = examples if keys.EXAMPLES_KEY in inputs else statistics
    return current, current if exec_properties[keys.SKEW_KEY] else baseline


def describe(artifact: types.Artifact, split: str) -> str:
    """Returns a split's name for people, with its span if it has one."""
    properties = properties_of(artifact)
    return split_text(split, span_of(properties), span_date_of(properties))


def _subject(inputs: Inputs, exec_properties: Mapping[str, Any]) -> str:
    [current] = inputs[sides_of(inputs, exec_properties)[0]]
    return f"{describe(current, exec_properties[keys.SPLIT_KEY])} ({current.uri})"


def _missing_of(artifact: types.Artifact, split: str) -> Gone | None:
    """Looks for the files of a split of Examples or ExampleStatistics."""
    folder = str(artifact_utils.get_split_uri([artifact], split))
    gone = missing_files(folder, artifact.uri)
    if gone is None and artifact.type_name == standard_artifacts.ExampleStatistics.TYPE_NAME:
        return missing_file(f"{folder}/{STATISTICS_FILE}")
    return gone


def _checked(inputs: Inputs, key: str, argument: str, split: str) -> types.Artifact | None:
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
        payload = examples_utils.get_payload_format_string(artifact)
        if payload not in READABLE_PAYLOADS:
            raise ValueError(
                f"{key}: expected examples of payload {' or '.join(READABLE_PAYLOADS)}, found "
                f"{payload} ({artifact.uri}); give "
                f"{keys.STATISTICS_KEY} and {keys.BASELINE_STATISTICS_KEY} instead"
            )
    return artifact
