#!/usr/bin/env python3
"""Print what the protobuf descriptors of installed Python packages say, as a JSON list with one fact a line.

    extract_descriptors.py p4runtime    packages p4.v1, p4.config.v1 and google.rpc; PyPI `p4runtime`
    extract_descriptors.py gnmi         package gnmi; PyPI `pygnmi`

tests/descriptors.rs compares these facts with our own descriptors. Exit status 3: a package is missing.
"""

import importlib
import json
import os
import sys

# Some releases' generated modules are older than the fast protobuf runtimes accept; the pure-Python one takes them.
os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")

MODULES = {
    "p4runtime": [
        "google.rpc.code_pb2",
        "google.rpc.status_pb2",
        "p4.config.v1.p4types_pb2",
        "p4.config.v1.p4info_pb2",
        "p4.v1.p4data_pb2",
        "p4.v1.p4runtime_pb2",
    ],
    "gnmi": ["pygnmi.spec.v080.gnmi_pb2"],
}


def load(names):
    from google.protobuf import descriptor_pb2

    for name in names:
        proto = descriptor_pb2.FileDescriptorProto()
        importlib.import_module(name).DESCRIPTOR.CopyToProto(proto)
        yield proto


def file_facts(proto):
    for message in proto.message_type:
        yield from message_facts(proto.package, message)
    for enum in proto.enum_type:
        yield from enum_facts(proto.package, enum)
    for service in proto.service:
        for method in service.method:
            request = ("stream " if method.client_streaming else "") + method.input_type.lstrip(".")
            response = ("stream " if method.server_streaming else "") + method.output_type.lstrip(".")
            yield f"{proto.package}.{service.name}: rpc {method.name}({request}) returns ({response})"


def message_facts(scope, message):
    name = f"{scope}.{message.name}"
    yield f"{name}: message"
    for field in message.field:
        kinds = field.DESCRIPTOR.enum_types_by_name["Type"].values_by_number
        kind = field.type_name.lstrip(".") or kinds[field.type].name.removeprefix("TYPE_").lower()
        repeated = "repeated " if field.label == field.LABEL_REPEATED else ""
        oneof = f" in {message.oneof_decl[field.oneof_index].name}" if field.HasField("oneof_index") else ""
        yield f"{name}: {repeated}{kind} {field.name} = {field.number}{oneof}"
    for enum in message.enum_type:
        yield from enum_facts(name, enum)
    for nested in message.nested_type:
        yield from message_facts(name, nested)


def enum_facts(scope, enum):
    for value in enum.value:
        yield f"{scope}.{enum.name}: {value.name} = {value.number}"


def main():
    try:
        protos = list(load(MODULES[sys.argv[1]]))
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(3)
    json.dump(sorted(fact for proto in protos for fact in file_facts(proto)), sys.stdout, indent=0)
    print()


main()
