"""Statements of IAM's policy language, evaluated for one principal's use of one key.

The context of the request to KMS is partly known. A condition on a context key that is known, or
known to be absent, is evaluated; one on any other key is UNKNOWN.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from emr_log_guard.domain.arn import Arn

_OPERATOR = re.compile(
    r"((?P<set>ForAllValues|ForAnyValue):)?"
    r"(?P<type>Bool|String(?=Not|Equals|Like)|Arn(?=Not|Equals|Like))"
    r"(?P<negated>Not)?(?P<kind>Equals|Like)?(?P<fold>IgnoreCase)?(?P<optional>IfExists)?"
)
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_FROM_S3 = frozenset({"kms:Decrypt", "kms:GenerateDataKey"})
"""What S3 requests for a principal that reads or writes a log object."""
_PRINCIPAL_TYPES: Mapping[str, str] = {"role": "AssumedRole", "user": "User"}
_S3_ENDPOINTS: Mapping[str, str] = {
    "aws": "s3.{}.amazonaws.com",
    "aws-us-gov": "s3.{}.amazonaws.com",
}
"""What kms:ViaService is for a request that S3 forwards, where AWS documents it."""

Statement = Mapping[str, object]


class Truth(IntEnum):
    """Three values, ordered so that `max` is "any of" and `min` is "all of"."""

    NO = 0
    UNKNOWN = 1
    YES = 2

    @classmethod
    def of(cls, *, holds: bool) -> "Truth":
        """Return YES or NO."""
        return cls.YES if holds else cls.NO

    @property
    def inverse(self) -> "Truth":
        """The value of "not this"."""
        return Truth(Truth.YES - self)

    @property
    def possible(self) -> tuple["Truth", ...]:
        """The known values that this may be."""
        return (Truth.NO, Truth.YES) if self is Truth.UNKNOWN else (self,)


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The request that a policy is evaluated for."""

    principal: str
    """The ARN of a role or user; or any other principal, of which less is known."""
    action: str
    key_arn: str

    @property
    def account(self) -> str:
        """The principal's account, twelve digits; empty when it is unknown."""
        principal = Arn.parse(self.principal)
        return principal.account if principal else ""

    @property
    def context(self) -> Mapping[str, str | None]:
        """The condition keys whose value is known before the request; None is a key that is absent.

        For a log object, S3 forwards the request of its writer or reader to KMS; EMR describes the
        key itself, with the service role.
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
        https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html
        https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
        """
        known: dict[str, str | None] = {"aws:SecureTransport": "true"}
        if self._principal_type:
            known |= {
                "aws:PrincipalArn": self.principal,
                "aws:PrincipalIsAWSService": "false",
                "aws:PrincipalType": self._principal_type,
                "aws:ViaAWSService": "true" if self.action in _FROM_S3 else "false",
            }
        if self.account:
            known |= {"aws:PrincipalAccount": self.account, "kms:CallerAccount": self.account}
        key = Arn.parse(self.key_arn)
        if key:
            known |= {"aws:RequestedRegion": key.region, "aws:ResourceAccount": key.account}
        if self.action not in _FROM_S3:
            known["kms:ViaService"] = None
        elif key and key.partition in _S3_ENDPOINTS:
            known["kms:ViaService"] = _S3_ENDPOINTS[key.partition].format(key.region)
        return known

    @property
    def _principal_type(self) -> str | None:
        principal = Arn.parse(self.principal)
        kind = principal.resource.partition("/")[0] if principal else ""
        return _PRINCIPAL_TYPES.get(kind)


def statements(document: Mapping[str, object]) -> Iterator[Statement]:
    """Return the statements of a policy document."""
    yield from _mappings(document.get("Statement"))


def applies(statement: Statement, use: KeyUse) -> Truth:
    """Return whether a statement matches this use, regardless of its principal."""
    return min(_action(statement, use), _resource(statement, use), _conditions(statement, use))


def why_unknown(owner: str, statement: Statement, use: KeyUse) -> str:
    """Return why a statement of this owner's policy cannot be evaluated."""
    conditions = sorted(key for key, truth in _tested(statement, use) if truth is Truth.UNKNOWN)
    if conditions:
        cause = f"its condition on {', '.join(conditions)}"
    elif _resource(statement, use) is Truth.UNKNOWN:
        cause = "a policy variable in its resource"
    else:
        cause = "its NotPrincipal"
    name = statement.get("Sid") or "without a Sid"
    return (
        f"{owner} {statement.get('Effect')} statement {name} "
        f"cannot be evaluated without the request: {cause}"
    )


def strings(value: object) -> Iterator[str]:
    """Return the strings of an element that is one or a list of them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))


def _action(statement: Statement, use: KeyUse) -> Truth:
    if "NotAction" in statement:
        return _matches(statement["NotAction"], use.action).inverse
    return _matches(statement.get("Action"), use.action)


def _resource(statement: Statement, use: KeyUse) -> Truth:
    if "NotResource" in statement:
        return _matches(statement["NotResource"], use.key_arn).inverse
    return _matches(statement.get("Resource", "*"), use.key_arn)


def _conditions(statement: Statement, use: KeyUse) -> Truth:
    """Evaluate the conditions; all must match."""
    return min((truth for _, truth in _tested(statement, use)), default=Truth.YES)


def _tested(statement: Statement, use: KeyUse) -> Iterator[tuple[str, Truth]]:
    """Return each condition key of a statement, and whether its test matches."""
    context = {name.lower(): value for name, value in use.context.items()}
    for block in _mappings(statement.get("Condition")):
        for operator, tests in block.items():
            for tested in _mappings(tests):
                for key, values in tested.items():
                    name = key.lower()
                    if name not in context:
                        yield key, Truth.UNKNOWN
                    else:
                        yield key, _test(operator, context[name], tuple(_values(values)))


def _test(operator: str, actual: str | None, values: tuple[str, ...]) -> Truth:
    if operator == "Null":
        absent = str(actual is None).lower()
        return Truth.of(holds=any(value.lower() == absent for value in values))
    known = _OPERATOR.fullmatch(operator)
    if known is None:
        return Truth.UNKNOWN
    if actual is None:
        return _test_absent(known)
    if any("${" in value for value in values):
        return Truth.UNKNOWN
    wildcards = known["kind"] == "Like" or known["type"] == "Arn"
    flags = re.IGNORECASE if known["fold"] or known["type"] == "Bool" else re.NOFLAG
    equal = any(
        re.fullmatch(_pattern(value) if wildcards else re.escape(value), actual, flags)
        for value in values
    )
    return Truth.of(holds=equal is not bool(known["negated"]))


def _test_absent(operator: re.Match[str]) -> Truth:
    """Test a condition key that the request does not have.

    AWS does not document ForAnyValue together with IfExists.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
    """
    match operator["set"], bool(operator["optional"]):
        case "ForAnyValue", True:
            return Truth.UNKNOWN
        case "ForAnyValue", False:
            return Truth.NO
        case ("ForAllValues", _) | (_, True):
            return Truth.YES
        case _:
            return Truth.of(holds=bool(operator["negated"]))


def _matches(patterns: object, text: str) -> Truth:
    """Return whether any pattern matches; a policy variable in it may match anything."""
    return max(
        (
            Truth.UNKNOWN if _VARIABLE.search(pattern) else Truth.YES
            for pattern in strings(patterns)
            if re.fullmatch(_pattern(_VARIABLE.sub("*", pattern)), text, re.IGNORECASE)
        ),
        default=Truth.NO,
    )


def _pattern(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def _values(value: object) -> Iterator[str]:
    """Return the values of a condition as text: policies may contain booleans and numbers."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str | int | float):
            yield str(item).lower() if isinstance(item, bool) else str(item)


def _mappings(value: object) -> Iterator[Mapping[str, object]]:
    if isinstance(value, Mapping):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, Mapping))
