"""The schema by which TFX reads nested columns back from their ragged features.

Examples do not say which features belong together. A schema of TFX can: its
``tensor_representation_group`` names, for each ragged tensor, the feature with its values and those
with its row lengths.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tfx_wine_ext.columnar.plan import Feature, FeaturePlan, UnsupportedColumnsError

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

# TFX reads the representations of this group, and of no other.
_GROUP = ""
_TYPES = {"bytes_list": "BYTES", "float_list": "FLOAT", "int64_list": "INT"}


def ragged_schema(plans: Iterable[FeaturePlan]) -> schema_pb2.Schema:
    """Returns the part of a schema that describes the ragged features of examples.

    Args:
        plans: Those of all input splits.

    Returns:
        The type of each feature that holds values or row lengths of a nested column, and for each
        feature with values the ragged tensor, under the same name. A column that is not nested is
        not in it. Empty if none is nested.

    Raises:
        UnsupportedColumnsError: A feature is ragged in one input split, and is not, or has other
            partitions, in another.

    Example:
        >>> import pyarrow as pa
        >>> from tfx_wine_ext.columnar.plan import EncodeOptions, plan_features
        >>> columns = pa.schema({"m": pa.list_(pa.list_(pa.int64()))})
        >>> print(ragged_schema([plan_features(columns, EncodeOptions(nested="ragged"))]))
        feature {
          name: "m"
          type: INT
        }
        feature {
          name: "m$row_lengths_1"
          type: INT
        }
        tensor_representation_group {
          key: ""
          value {
            tensor_representation {
              key: "m"
              value {
                ragged_tensor {
                  feature_path {
                    step: "m"
                  }
                  row_partition_dtype: INT64
                  partition {
                    row_length: "m$row_lengths_1"
                  }
                }
              }
            }
          }
        }
        <BLANKLINE>
    """
    from tensorflow_metadata.proto.v0 import schema_pb2

    known: dict[str, Feature] = {}
    for plan in plans:
        for feature in plan.features:
            other = known.setdefault(feature.name, feature)
            if (_is_ragged(feature) or _is_ragged(other)) and _form(feature) != _form(other):
                raise UnsupportedColumnsError(
                    [(feature.name, "it is nested otherwise in another input split")]
                )
    schema = schema_pb2.Schema()
    for name, feature in sorted(known.items()):
        if not _is_ragged(feature):
            continue
        schema.feature.add(name=name, type=_TYPES[feature.kind])
        if feature.partitions is not None:
            group = schema.tensor_representation_group[_GROUP]
            tensor = group.tensor_representation[name].ragged_tensor
            tensor.feature_path.step.append(name)
            tensor.row_partition_dtype = schema_pb2.TensorRepresentation.INT64
            for lengths in feature.partitions:
                tensor.partition.add(row_length=lengths)
    return schema


def _is_ragged(feature: Feature) -> bool:
    return feature.partitions is not None or feature.level is not None


def _form(feature: Feature) -> tuple[object, ...]:
    return feature.kind, feature.partitions, feature.level


def merge_ragged_schema(schema: schema_pb2.Schema, ragged: schema_pb2.Schema) -> schema_pb2.Schema:
    """Adds ragged features to a schema, such as SchemaGen's.

    Args:
        schema: The schema of the examples; it is not changed.
        ragged: From `ragged_schema`.

    Returns:
        The schema with a representation for each tensor, since Transform finds no others once there
        is one: the ragged ones, and for the other features those that TFX infers. The features of
        both schemas have the type that was written, and neither ``shape`` nor ``value_count``,
        which SchemaGen infers where all rows happen to have as many values; domains and presence
        remain. A feature that the schema lacks is added.

    Example:
        >>> import pyarrow as pa
        >>> from google.protobuf import text_format
        >>> from tensorflow_metadata.proto.v0 import schema_pb2
        >>> from tfx_wine_ext.columnar.plan import EncodeOptions, plan_features
        >>> columns = pa.schema({"m": pa.list_(pa.list_(pa.int64()))})
        >>> ragged = ragged_schema([plan_features(columns, EncodeOptions(nested="ragged"))])
        >>> inferred = text_format.Parse('feature { name: "ph" type: FLOAT }', schema_pb2.Schema())
        >>> merged = merge_ragged_schema(inferred, ragged)
        >>> tensors = merged.tensor_representation_group[""].tensor_representation
        >>> for name, tensor in sorted(tensors.items()):
        ...     print(name, tensor.WhichOneof("kind"))
        m ragged_tensor
        ph varlen_sparse_tensor
    """
    # It loads TensorFlow.
    from tfx_bsl.tfxio import tensor_representation_util

    merged = type(schema)()
    merged.CopyFrom(schema)
    features = {feature.name: feature for feature in merged.feature}
    for feature in ragged.feature:
        known = features.get(feature.name)
        if known is None:
            merged.feature.add().CopyFrom(feature)
            continue
        known.type = feature.type
        known.ClearField("shape")
        known.ClearField("value_count")
    if ragged.feature:
        tensors = merged.tensor_representation_group[_GROUP].tensor_representation
        for name, tensor in ragged.tensor_representation_group[
            _GROUP
        ].tensor_representation.items():
            tensors[name].CopyFrom(tensor)
        inferred = tensor_representation_util.InferTensorRepresentationsFromMixedSchema(merged)
        for name, tensor in inferred.items():
            tensors[name].CopyFrom(tensor)
    return merged
