"""Reads the metrics of an evaluation without TensorFlow Model Analysis, whose import takes seconds.

TFMA writes TFRecord files of ``MetricsForSlice``. The few required fields are described below by
their numbers, in a separate descriptor pool, so that TFMA can be imported in the same process.
Source of the numbers: ``tensorflow_model_analysis/proto/metrics_for_slice.proto``
of TFMA 0.47.1; a field of a protobuf message never changes its number.
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypedDict, cast

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tfx_wine_ext import documents
from tfx_wine_ext.columnar.tfrecord import TFRecordError, iter_records
from tfx_wine_ext.documents import finite
from tfx_wine_ext.files.tolerant import SoftFiles
from tfx_wine_ext.lineage.records import MetricValue as MetricValue

_METRICS_FILE = re.compile(r"metrics(-\d+-of-\d+)?(\.tfrecord)?")
_CONFIG_FILE = "eval_config.json"
# The default name of the model in production in TFX's Evaluator, if the EvalConfig is gone.
_BASELINE = "baseline"
# BoundedValue.Methodology: bounds of an approximated sum, which say nothing about other data.
_RIEMANN_SUM = 1


class _Metric(TypedDict, total=False):
    className: str
    config: str


class _Model(TypedDict, total=False):
    name: str
    isBaseline: bool


class _Metrics(TypedDict, total=False):
    metrics: list[_Metric]
    thresholds: Mapping[str, Any]


class _EvalConfig(TypedDict, total=False):
    modelSpecs: list[_Model]
    metricsSpecs: list[_Metrics]


class _ConfigFile(TypedDict):
    evalConfig: _EvalConfig


_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "string": _Field.TYPE_STRING,
    "double": _Field.TYPE_DOUBLE,
    "bool": _Field.TYPE_BOOL,
    "int32": _Field.TYPE_INT32,
}
# Message: field -> (number, type); "*" in front of a type: repeated. The wrappers of
# google.protobuf (DoubleValue, ...) are messages of one field, `value`, with the number 1.
_MESSAGES: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "Double": {"value": (1, "double")},
    "Empty": {},
    "Bounded": {
        "lower_bound": (1, "Double"),
        "upper_bound": (2, "Double"),
        "value": (3, "Double"),
        "methodology": (4, "int32"),
    },
    "Value": {"double_value": (1, "Double"), "bounded_value": (2, "Bounded")},
    "Key": {
        "name": (1, "string"),
        "output_name": (2, "string"),
        "sub_key": (3, "Empty"),
        "model_name": (4, "string"),
        "is_diff": (5, "bool"),
        "aggregation_type": (6, "Empty"),
    },
    "Interval": {"upper_bound": (1, "Value"), "lower_bound": (2, "Value")},
    "Metric": {"key": (1, "Key"), "value": (2, "Value"), "confidence_interval": (3, "Interval")},
    "SliceKey": {"single_slice_keys": (1, "*Empty")},
    "MetricsForSlice": {
        "slice_key": (1, "SliceKey"),
        "cross_slice_key": (3, "Empty"),
        "metric_keys_and_values": (51, "*Metric"),
    },
}


class Metrics(NamedTuple):
    """The numbers of an evaluation, by name and in TFMA's order.

    Attributes:
        model: Metrics of the model.
        baseline: Metrics of the model that it was compared with on the same data, usually the one
            in production; empty without one. Between two runs a metric changes with the data and
            with the model; these values separate the two effects.
    """

    model: dict[str, MetricValue]
    baseline: dict[str, MetricValue]


def read_metrics(uri: str, files: SoftFiles | None = None) -> Metrics:
    """Reads the metrics of an evaluation: of the overall slice and the model's first output.

    Metrics of one class or of the top k, differences to the baseline model, plots and matrices are
    omitted. If a metric exists with and without averaging over classes, the latter is taken.

    Args:
        uri: Folder of a ModelEvaluation artifact.
        files: How to read it. Default: directly.

    Returns:
        The metrics; both are empty if a file is missing or invalid, which `files` records.

    Example:
        >>> read_metrics("no/such/folder").model
        {}
    """
    files = files or SoftFiles()
    specs = _eval_config(uri, files).get("modelSpecs", [])
    baselines = {str(spec.get("name")) for spec in specs if spec.get("isBaseline")} or {_BASELINE}
    by_side: tuple[list[Any], list[Any]] = ([], [])
    for part in _slices(uri, files):
        if not part.slice_key.single_slice_keys and not part.HasField("cross_slice_key"):
            for metric in part.metric_keys_and_values:
                if _is_ordinary(metric.key) and _is_number(metric.value):
                    by_side[metric.key.model_name in baselines].append(metric)
    return Metrics(*map(_of_first_output, by_side))


def _of_first_output(recorded: list[Any]) -> dict[str, MetricValue]:
    # Python's sort is stable: averaged metrics last, otherwise TFMA's order.
    recorded.sort(key=lambda metric: metric.key.HasField("aggregation_type"))
    metrics: dict[str, MetricValue] = {}
    for metric in recorded:
        if metric.key.output_name == recorded[0].key.output_name:
            metrics.setdefault(metric.key.name, _metric_value(metric))
    return metrics


def gated_metrics(uri: str, files: SoftFiles | None = None) -> list[str]:
    """Returns the metrics on which the blessing of an evaluation depends.

    Args:
        uri: Folder of a ModelEvaluation artifact.
        files: How to read it. Default: directly.

    Returns:
        Names in the order of the EvalConfig; none if it has no thresholds or is missing.
    """
    gated: list[str] = []
    for spec in _eval_config(uri, files or SoftFiles()).get("metricsSpecs", []):
        for metric in spec.get("metrics", []):
            if "threshold" in metric or metric.get("perSliceThresholds"):
                gated.append(_name_of(metric))
        gated += spec.get("thresholds", {})
    return list(dict.fromkeys(gated))


def _eval_config(uri: str, files: SoftFiles) -> dict[str, Any]:
    """Returns the EvalConfig as JSON; empty if it is missing or invalid."""
    data = files.read(uri, _CONFIG_FILE)
    if data is None:
        return {}
    path = f"{uri}/{_CONFIG_FILE}"
    try:
        file = documents.parse_json(data, path, finite=False).value
        config: Any = documents.load(_ConfigFile, file, path)["evalConfig"]
    except documents.DocumentError as error:
        files.note_unreadable(path, error.problem)
        return {}
    return cast("dict[str, Any]", config)


def _name_of(metric: Mapping[str, Any]) -> str:
    """Returns the name under which a metric of an EvalConfig is recorded."""
    try:
        configured = documents.parse_json(metric.get("config") or "{}", "", finite=False).get(
            "name"
        )
        name = configured and configured.text()
    except documents.DocumentError:
        name = None
    return str(name or _snake_case(metric.get("className", "")))


def _snake_case(name: str) -> str:
    """Returns the name that TFMA and Keras give to the metric of a class."""
    spaced = re.sub(r"([a-z0-9])([A-Z])|(.)([A-Z][a-z]+)", r"\1\3_\2\4", name)
    return spaced.lower().lstrip("_")


def _slices(uri: str, files: SoftFiles) -> list[Any]:
    """Returns the metrics of all slices; none if a file is damaged, since some may be lost."""
    slices = []
    names = files.names(uri)
    of_metrics = [name for name in names if _METRICS_FILE.fullmatch(name)]
    for name in of_metrics:
        data = files.read(uri, name)
        if data is None:
            return []
        try:
            records = list(iter_records(io.BytesIO(data)))
            slices += [
                documents.parse_message(_message_class(), record, name) for record in records
            ]
        except TFRecordError as error:
            files.note_unreadable(f"{uri}/{name}", str(error))
            return []
        except documents.DocumentError as error:
            files.note_unreadable(f"{uri}/{name}", error.problem)
            return []
    if not of_metrics:
        parquet = [name for name in names if name.startswith("metrics") and "parquet" in name]
        if parquet:
            files.note_unreadable(f"{uri}/{parquet[0]}", "expected TFRecords, found Parquet")
        else:
            files.read(uri, "metrics")
    return slices


def _is_ordinary(key: Any) -> bool:
    return not (key.HasField("sub_key") or key.is_diff)


def _is_number(value: Any) -> bool:
    return bool(value.HasField("double_value") or value.HasField("bounded_value"))


def _metric_value(metric: Any) -> MetricValue:
    bounded = metric.value.bounded_value
    value, lower, upper = _number(metric.value), None, None
    if metric.HasField("confidence_interval"):
        interval = metric.confidence_interval
        lower, upper = _number(interval.lower_bound), _number(interval.upper_bound)
    elif metric.value.HasField("bounded_value") and bounded.methodology != _RIEMANN_SUM:
        lower, upper = finite(bounded.lower_bound.value), finite(bounded.upper_bound.value)
    return MetricValue(value, lower, upper)


def _number(value: Any) -> float | None:
    if value.HasField("double_value"):
        return finite(value.double_value.value)
    return finite(value.bounded_value.value.value)


@functools.cache
def _message_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="tfx_wine_ext_evaluation.proto", package="tfx_wine_ext_evaluation", syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        described = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            repeated, kind = kind.startswith("*"), kind.lstrip("*")
            added = described.field.add(
                name=field,
                number=number,
                label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL,
            )
            if kind in _TYPES:
                added.type = _TYPES[kind]
            else:
                added.type, added.type_name = _Field.TYPE_MESSAGE, f".{file.package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName(f"{file.package}.MetricsForSlice")
    if hasattr(message_factory, "GetMessageClass"):  # protobuf 4.22 and later
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)
