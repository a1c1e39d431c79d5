"""Decides what DriftReport compares with what, and checks its inputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
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
from tfx_wine_ext.artifacts.properties import properties_of, span_date_of, span_of, text
from tfx_wine_ext.artifacts.spans import before, latest, place_of
from tfx_wine_ext.decisions import Inputs
from tfx_wine_ext.documents import load
from tfx_wine_ext.drift.document import LostSource
from tfx_wine_ext.drift.reasons import BaselineLost, BaselineUnfit
from tfx_wine_ext.report.words.drift import sentence
from tfx_wine_ext.report.words.text import split_text
from tfx_wine_ext.types import drift_report as keys
from tfx_wine_ext.types import parquet_example_gen as example_gen_keys

READABLE_PAYLOADS = (TF_EXAMPLE, PARQUET)


@dataclass(frozen=True)
class Decision:
    """What is compared with what.

    Attributes:
        inputs: The inputs, of whose baselines the chosen one remains, or none.
        said: The decision as a sentence.
        lost: The baseline that a Resolver found and whose files are gone; None if there is none.
        unfit: Why what was found as a baseline is none; None if there is no such thing.
    """

    inputs: Inputs
    said: str
    lost: LostSource | None = None
    unfit: BaselineUnfit | None = None

    @property
    def properties(self) -> dict[str, str]:
        """Properties of the execution, which `as_recorded` reads."""
        found = {keys.LOST_KEY: self.lost, keys.UNFIT_KEY: self.unfit}
        return {
            keys.DECISION_KEY: self.said,
            **{
                key: json.dumps(fact.to_dict(), sort_keys=True)
                for key, fact in found.items()
                if fact is not None
            },
        }

    def as_recorded(self, exec_properties: Mapping[str, Any]) -> Decision:
        """Returns the driver's decision, if it has found no baseline.

        A notebook's driver has removed what is no baseline from the inputs.
        """
        lost, unfit = (exec_properties.get(key) for key in (keys.LOST_KEY, keys.UNFIT_KEY))
        if not (lost or unfit):
            return self
        return Decision(
            {**self.inputs, sides_of(self.inputs, exec_properties)[1]: []},
            exec_properties[keys.DECISION_KEY],
            LostSource(**json.loads(lost)) if lost else None,
            load(BaselineUnfit, json.loads(unfit), keys.UNFIT_KEY) if unfit else None,
        )

    def log(self) -> None:
        """Logs the decision; a baseline that cannot be used is a warning."""
        (logging.warning if self.lost or self.unfit else logging.info)("%s", self.said)


def decision(inputs: Inputs, exec_properties: Mapping[str, Any], *, ids: bool = True) -> Decision:
    """Decides what is compared with what, before any data are read.

    The driver records the decision, and the executor makes it again, as files may vanish meanwhile.
    Where no driver runs, only the executor makes it.

    Args:
        inputs: The artifacts of each input.
        exec_properties: The parameters of the component.
        ids: Whether the artifacts have the ids of a metadata store, by which the newer of two is
            known. Kubeflow gives them numbers that mean nothing.

    Raises:
        ArtifactGoneError: The files of the current data, of the schema, or of a baseline that the
            author chose are missing.
        ArtifactAccessError: Access is denied.
        ValueError: An artifact lacks the split or has an unreadable payload, or there are several
            current ones. The message names the input.
    """
    inputs, unfit = chosen(inputs, exec_properties, ids=ids)
    said = decide(inputs, exec_properties)
    lost = lost_baseline(inputs, exec_properties)
    reason = lost.reason if lost else sentence(unfit) if unfit else None
    if reason is not None:
        said = f"No baseline for {_subject(inputs, exec_properties)}: {reason}"
        inputs = {**inputs, sides_of(inputs, exec_properties)[1]: []}
    return Decision(inputs, said, lost, unfit)


def chosen(
    inputs: Inputs, exec_properties: Mapping[str, Any], *, ids: bool = True
) -> tuple[Inputs, BaselineUnfit | None]:
    """Chooses one of the artifacts that were found as the baseline, by the metadata only.

    One that the author or a strategy of this library chose is the baseline, unless it is the
    current data themselves. Of several, and of what `LatestArtifactStrategy` found, it is that of
    the previous span, as `PreviousSpanStrategy` chooses, unless the Resolver names another
    component than that of the current data.

    Returns:
        The inputs with the chosen baseline, and why there is none although something was found.
    """
    current_key, key = sides_of(inputs, exec_properties)
    found = list(inputs.get(key) or ())
    if key == current_key or not found or len(inputs.get(current_key) or ()) != 1:
        return inputs, None
    [current] = inputs[current_key]
    choose = exec_properties.get(keys.CHOOSE_BASELINE_KEY)
    chooses = len(found) > 1 or bool(choose and not (ids and choose == keys.CHOOSE_WITHOUT_DRIVER))
    split, other = exec_properties[keys.SPLIT_KEY], exec_properties[keys.BASELINE_SPLIT_KEY]
    fault, left = "current", found
    if chooses or split == other:
        left = [artifact for artifact in found if not _same(artifact, current, ids)]
    if left and chooses:
        fault, left = _previous(left, current, ids)
    if fault == "no_order" or not left:
        about = (left or latest(found))[0]
        return {**inputs, key: []}, BaselineUnfit(describe(about, other), about.uri, fault)
    return {**inputs, key: left}, None


def _previous(
    found: list[types.Artifact], current: types.Artifact, ids: bool
) -> tuple[str, list[types.Artifact]]:
    """Returns the baseline among others than the current data, or why there is none."""
    span = span_of(properties_of(current))
    if span:
        earlier = before(found, span)
    else:  # Without spans each run reads all there is, and the newest is the previous one.
        of_same_kind = [each for each in found if span_of(properties_of(each)) == span]
        earlier = [each for each in of_same_kind if not _same_content(each, current)]
        if of_same_kind and not earlier:
            return "same_content", []
    if not earlier:
        without = all(span_of(properties_of(each)) is None for each in found)
        return "no_span" if without else "not_earlier", []
    newest = latest(earlier, place_of if ids else lambda each: place_of(each)._replace(id=0))
    return ("", newest) if len(newest) == 1 else ("no_order", newest)


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


def _same(artifact: types.Artifact, other: types.Artifact, ids: bool) -> bool:
    """Tells whether two artifacts are the same, by their ids if these say something, not 0."""
    if ids and artifact.id and artifact.id == other.id:
        return True
    return bool(artifact.uri.rstrip("/") == other.uri.rstrip("/"))


def _same_content(artifact: types.Artifact, other: types.Artifact) -> bool:
    """Tells whether ParquetExampleGen made both of the same content."""
    key = example_gen_keys.CONTENT_FINGERPRINT_KEY
    content = text(properties_of(artifact).get(key))
    return content is not None and content == text(properties_of(other).get(key))


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
