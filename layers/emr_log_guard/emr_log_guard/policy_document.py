"""The policy as a JSON document: its types, its limits, and its problems.

Unknown fields are rejected: in a policy, a field without effect is a mistake. The JSON Schema in
docs/policy.schema.json is generated from these types; what it cannot express is checked below.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import Annotated, Any, NoReturn

import msgspec
from msgspec import UNSET, Meta, UnsetType

from emr_log_guard.domain.compliance import Mode, Severity
from emr_log_guard.domain.policy import (
    DEFAULT_ENFORCED_RULES,
    DEFAULT_REENCRYPTED_RULES,
    AlertSettings,
    ClusterMatch,
    Enforcement,
    Exemption,
    Policy,
    Reencryption,
    RuleSettings,
    SlackRoute,
    TerminationProtection,
)
from emr_log_guard.errors import InvalidPolicyError
from emr_log_guard.rules import ALL_RULES, BUCKET_RULES

RULE_IDS = tuple(rule.id for rule in ALL_RULES)
STANDARD_BYTES = 4096
LARGEST_BYTES = 8192
"""The value of an SSM parameter of the advanced tier; of the standard tier, half of it.

https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
"""
STRICT = Policy(rules={rule_id: RuleSettings(enabled=True) for rule_id in RULE_IDS})
"""Applies until there is a valid policy: everything alerts, nothing is terminated."""

_LINE = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*\Z"
_ARN = r"arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:"
WEBHOOK_SECRETS = "emr-log-guard/slack/"
"""What the names of the routes' secrets begin with: the stack may read those and no others."""
_WEBHOOK_SECRET = (
    rf"^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{{12}}:secret:{WEBHOOK_SECRETS}"
    r"[A-Za-z0-9/_+=.@-]+\Z"
)

type RuleId = Annotated[
    str, Meta(extra_json_schema={"enum": list(RULE_IDS)}, description="A rule id.")
]
type RuleIdOrAll = Annotated[
    str, Meta(extra_json_schema={"enum": ["*", *RULE_IDS]}, description="A rule id, or * for all.")
]
type Line = Annotated[str, Meta(pattern=_LINE, max_length=256)]
type Key = Annotated[
    str,
    Meta(
        pattern=rf"^({_ARN}(key|alias)/\S+|alias/\S+|mrk-[0-9a-fA-F]{{32}}|[0-9a-fA-F-]{{36}})\Z",
        description="A key id, key ARN, alias name (alias/…) or alias ARN.",
    ),
]
type KeyArn = Annotated[
    str, Meta(pattern=rf"^{_ARN}key/\S+\Z", description="The ARN of a key; an alias can be moved.")
]
type ReencryptedRuleId = Annotated[
    str,
    Meta(
        extra_json_schema={"enum": sorted(DEFAULT_REENCRYPTED_RULES)},
        description="A rule about the encryption of a log object.",
    ),
]
type AccountId = Annotated[
    str, Meta(pattern=r"^[0-9]{12}\Z", description="An account's id, twelve digits.")
]
type Minutes = Annotated[int, Meta(ge=0, le=43200)]
type ClusterId = Annotated[str, Meta(pattern=r"^j-[A-Z0-9]+\Z")]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rejects unknown fields."""


class RuleDocument(_Strict, frozen=True):
    """Settings of one rule."""

    enabled: Annotated[bool, Meta(description="Whether it is evaluated.")] | UnsetType = UNSET
    severity: (
        Annotated[Severity, Meta(description="Its severity; below HIGH it terminates no cluster.")]
        | UnsetType
    ) = UNSET
    mode: (
        Annotated[Mode, Meta(description="A weaker mode than the policy's; never a stronger one.")]
        | UnsetType
    ) = UNSET


class EnforcementDocument(_Strict, frozen=True):
    """When clusters are terminated."""

    rules: Annotated[
        tuple[RuleId, ...], Meta(description="The rules that a cluster is terminated for.")
    ] = tuple(sorted(DEFAULT_ENFORCED_RULES))
    grace_at_launch_minutes: Annotated[
        Minutes, Meta(description="Grace period for findings that opened before the cluster ran.")
    ] = 0
    grace_running_minutes: Annotated[
        Minutes, Meta(description="Grace period for findings that opened on a running cluster.")
    ] = 240
    transient_minutes: Annotated[
        Minutes,
        Meta(
            description="How long a fact that AWS documents as transient, such as a key that is "
            "not found or Unavailable, must last before it counts as a violation."
        ),
    ] = 30
    termination_protection: Annotated[
        TerminationProtection,
        Meta(
            description="respect: clusters with termination protection are not terminated. "
            "override: the protection is removed first, which needs a stack deployed with "
            "TerminationProtection=override."
        ),
    ] = TerminationProtection.RESPECT
    unless_reencrypted: Annotated[
        bool,
        Meta(
            description="Whether a cluster is not terminated for EMRLOG-002 or EMRLOG-004 while "
            "all of its logs are re-encrypted."
        ),
    ] = True


class ReencryptionDocument(_Strict, frozen=True):
    """Which log objects are re-encrypted in place, in a stack with ReencryptionAllowed=true."""

    enabled: Annotated[bool, Meta(description="Whether log objects are re-encrypted.")] = False
    rules: Annotated[
        tuple[ReencryptedRuleId, ...],
        Meta(description="The rules whose violations are remediated."),
    ] = tuple(sorted(DEFAULT_REENCRYPTED_RULES))
    default_key: Annotated[
        KeyArn | None,
        Meta(
            description="The key for logs of clusters that name none, or none that is usable: "
            "customer-managed, approved, enabled, of the bucket's account and Region. null: such "
            "logs are not re-encrypted, which raises an alert."
        ),
    ] = None
    max_objects_per_hour: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000_000,
            description="How many log objects are re-encrypted in an hour of the clock, at most. "
            "The rest follows in the next hour, which raises an alert.",
        ),
    ] = 100_000


class ClusterDocument(_Strict, frozen=True):
    """Which clusters an exemption covers: all given fields must match; at least one is required."""

    id: Annotated[ClusterId, Meta(description="Its id, such as j-2AXXXXXXGAPLF.")] | UnsetType = (
        UNSET
    )
    name: (
        Annotated[Line, Meta(description="A pattern for its name, such as legacy-*.")] | UnsetType
    ) = UNSET
    tag: (
        Annotated[dict[str, str], Meta(min_length=1, description="Its tags: all must match.")]
        | UnsetType
    ) = UNSET


class ExemptionDocument(_Strict, frozen=True):
    """No alerts and no termination for some rules of some clusters, until a date."""

    cluster: ClusterDocument
    rules: Annotated[
        tuple[RuleIdOrAll, ...], Meta(min_length=1, description="The rules that it is exempt from.")
    ]
    until: Annotated[date, Meta(description="The last day on which it is valid, in UTC.")]
    reason: Annotated[Line, Meta(description="The reason, in one line.")]
    approved_by: Annotated[Line, Meta(description="Who approved it, in one line.")]


class SlackRouteDocument(_Strict, frozen=True):
    """A Slack channel for alerts: all given conditions must match; without any, all alerts do."""

    webhook_secret_arn: Annotated[
        str,
        Meta(
            pattern=_WEBHOOK_SECRET,
            description="A secret named emr-log-guard/slack/…, in the stack's account and Region.",
        ),
    ]
    tag: (
        Annotated[
            dict[str, str],
            Meta(min_length=1, description="Tags of the cluster: each must have this value."),
        ]
        | UnsetType
    ) = UNSET
    account: (
        Annotated[str, Meta(pattern=r"^[0-9]{12}\Z", description="The cluster's account.")]
        | UnsetType
    ) = UNSET
    minimum_severity: (
        Annotated[Severity, Meta(description="The lowest severity of the most severe finding.")]
        | UnsetType
    ) = UNSET


class SlackDocument(_Strict, frozen=True):
    """Routing in Slack: the first route that matches, else the stack's own webhook."""

    routes: Annotated[
        tuple[SlackRouteDocument, ...],
        Meta(description="Evaluated in order; the first route that matches is used."),
    ] = ()


class AlertsDocument(_Strict, frozen=True):
    """When alerts are sent, and where to."""

    minimum_severity: Annotated[
        Severity,
        Meta(
            description="Findings of lower severity are only recorded, unless a cluster is "
            "terminated for them."
        ),
    ] = Severity.LOW
    remind_every_hours: Annotated[
        int,
        Meta(
            ge=1,
            le=720,
            description="Hours after an alert until a reminder, while the finding is open.",
        ),
    ] = 24
    slack: Annotated[SlackDocument, Meta(description="Routing in Slack.")] = SlackDocument()


class PolicyDocument(_Strict, frozen=True):
    """The security team's policy for EMR's logs. Every field has a default."""

    schema: (
        Annotated[str, Meta(description="The URL of the JSON Schema, for editors.")] | UnsetType
    ) = msgspec.field(default=UNSET, name="$schema")
    mode: Annotated[
        Mode,
        Meta(
            description="The strongest mode of any rule: observe records and counts, alert also "
            "notifies, enforce also terminates."
        ),
    ] = Mode.ALERT
    approved_keys: Annotated[
        tuple[Key, ...],
        Meta(
            description="The keys that logs may be encrypted with; empty: any customer-managed key."
        ),
    ] = ()
    log_bucket_owners: Annotated[
        tuple[AccountId, ...],
        Meta(
            description="The accounts, besides a cluster's own, that may own the buckets that its "
            "logs go to, such as a central log account."
        ),
    ] = ()
    rules: Annotated[
        dict[RuleId, RuleDocument],
        Meta(description="Settings of individual rules, by rule id."),
    ] = {}
    enforcement: EnforcementDocument = EnforcementDocument()
    reencryption: ReencryptionDocument = ReencryptionDocument()
    exemptions: Annotated[
        tuple[ExemptionDocument, ...],
        Meta(description="Clusters and rules without alerts and termination, each until a date."),
    ] = ()
    exemptions_max_days: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=3650,
                description="The longest exemption: days from today until its last day, checked "
                "whenever the policy is read; without it, any.",
            ),
        ]
        | UnsetType
    ) = UNSET
    alerts: AlertsDocument = AlertsDocument()


def parse_policy(
    text: str, today: date, *, allowed: bool = False, reencryption_allowed: bool = False
) -> Policy:
    """Read a policy.

    Args:
        text: The document, JSON.
        today: The date, UTC: `exemptions_max_days` counts from it.
        allowed: Whether the stack may terminate clusters.
        reencryption_allowed: Whether the stack may re-encrypt log objects.

    Raises:
        InvalidPolicyError: Something is wrong with it; each problem names the field and the fix.

    """
    plain = _decode_json(text)
    size = _size(stored_form(plain))
    if size > LARGEST_BYTES:
        _refuse(
            f"the document has {size} bytes as it is stored, and an SSM parameter takes "
            f"{LARGEST_BYTES} at most (advanced tier; {STANDARD_BYTES} in the standard tier): "
            "remove expired exemptions, "
            "and exempt clusters by name pattern or tag instead of one by one"
        )
    try:
        document = msgspec.convert(plain, PolicyDocument, strict=True)
    except msgspec.ValidationError as error:
        raise InvalidPolicyError(
            _mistakes(plain, today) or (_explain(str(error), plain),)
        ) from error
    problems = tuple(_problems(document, today))
    if problems:
        raise InvalidPolicyError(problems)
    return _policy(document, allowed=allowed, reencryption_allowed=reencryption_allowed)


def policy_schema() -> dict[str, Any]:
    """Make the JSON Schema of a policy."""
    schema = msgspec.json.schema(PolicyDocument)
    properties = {"propertyNames": {"enum": list(RULE_IDS)}}
    schema["$defs"]["PolicyDocument"]["properties"]["rules"] |= properties
    schema["$defs"]["ClusterDocument"]["minProperties"] = 1
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "EMR Log Guard policy",
        # Python's end of a string is not that of ECMA 262, which schemas are written in.
        **json.loads(json.dumps(schema).replace("\\\\Z", "$")),
    }


def pretty(plain: object) -> str:
    """Format a document, indented."""
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def difference(old: str, new: str) -> tuple[str, ...]:
    """Return the lines of a unified diff of two documents, however these are indented.

    Args:
        old: The old document; what is not JSON is compared as it is.
        new: The new one.

    Returns:
        The lines without the names of files; empty when nothing has changed.

    """
    lines = difflib.unified_diff(_indented(old), _indented(new), lineterm="")
    return tuple(islice(lines, 2, None))


def _indented(text: str) -> list[str]:
    try:
        return pretty(json.loads(text)).splitlines()
    except (ValueError, RecursionError):
        return text.splitlines()


def stored_form(plain: object) -> str:
    """Format a document as it is stored: indented if that fits into the standard tier."""
    text = pretty(plain)
    if _size(text) <= STANDARD_BYTES:
        return text
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


def position_of(text: str, path: str) -> tuple[int, int]:
    """Find a field in a document.

    Args:
        text: The document, JSON.
        path: The field, such as `exemptions[1].until`. If it is missing, its object is found.

    Returns:
        The line and the column, both from 1.

    """
    start = _skip_blank(text, 0)
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        within = _values(text, start)
        start = within.get(name or int(index), start)
    line = text.count("\n", 0, start) + 1
    return line, start - text.rfind("\n", 0, start)


def _skip_blank(text: str, at: int) -> int:
    """Skip what separates values."""
    while at < len(text) - 1 and text[at] in " \t\r\n,:":
        at += 1
    return at


def _values(text: str, start: int) -> dict[str | int, int]:
    """Find where the values of an object or array begin, by name or index."""
    decoder, found = json.JSONDecoder(), dict[str | int, int]()
    keyed = text[start] == "{"
    at = start + 1
    while text[start] in "{[":
        at = _skip_blank(text, at)
        if text[at] in "}]":
            break
        name: str | int = len(found)
        if keyed:
            name, at = decoder.raw_decode(text, at)
            at = _skip_blank(text, at)
        found[name] = at
        _, at = decoder.raw_decode(text, at)
    return found


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _refuse(problem: str) -> NoReturn:
    raise InvalidPolicyError((problem,))


def _decode_json(text: str) -> object:
    def pairs(found: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in found]
        for name in names:
            if names.count(name) > 1:
                _refuse(f"{name}: is given twice in one object: keep one of them")
        return dict(found)

    try:
        msgspec.json.decode(text)  # stricter than the standard library: no NaN, no half characters
        return json.loads(text, object_pairs_hook=pairs)
    except (msgspec.DecodeError, UnicodeEncodeError, ValueError, RecursionError) as error:
        _refuse(f"the document is not JSON: {_where(text) or error}")


def _where(text: str) -> str:
    """Say by line and column where a text stops being JSON; empty where that is not the mistake."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    except (ValueError, RecursionError):
        return ""
    return ""


_FIELD = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`")
_FIXES: Mapping[str, str] = {
    "mode": f"write one of {', '.join(Mode)}",
    "severity": f"write one of {', '.join(Severity)}",
    "minimum_severity": f"write one of {', '.join(Severity)}",
    "enabled": "write true or false, without quotes",
    "grace_at_launch_minutes": "write minutes, a whole number from 0 to 43200 (30 days)",
    "grace_running_minutes": "write minutes, a whole number from 0 to 43200 (30 days)",
    "transient_minutes": "write minutes, a whole number from 0 to 43200 (30 days)",
    "remind_every_hours": "write hours, a whole number from 1 to 720 (30 days)",
    "termination_protection": f"write one of {', '.join(TerminationProtection)}",
    "unless_reencrypted": "write true or false, without quotes",
    "default_key": "write the ARN of a key (arn:aws:kms:…:key/…), or null",
    "max_objects_per_hour": "write a whole number from 1 to 10000000",
    "reencryption": "write an object",
    "approved_keys": "write a list of key ids, key ARNs, alias names (alias/…) or alias ARNs",
    "log_bucket_owners": (
        'write a list of account ids, twelve digits in quotes each, such as ["111122223333"]'
    ),
    "until": 'write the last day on which it is valid, such as "2026-12-31"',
    "reason": "write the reason in one line of at most 256 characters",
    "approved_by": "write who approved it in one line of at most 256 characters",
    "cluster": 'write which clusters, such as {"id": "j-…"}, {"name": "legacy-*"} or {"tag": {…}}',
    "id": "write a cluster's id, such as j-2AXXXXXXGAPLF",
    "name": "write a name or a pattern such as legacy-*, in one line",
    "tag": 'write tags and their values, such as {"team": "research"}',
    "rules": 'write rule ids, such as ["EMRLOG-002"]; an exemption may use ["*"]',
    "exemptions": "write a list of exemptions",
    "exemptions_max_days": "write days, a whole number from 1 to 3650",
    "enforcement": "write an object",
    "alerts": "write an object",
    "slack": 'write an object, such as {"routes": [...]}',
    "routes": "write a list of routes, each with a webhook_secret_arn",
    "account": "write an account's id, twelve digits in quotes",
    "webhook_secret_arn": (
        f"write the ARN of a secret whose name begins with {WEBHOOK_SECRETS}, "
        "the only ones that the stack may read"
    ),
}


def _explain(message: str, plain: object) -> str:
    """Turn msgspec's message into the path, the problem and the fix."""
    problem, _, place = message.partition(" - at `$")
    path = _path(place.rstrip("`"), plain)
    if field := _FIELD.match(problem):
        place = f"{path}.{field['name']}".lstrip(".")
        if field["what"] == "missing required":
            return f"{place}: is missing; {_fix(place)}"
        return f"{place}: no such field; correct its name, or remove it"
    problem = problem[0].lower() + problem[1:].replace("enum value", "value")
    if "matching regex" in problem or "RFC3339" in problem:
        problem = "has an invalid format"
    return f"{path or 'the document'}: {problem}; {_fix(path)}"


_AN_EXEMPTION: Mapping[str, object] = {
    "cluster": {"id": "j-1"},
    "rules": ["*"],
    "until": "2026-12-31",
    "reason": "valid",
    "approved_by": "valid",
}
_A_ROUTE: Mapping[str, object] = {
    "webhook_secret_arn": "arn:aws:secretsmanager:us-east-1:111122223333:secret:"
    f"{WEBHOOK_SECRETS}valid"
}


def _mistakes(plain: object, today: date) -> tuple[str, ...]:
    """Explain every mistake of a document whose shape is wrong: msgspec stops at the first."""
    found: dict[str, None] = {}
    for piece, path, place in _pieces(plain):
        try:
            document = msgspec.convert(piece, PolicyDocument, strict=True)
            problems = tuple(_problems(document, today))
        except msgspec.ValidationError as error:
            problems = (_explain(str(error), piece),)
        found |= dict.fromkeys(problem.replace(path, place, 1) for problem in problems)
    return tuple(found)


type _Piece = tuple[object, str, str]
"""A document with one field of the whole, that field's path in it, and its path in the whole."""


def _pieces(plain: object) -> Iterator[_Piece]:
    if not isinstance(plain, dict):
        return
    for name, value in plain.items():
        match name, value:
            case "exemptions", list():
                yield from _below(name, _elements(name, value, _AN_EXEMPTION))
            case (("approved_keys" | "log_bucket_owners"), list()):
                yield from _below(name, _elements(name, value, {}))
            case "alerts", {"slack": {"routes": list(routes), **slack}, **rest}:
                yield from _below(name, _fields({**rest, "slack": slack}))
                found = _elements("alerts.slack.routes", routes, _A_ROUTE)
                yield from _below(name, _below("slack", _below("routes", found)))
            case (("enforcement" | "alerts" | "reencryption"), dict()):
                yield from _below(name, _fields(value))
            case "rules", dict():
                yield from _below(name, _rules(value))
            case _:
                yield {name: value}, "", ""


def _below(name: str, pieces: Iterable[_Piece]) -> Iterator[_Piece]:
    yield from (({name: piece}, path, place) for piece, path, place in pieces)


def _fields(value: Mapping[Any, object]) -> Iterator[_Piece]:
    yield from (({field: one}, "", "") for field, one in value.items())


def _rules(value: Mapping[str, object]) -> Iterator[_Piece]:
    for rule_id, settings in value.items():
        if isinstance(settings, dict):
            yield {rule_id: {}}, "", ""
            yield from _below(rule_id, _fields(settings))
        else:
            yield {rule_id: settings}, "", ""


def _elements(path: str, elements: list[Any], valid: Mapping[str, object]) -> Iterator[_Piece]:
    """Take the elements of a list one by one, and each of their fields beside valid ones."""
    for index, element in enumerate(elements):
        place = f"{path}[0]", f"{path}[{index}]"
        if not isinstance(element, dict):
            yield [element], *place
            continue
        for field, one in element.items():
            yield [{**valid, field: one}], *place
        for field in valid:
            if field not in element:
                yield [{name: one for name, one in valid.items() if name != field}], *place


def _fix(path: str) -> str:
    for name in reversed(re.findall(r"[a-z_]+(?=\.|\[|$)", path)):
        if name in _FIXES:
            return _FIXES[name]
    return "see docs/policy.schema.json"


def _path(path: str, plain: object) -> str:
    """Return the path of a field. Where msgspec has `[...]`, find the entry that it means."""
    head, unnamed, tail = path.removeprefix(".").partition("[...]")
    if not unnamed:
        return head
    records = _at(plain, head)
    shape = RuleDocument if head == "rules" else str
    for name, record in records.items() if isinstance(records, dict) else ():
        try:
            msgspec.convert(record, shape, strict=True)
        except msgspec.ValidationError:
            return f"{head}.{name}{tail}"
    return f"{head}{tail}"


def _at(plain: Any, path: str) -> object:  # noqa: ANN401 - any JSON
    for name, index in re.findall(r"([a-z_]+)|\[(\d+)\]", path):
        plain = plain[name] if name else plain[int(index)]
    return plain


def _problems(document: PolicyDocument, today: date) -> Iterator[str]:
    """Find problems that the types cannot express."""
    yield from _unknown("rules", tuple(document.rules), RULE_IDS)
    yield from _unknown("enforcement.rules", document.enforcement.rules, RULE_IDS)
    reencrypted = tuple(sorted(DEFAULT_REENCRYPTED_RULES))
    yield from _unsuitable("reencryption.rules", document.reencryption.rules, reencrypted)
    for place, exemption in enumerate(document.exemptions):
        path = f"exemptions[{place}]"
        yield from _unknown(f"{path}.rules", exemption.rules, ("*", *RULE_IDS))
        cluster = exemption.cluster
        if cluster.id is UNSET and cluster.name is UNSET and cluster.tag is UNSET:
            yield f"{path}.cluster: names no cluster; {_FIXES['cluster']}"
        if isinstance(cluster.tag, dict) and not all(cluster.tag):
            yield f"{path}.cluster.tag: a tag has no name; {_FIXES['tag']}"
        if about_buckets := sorted({rule.id for rule in BUCKET_RULES} & set(exemption.rules)):
            yield (
                f"{path}.rules: {', '.join(about_buckets)} is about log buckets, and exemptions "
                "are for clusters; to turn it off, set its `enabled` to false in `rules`"
            )
    yield from _too_long(document, today)
    yield from _route_problems(document.alerts.slack.routes)


def _too_long(document: PolicyDocument, today: date) -> Iterator[str]:
    """Find the exemptions that end later than the policy allows; time only shortens them."""
    if document.exemptions_max_days is UNSET:
        return
    days = document.exemptions_max_days
    last = today + timedelta(days=days)
    for place, exemption in enumerate(document.exemptions):
        if exemption.until > last:
            yield (
                f"exemptions[{place}].until: {exemption.until} is more than {days} days away, the "
                f"longest that exemptions_max_days allows; write {last} or earlier"
            )


def _route_problems(routes: Sequence[SlackRouteDocument]) -> Iterator[str]:
    for place, route in enumerate(routes):
        path = f"alerts.slack.routes[{place}]"
        if isinstance(route.tag, dict) and not all(route.tag):
            yield f"{path}.tag: a tag has no name; {_FIXES['tag']}"
        if _route(route).for_all and place < len(routes) - 1:
            yield (
                f"{path}: has no condition, so the routes below it are never used; "
                "move it to the end, or give it a tag, an account or a minimum_severity"
            )


def _unsuitable(path: str, named: Sequence[str], possible: Sequence[str]) -> Iterator[str]:
    others = sorted(set(named) - set(possible))
    if others:
        yield (
            f"{path}: {', '.join(map(repr, others))} is no rule about the encryption of a log "
            f"object; possible are {', '.join(possible)}"
        )


def _unknown(path: str, named: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    unknown = sorted(set(named) - set(known))
    if unknown:
        yield (
            f"{path}: this version has no rule {', '.join(map(repr, unknown))}; "
            f"its rules are {', '.join(known)}"
        )


def _policy(document: PolicyDocument, *, allowed: bool, reencryption_allowed: bool) -> Policy:
    enforcement = document.enforcement
    return Policy(
        mode=document.mode,
        approved_keys=document.approved_keys,
        log_bucket_owners=document.log_bucket_owners,
        rules={
            rule_id: RuleSettings(_given(own.enabled), _given(own.severity), _given(own.mode))
            for rule_id, own in document.rules.items()
        },
        enforcement=Enforcement(
            rules=frozenset(enforcement.rules),
            grace_at_launch=timedelta(minutes=enforcement.grace_at_launch_minutes),
            grace_running=timedelta(minutes=enforcement.grace_running_minutes),
            transient=timedelta(minutes=enforcement.transient_minutes),
            termination_protection=enforcement.termination_protection,
            unless_reencrypted=enforcement.unless_reencrypted,
            allowed=allowed,
        ),
        reencryption=Reencryption(
            enabled=document.reencryption.enabled,
            rules=frozenset(document.reencryption.rules),
            default_key=document.reencryption.default_key,
            max_objects_per_hour=document.reencryption.max_objects_per_hour,
            allowed=reencryption_allowed,
        ),
        exemptions=tuple(
            Exemption(
                cluster=ClusterMatch(
                    id=_given(exemption.cluster.id),
                    name=_given(exemption.cluster.name),
                    tag=_given(exemption.cluster.tag),
                ),
                rules=frozenset(exemption.rules),
                until=exemption.until,
                reason=exemption.reason,
                approved_by=exemption.approved_by,
            )
            for exemption in document.exemptions
        ),
        alerts=AlertSettings(
            document.alerts.minimum_severity,
            timedelta(hours=document.alerts.remind_every_hours),
            tuple(_route(route) for route in document.alerts.slack.routes),
        ),
    )


def _route(route: SlackRouteDocument) -> SlackRoute:
    return SlackRoute(
        webhook_secret_arn=route.webhook_secret_arn,
        tag=_given(route.tag),
        account=_given(route.account),
        minimum_severity=_given(route.minimum_severity),
    )


def _given[T](value: T | UnsetType) -> T | None:
    return None if isinstance(value, UnsetType) else value
