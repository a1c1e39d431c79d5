"""A slow and obvious encoder of `tf.train.Example`, to hold the fast one against.

Protobuf does the work, one row at a time; its classes are made here from a description of
tensorflow/core/example/{example,feature}.proto, so that TensorFlow is not imported.
"""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "tfx_wine_ext_test"
_Field = descriptor_pb2.FieldDescriptorProto


def _message(file, name, *field_list):
    message = file.message_type.add(name=name)
    for number, (field, type_, label, type_name) in enumerate(field_list, start=1):
        added = message.field.add(name=field, number=number, type=type_, label=label)
        if type_name:
            added.type_name = f".{_PACKAGE}.{type_name}"
    return message


def _example_class():
    file = descriptor_pb2.FileDescriptorProto(
        name="example_for_tests.proto", package=_PACKAGE, syntax="proto3"
    )
    one, many = _Field.LABEL_OPTIONAL, _Field.LABEL_REPEATED
    _message(file, "BytesList", ("value", _Field.TYPE_BYTES, many, None))
    _message(file, "FloatList", ("value", _Field.TYPE_FLOAT, many, None))
    _message(file, "Int64List", ("value", _Field.TYPE_INT64, many, None))
    feature = _message(
        file,
        "Feature",
        ("bytes_list", _Field.TYPE_MESSAGE, one, "BytesList"),
        ("float_list", _Field.TYPE_MESSAGE, one, "FloatList"),
        ("int64_list", _Field.TYPE_MESSAGE, one, "Int64List"),
    )
    feature.oneof_decl.add(name="kind")
    for field in feature.field:
        field.oneof_index = 0
    features = _message(
        file, "Features", ("feature", _Field.TYPE_MESSAGE, many, "Features.FeatureEntry")
    )
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_Field.TYPE_STRING, label=one)
    entry.field.add(
        name="value",
        number=2,
        type=_Field.TYPE_MESSAGE,
        label=one,
        type_name=f".{_PACKAGE}.Feature",
    )
    _message(file, "Example", ("features", _Field.TYPE_MESSAGE, one, "Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName(f"{_PACKAGE}.Example")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


Example = _example_class()


def example(row):
    """An Example from {name: None, or (kind, values)}."""
    message = Example()
    message.features.SetInParent()
    for name, content in row.items():
        _fill(message.features.feature[name], content)
    return message


def _fill(feature, content):
    if content is not None:
        kind, values = content
        getattr(feature, kind).SetInParent()
        getattr(feature, kind).value.extend(values)


def serialized_feature(content):
    """The bytes of one Feature."""
    feature = Example().features.feature["a"]
    _fill(feature, content)
    return feature.SerializeToString(deterministic=True)


def serialized(row):
    """The bytes that the fast encoder must give for the row."""
    return example(row).SerializeToString(deterministic=True)


def parsed(record):
    """The inverse of `example`, for expectations that a human can read."""
    message = Example.FromString(record)
    return {
        name: (
            (feature.WhichOneof("kind"), list(getattr(feature, feature.WhichOneof("kind")).value))
            if feature.WhichOneof("kind")
            else None
        )
        for name, feature in message.features.feature.items()
    }


def _key_order():
    """Which of the two orders of `EncodeOptions.key_order` the installed protobuf has."""
    return "bytewise" if serialized({"a": None, "ab": None})[4:6] == b"\x0a\x01" else "upb"


KEY_ORDER = _key_order()
