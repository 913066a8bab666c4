"""Reading a key policy for one role and one action, as far as a reader can decide it.

https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from emr_log_guard.domain.arn import Arn

_OPERATOR = re.compile(
    r"(?P<type>Bool|String(?=Not|Equals|Like)|Arn(?=Not|Equals|Like))"
    r"(?P<negated>Not)?(?P<kind>Equals|Like)?(?P<fold>IgnoreCase)?(IfExists)?"
)


class Truth(IntEnum):
    """Three values, ordered so that `max` is "any of" and `min` is "all of"."""

    NO = 0
    UNDECIDED = 1
    YES = 2


@dataclass(frozen=True, slots=True)
class KeyPolicyVerdict:
    """What a key policy says to one role about one action."""

    allows: Truth
    """It grants the action to the role itself."""
    delegates: Truth
    """It leaves the action to the identity policies of the role's account."""
    denies: Truth
    doubt: str = ""
    """Why something stayed undecided: the elements that no reader can evaluate."""


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The question that is put to a key policy."""

    role_arn: str
    action: str
    key_arn: str

    @property
    def account(self) -> str:
        """The role's account, twelve digits."""
        role = Arn.parse(self.role_arn)
        return role.account if role else ""

    @property
    def context(self) -> Mapping[str, str]:
        """The condition keys whose value is known without the request, lower-cased names."""
        return {
            "kms:calleraccount": self.account,
            "aws:principalaccount": self.account,
            "aws:principalarn": self.role_arn,
            "aws:principaltype": "AssumedRole",
            "aws:securetransport": "true",
        }


def evaluate_key_policy(document: Mapping[str, object], use: KeyUse) -> KeyPolicyVerdict:
    """Weigh every statement of a key policy. What cannot be decided stays UNDECIDED."""
    allows = delegates = denies = Truth.NO
    doubts: list[str] = []
    for statement in _mappings(document.get("Statement")):
        applies = min(_action(statement, use), _resource(statement, use))
        applies = min(applies, _conditions(statement, use))
        direct, through_account = _principal(statement, use)
        direct, through_account = min(applies, direct), min(applies, through_account)
        if statement.get("Effect") == "Deny":
            denies = max(denies, direct, through_account)
        elif statement.get("Effect") == "Allow":
            allows, delegates = max(allows, direct), max(delegates, through_account)
        if Truth.UNDECIDED in (direct, through_account):
            doubts.append(_doubt(statement, use))
    return KeyPolicyVerdict(allows, delegates, denies, "; ".join(doubts))


def _doubt(statement: Mapping[str, object], use: KeyUse) -> str:
    conditions = sorted(key for key, truth in _tested(statement, use) if truth is Truth.UNDECIDED)
    told_by = f"its condition on {', '.join(conditions)}" if conditions else "its NotPrincipal"
    name = statement.get("Sid") or "without a Sid"
    return (
        f"the key policy's {statement.get('Effect')} statement {name} "
        f"cannot be decided from outside a request: {told_by}"
    )


def _truth(*, holds: bool) -> Truth:
    return Truth.YES if holds else Truth.NO


def _action(statement: Mapping[str, object], use: KeyUse) -> Truth:
    if "NotAction" in statement:
        return _truth(holds=not _matches(statement["NotAction"], use.action))
    return _truth(holds=_matches(statement.get("Action"), use.action))


def _resource(statement: Mapping[str, object], use: KeyUse) -> Truth:
    if "NotResource" in statement:
        return _truth(holds=not _matches(statement["NotResource"], use.key_arn))
    return _truth(holds=_matches(statement.get("Resource", "*"), use.key_arn))


def _principal(statement: Mapping[str, object], use: KeyUse) -> tuple[Truth, Truth]:
    """Say whether the statement speaks to the role itself, and whether to its account."""
    if "NotPrincipal" in statement:
        return Truth.UNDECIDED, Truth.NO
    principal = statement.get("Principal")
    named = (
        set(_strings(principal.get("AWS")))
        if isinstance(principal, Mapping)
        else set(_strings(principal))
    )
    account_root = {use.account, f"{_iam_prefix(use)}:root"}
    return (
        _truth(holds=bool(named & {"*", use.role_arn})),
        _truth(holds=bool(named & account_root)),
    )


def _iam_prefix(use: KeyUse) -> str:
    return use.role_arn.partition(":role/")[0]


def _conditions(statement: Mapping[str, object], use: KeyUse) -> Truth:
    """Decide the tests whose condition key is known; all must hold."""
    return min((truth for _, truth in _tested(statement, use)), default=Truth.YES)


def _tested(statement: Mapping[str, object], use: KeyUse) -> Iterator[tuple[str, Truth]]:
    """Give each condition key that a statement tests, and whether the test holds."""
    for block in _mappings(statement.get("Condition")):
        for operator, tests in block.items():
            for tested in _mappings(tests):
                for key, values in tested.items():
                    yield key, _test(operator, use.context.get(key.lower()), tuple(_values(values)))


def _test(operator: str, actual: str | None, values: tuple[str, ...]) -> Truth:
    known = _OPERATOR.fullmatch(operator)
    if actual is None or known is None or any("${" in value for value in values):
        return Truth.UNDECIDED
    wildcards = known["kind"] == "Like" or known["type"] == "Arn"
    flags = re.IGNORECASE if known["fold"] or known["type"] == "Bool" else re.NOFLAG
    equal = any(
        re.fullmatch(_pattern(value) if wildcards else re.escape(value), actual, flags)
        for value in values
    )
    return _truth(holds=equal is not bool(known["negated"]))


def _matches(patterns: object, text: str) -> bool:
    return any(
        re.fullmatch(_pattern(pattern), text, re.IGNORECASE) for pattern in _strings(patterns)
    )


def _pattern(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))


def _values(value: object) -> Iterator[str]:
    """Give the values of a condition as text: policies may hold bare booleans and numbers."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str | int | float):
            yield str(item).lower() if isinstance(item, bool) else str(item)


def _mappings(value: object) -> Iterator[Mapping[str, object]]:
    if isinstance(value, Mapping):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, Mapping))
