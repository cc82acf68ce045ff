"""The messages in event files, as far as they are read.

Field numbers are those of TensorFlow (`tensorflow/core/util/event.proto`, `framework/summary.proto`,
`framework/tensor.proto`) and of TensorBoard's plug-in for hyperparameters
(`tensorboard/plugins/hparams/plugin_data.proto`, with `google/protobuf/struct.proto`). The classes are made of these
tables, in a pool of their own, so that TensorFlow may be loaded beside. A map is read as what it is on the wire:
repeated pairs.
"""

from __future__ import annotations

import functools
from typing import Any

from dnnprov.errors import MissingExtraError

_PACKAGE = "dnnprov_tensorboard"

_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Event": {"wall_time": (1, "double"), "step": (2, "int64"), "summary": (5, "Summary")},
    "Summary": {"value": (1, "repeated SummaryValue")},
    "SummaryValue": {
        "tag": (1, "bytes"),
        "simple_value": (2, "float"),
        "image": (4, "bytes"),
        "histo": (5, "bytes"),
        "audio": (6, "bytes"),
        "tensor": (8, "Tensor"),
        "metadata": (9, "Metadata"),
    },
    "Metadata": {"plugin_data": (1, "PluginData")},
    "PluginData": {"plugin_name": (1, "bytes"), "content": (2, "bytes")},
    "Tensor": {
        "dtype": (1, "int32"),
        "tensor_content": (4, "bytes"),
        "half_val": (13, "repeated int32"),
        "float_val": (5, "repeated float"),
        "double_val": (6, "repeated double"),
        "int_val": (7, "repeated int32"),
        "string_val": (8, "repeated bytes"),
        "int64_val": (10, "repeated int64"),
        "bool_val": (11, "repeated bool"),
    },
    "HParams": {"session_start_info": (3, "SessionStart"), "session_end_info": (4, "SessionEnd")},
    "SessionStart": {"hparams": (1, "repeated HParam")},
    "HParam": {"key": (1, "bytes"), "value": (2, "Value")},
    "SessionEnd": {"status": (1, "int32")},
    "Value": {"number_value": (2, "double"), "string_value": (3, "bytes"), "bool_value": (4, "bool")},
}


@functools.cache
def message_class(name: str) -> Any:
    """The class of a message.

    Raises:
        MissingExtraError: protobuf is not installed.
    """
    try:
        from google.protobuf import message_factory  # noqa: PLC0415 - only who imports such files needs it
    except ImportError:
        raise MissingExtraError("importing event files of TensorBoard", "tensorboard") from None
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{name}"))


@functools.cache
def _pool() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool  # noqa: PLC0415

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, words) in fields.items():
            *repeated, kind = words.split()
            one = message.field.add(name=field, number=number)
            one.label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            if kind in _MESSAGES:
                one.type, one.type_name = kinds.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                one.type = getattr(kinds, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool
