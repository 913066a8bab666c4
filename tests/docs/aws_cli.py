"""What `aws` would say of a command line, by botocore's models and the CLI's own commands.

The AWS CLI makes its commands from the same models. What it adds or changes by hand is listed here,
as far as the documentation uses it.
"""

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise

import botocore.session
import jmespath  # type: ignore[import-untyped]
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, ServiceModel, StructureShape
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]

SERVICES = {"s3api": "s3"}
"""The CLI's names for services, where they are not botocore's."""

GLOBAL = {
    *("--cli-binary-format", "--cli-read-timeout", "--endpoint-url", "--no-paginate", "--output"),
    *("--profile", "--query", "--region"),
}
"""https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-options.html"""

PAGED = {"--max-items", "--page-size", "--starting-token"}
"""https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-pagination.html"""

FOR_ALL = {"--cli-input-json", "--generate-cli-skeleton"}

RENAMED = {("sns", "subscribe"): {"--endpoint": "--notification-endpoint"}}
"""Options that would be read as one of those for all commands."""

OWN: Mapping[tuple[str, str], tuple[set[str], set[str]]] = {
    ("cloudformation", "deploy"): (
        {"--stack-name", "--template-file"},
        {"--capabilities", "--no-fail-on-empty-changeset", "--parameter-overrides"},
    ),
    ("emr", "create-cluster"): (
        {"--instance-type", "--service-role"},
        {
            "--applications",
            "--auto-terminate",
            "--auto-termination-policy",
            "--bootstrap-actions",
            "--configurations",
            "--ebs-root-volume-size",
            "--ec2-attributes",
            "--instance-count",
            "--instance-groups",
            "--log-encryption-kms-key-id",
            "--log-uri",
            "--monitoring-configuration",
            "--name",
            "--no-auto-terminate",
            "--no-termination-protected",
            "--release-label",
            "--security-configuration",
            "--step-concurrency-level",
            "--steps",
            "--tags",
            "--termination-protected",
            "--use-default-roles",
        },
    ),
    ("emr", "describe-cluster"): ({"--cluster-id"}, set()),
    ("emr", "list-clusters"): (
        set(),
        {"--active", "--cluster-states", "--created-after", "--created-before", "--terminated"},
    ),
    ("emr", "modify-cluster-attributes"): (
        {"--cluster-id"},
        {"--no-termination-protected", "--termination-protected"},
    ),
    ("emr", "terminate-clusters"): ({"--cluster-ids"}, set()),
    ("logs", "tail"): (set(), {"--filter-pattern", "--follow", "--format", "--since"}),
    ("s3", "cp"): (
        set(),
        {
            "--recursive",
            "--sse",
            "--sse-c-copy-source",
            "--sse-c-copy-source-key",
            "--sse-kms-key-id",
        },
    ),
    ("s3", "ls"): (set(), {"--recursive", "--summarize"}),
    ("s3", "mb"): (set(), set()),
    ("s3", "rb"): (set(), {"--force"}),
    ("s3", "rm"): (set(), {"--recursive"}),
    ("s3", "sync"): (set(), {"--delete", "--source-region"}),
}
"""The CLI's own commands: the options that each needs, and those that it knows besides.

https://docs.aws.amazon.com/cli/latest/reference/emr/create-cluster.html and its neighbours.
"""


def problems(words: tuple[str, ...], *, whole: bool) -> Iterator[str]:
    """Say what is wrong with the words behind `aws`.

    Args:
        words: the service, the operation and their options.
        whole: whether nothing is left out, such as an option that the operation needs.
    """
    service, operation, *rest = (*words, "", "")[: max(2, len(words))]
    if operation == "wait" and rest:
        waited = _waiter(service, rest[0])
        if waited is None:
            yield f"there is no aws {service} wait {rest[0]}"
            return
        operation, rest = waited, rest[1:]
    options = [word.partition("=")[0] for word in rest if word.startswith("--")]
    if not operation:
        if service not in {name for name, _ in OWN} and _model(service) is None:
            yield f"there is no service {service}"
        return
    known = OWN.get((service, operation)) or _of_the_model(service, operation)
    if known is None:
        yield f"there is no aws {service} {operation}"
        return
    needed, besides = known
    for option in options:
        if option not in needed | besides | GLOBAL | FOR_ALL:
            yield f"aws {service} {operation} has no option {option}"
    if whole and not FOR_ALL & set(options):
        yield from (f"{option} is missing" for option in sorted(needed - set(options)))
    yield from _values(rest)


def _values(words: list[str]) -> Iterator[str]:
    """Say which values are no JMESPath or no JSON."""
    for option, value in pairwise(words):
        if option == "--query":
            try:
                with warnings.catch_warnings(action="error"):  # `a` for 'a' is deprecated
                    jmespath.compile(value)
            except (JMESPathError, Warning) as error:
                yield f"--query {value}: {error}"
        elif option.startswith("--") and _JSON.match(value):
            try:
                json.loads(value)
            except ValueError as error:
                yield f"{option} is no JSON: {error}"


def _of_the_model(service: str, operation: str) -> tuple[set[str], set[str]] | None:
    """Give the options of an operation: those that it needs, and the others."""
    model = _model(service)
    if model is None or service == "s3":
        return None
    for name in model.operation_names:
        if xform_name(name, "-") == operation:
            needed, besides = _options(model.operation_model(name), paged=_is_paged(service, name))
            other = RENAMED.get((service, operation), {})
            return {other.get(o, o) for o in needed}, {other.get(o, o) for o in besides}
    return None


def _options(operation: OperationModel, *, paged: bool) -> tuple[set[str], set[str]]:
    shape = operation.input_shape
    if not isinstance(shape, StructureShape):
        return set(), set()
    names = {member: f"--{xform_name(member, '-')}" for member in shape.members}
    needed = {names[member] for member in shape.required_members}
    negated = {
        f"--no-{names[member][2:]}"
        for member, of in shape.members.items()
        if of.type_name == "boolean"
    }
    return needed, set(names.values()) | negated | (PAGED if paged else set())


_JSON = re.compile(r'\[?\s*\{\s*"')
_SESSION = botocore.session.get_session()


@cache
def _model(service: str) -> ServiceModel | None:
    try:
        return _SESSION.get_service_model(SERVICES.get(service, service))
    except UnknownServiceError:
        return None


def _waiter(service: str, name: str) -> str | None:
    """Name the operation that a waiter repeats; None when there is no such waiter."""
    try:
        waiters = _SESSION.get_waiter_model(SERVICES.get(service, service))
    except UnknownServiceError:
        return None
    for waiter in waiters.waiter_names:
        if xform_name(waiter, "-") == name:
            return xform_name(waiters.get_waiter(waiter).operation, "-")
    return None


def _is_paged(service: str, operation: str) -> bool:
    try:
        _SESSION.get_paginator_model(SERVICES.get(service, service)).get_paginator(operation)
    except ValueError:
        return False
    return True
