"""Which artifact is of an earlier span, and which is the newest."""

from __future__ import annotations

import pytest
from ml_metadata.proto import metadata_store_pb2

from tfx_wine_ext.artifacts.spans import Place, before, latest, place_of


def artifact(id_, span=None, version=None):
    made = metadata_store_pb2.Artifact(id=id_)
    for key, value in (("span", span), ("version", version)):
        if value is not None:
            made.custom_properties[key].struct_value["__value__"] = value  # As Kubeflow gives it.
    return made


def test_a_place_is_span_version_and_id_and_none_exceeds_an_artifact_without_a_span():
    assert place_of(artifact(7, 2, 1)) == Place(2, 1, 7)
    assert place_of(artifact(7)) == Place(float("inf"), 0, 7)


@pytest.mark.parametrize(
    ("candidates", "span", "chosen"),
    [
        ([artifact(1, 1), artifact(2, 2), artifact(3, 3)], 3, [2]),
        ([artifact(1, 1), artifact(2, 1)], 2, [2]),
        ([artifact(1, 1, 2), artifact(2, 1, 1)], 2, [1]),
        ([artifact(1, 2), artifact(2)], 2, []),
        ([artifact(1, 1.5)], 2, []),
        ([artifact(1, float("nan"))], 2, []),
        ([artifact(0, 1), artifact(0, 1)], 2, [0, 0]),
    ],
    ids=["gap", "newest", "version", "none earlier", "fraction", "nan", "without ids"],
)
def test_the_latest_before_a_span_is_chosen(candidates, span, chosen):
    assert [each.id for each in latest(before(candidates, span))] == chosen
