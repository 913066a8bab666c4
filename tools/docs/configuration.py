"""The page of all that can be set: the stack's parameters and the policy."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import NODEFAULT
from msgspec.inspect import (
    BoolType,
    DateType,
    DictType,
    EnumType,
    Field,
    IntType,
    Metadata,
    StructType,
    Type,
    VarTupleType,
    type_info,
)

from emr_log_guard.policy_document import PolicyDocument
from tools.docs.markdown import code, codes, page, sentence, table
from tools.docs.template import Template

_ABOUT = """\
Every setting: the stack's parameters, the policy's fields, the stack's outputs and its functions.
[Install](install.md) says what to set first, [policy](policy.md) what to write into the policy."""
_PARAMETERS = """\
Parameters of the stack, for `sam deploy`. `Mode`, `ApprovedKeys`, `EnforcementRules`, the grace
periods and `TerminationProtection` are the initial values of the policy: changing one of them later
replaces the whole policy."""
_POLICY = """\
JSON in the SSM parameter of output `PolicyParameterName`; its schema is
[policy.schema.json](policy.schema.json). Every field of the document is optional; unknown ones are
rejected. `emr-log-guard policy validate` reports a document's errors ([the command](cli.md))."""


def configuration_page(template: Template) -> str:
    """Describe every setting, its default and its meaning."""
    return page(
        "Configuration",
        _ABOUT,
        "## Parameters",
        _PARAMETERS,
        *_parameters(template),
        "## Policy",
        _POLICY,
        table(("field", "type", "default", "meaning"), _policy_fields()),
        "## Outputs",
        table(
            ("output", "meaning"),
            ((code(name), sentence(o["Description"])) for name, o in template.outputs.items()),
        ),
        "## Functions",
        table(("function", "purpose", "memory", "timeout"), _functions(template)),
    )


def _parameters(template: Template) -> Iterator[str]:
    for heading, names in template.groups:
        yield f"### {heading}"
        yield table(
            ("parameter", "default", "allowed", "meaning"),
            ((code(name), *_parameter(template.parameters[name])) for name in names),
        )


def _parameter(given: Mapping[str, Any]) -> tuple[str, str, str]:
    return code(str(given["Default"])), _allowed(given), sentence(given["Description"])


def _allowed(given: Mapping[str, Any]) -> str:
    if "AllowedValues" in given:
        return codes(given["AllowedValues"])
    if "MinValue" in given:
        return f"{given['MinValue']} to {given['MaxValue']}"
    return str(given.get("ConstraintDescription", "any text")).removeprefix("must be ")


def _policy_fields() -> Iterator[tuple[str, str, str, str]]:
    document = type_info(PolicyDocument)
    if isinstance(document, StructType):
        yield from _fields(document)


def _fields(struct: StructType, path: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Describe each field of a document, and those below it."""
    for field in struct.fields:
        kind, meaning = _described(field.type)
        place = path + field.encode_name
        yield code(place), _type(kind), _default(field, kind), sentence(meaning)
        match kind:
            case StructType():
                yield from _fields(kind, f"{place}.")
            case VarTupleType(item_type=StructType() as item):
                yield from _fields(item, f"{place}[].")
            case DictType(value_type=StructType() as value):
                yield from _fields(value, f"{place}.<id>.")
            case _:
                pass


def _described(kind: Type) -> tuple[Type, str]:
    """Return a field's type and description; a structure's description is its docstring."""
    match kind:
        case Metadata(type=inner, extra_json_schema=schema):
            there, below = _described(inner)
            return there, str((schema or {}).get("description", below))
        case StructType(cls=cls):
            return kind, (cls.__doc__ or "").partition("\n")[0]
        case _:
            return kind, ""


def _type(kind: Type) -> str:
    match kind:
        case EnumType(cls=cls):
            return codes(cls)
        case IntType(ge=least, le=most):
            return f"integer, {least} to {most}"
        case BoolType():
            return "`true`, `false`"
        case DateType():
            return "date"
        case VarTupleType(item_type=item):
            return f"list of {_item(item)}"
        case DictType():
            return "object"
        case StructType():
            return "object"
        case _:
            return "string"


def _item(kind: Type) -> str:
    """Name what a list holds by its description, which documents its format."""
    there, meaning = _described(kind)
    return "objects" if isinstance(there, StructType) else f"strings: {meaning.rstrip('.')}"


def _default(field: Field, kind: Type) -> str:
    if field.required:
        return "required"
    if isinstance(kind, StructType) or field.default is NODEFAULT:
        return ""
    if isinstance(field.default, tuple):
        return codes(field.default) or "empty"
    return code(field.default if isinstance(field.default, str) else json.dumps(field.default))


def _functions(template: Template) -> Iterator[tuple[str, str, str, str]]:
    for name, own in sorted(template.functions.items()):
        properties = {**template.function_defaults, **own}
        history, seconds = properties["MemorySize"], properties["Timeout"]
        yield code(name), sentence(own["Description"]), f"{history} MB", f"{seconds} s"
