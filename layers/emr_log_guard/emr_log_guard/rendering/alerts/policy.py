"""The alerts `policy.invalid` and `policy.changed`, as text and JSON."""

import json
from collections.abc import Iterator, Mapping

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.decide import AlertKind
from emr_log_guard.domain.policy import PolicyChange, PolicyProblem
from emr_log_guard.rendering.alerts.alert_json import SCHEMA, by_protocol
from emr_log_guard.rendering.escape import ascii_line, plain

_LIMIT = 99
_IN_FORCE = (
    "The policy stays in force without this key. In approved_keys it approves none, and whether "
    "others are approved may be undetermined; as default_key, no log is re-encrypted with it."
)
_NEXT = (
    "The last valid policy is used to evaluate and to alert, and nothing is terminated. "
    "Without one, every rule is enabled, and exemptions and approved keys are unknown."
)


def policy_subject(problem: PolicyProblem) -> str:
    """Write the headline: one line of printable ASCII."""
    if problem.in_force:
        return ascii_line("EMR Log Guard: the policy names a key that cannot be used", _LIMIT)
    problem_text = "cannot be read" if problem.version is None else "is invalid"
    return ascii_line(
        f"EMR Log Guard: the policy {problem_text}, nothing will be terminated", _LIMIT
    )


def policy_next(problem: PolicyProblem) -> str:
    """Say what the guard does until it is fixed."""
    return _IN_FORCE if problem.in_force else _NEXT


def policy_fix(problem: PolicyProblem) -> tuple[str, ...]:
    """Write the commands that fix it."""
    if problem.version is None:
        return (
            "# Let the guard's functions read the parameter. If it was deleted, deploy the",
            "# stack again, or write it:",
            "emr-log-guard policy set FILE",
        )
    return (
        "emr-log-guard policy show > policy.json",
        "# Correct what is wrong in policy.json, then:",
        f"emr-log-guard policy validate{' --resolve' if problem.in_force else ''} policy.json",
        "emr-log-guard policy set policy.json",
    )


def policy_text(problem: PolicyProblem, place: Mapping[str, str]) -> str:
    """Write the whole alert as plain text."""
    unreadable = problem.version is None
    resolve = " --resolve" if problem.in_force else ""
    fix = (
        "Let the guard's functions read the parameter; if it was deleted, deploy the stack "
        "again or write it with `emr-log-guard policy set FILE`."
        if unreadable
        else "Correct it: `emr-log-guard policy show > policy.json`, edit, "
        f"`emr-log-guard policy validate{resolve} policy.json`, "
        "`emr-log-guard policy set policy.json`."
    )
    version = "" if unreadable else f", version {problem.version}"
    return "\n".join(
        [
            policy_subject(problem),
            f"Account {place['account']}, {place['region']}. {policy_next(problem)}",
            "",
            f"Parameter    {plain(problem.parameter)}{version}",
            *(f"Problem      {plain(one)}" for one in problem.problems),
            f"Fix          {fix}",
            "",
        ]
    )


def policy_messages(problem: PolicyProblem, place: Mapping[str, str]) -> str:
    """Write the message of `MessageStructure=json`, of an account and Region."""
    text = policy_text(problem, place)
    machine = json.dumps(
        {
            "schema": SCHEMA,
            "kind": AlertKind.POLICY_INVALID,
            "subject": policy_subject(problem),
            "text": text,
            **place,
            "cluster_id": None,
            "cluster_name": None,
            "cluster_arn": None,
            "parameter": problem.parameter,
            "version": problem.version,
            "problems": list(problem.problems),
            "in_force": problem.in_force,
            "findings": [],
        },
        ensure_ascii=False,
    )
    return by_protocol(text, machine)


def change_subject(change: PolicyChange) -> str:
    """Write the headline: one line of printable ASCII."""
    if change.version is None:
        return ascii_line("EMR Log Guard: the policy was deleted", _LIMIT)
    arn = Arn.parse(change.changed_by or "")
    who = f" by {arn.resource}" if arn else ""
    return ascii_line(f"EMR Log Guard: policy version {change.version} was stored{who}", _LIMIT)


def change_text(change: PolicyChange, place: Mapping[str, str]) -> str:
    """Write the whole alert as plain text."""
    return "\n".join(_change_lines(change, place)) + "\n"


def _change_lines(change: PolicyChange, place: Mapping[str, str]) -> Iterator[str]:
    deleted = change.version is None
    at = f" {change.changed_at:%Y-%m-%d %H:%M} UTC" if change.changed_at else ""
    what = "Deleted" if deleted else "Stored"
    now = _NEXT if deleted else "It takes effect within 60 seconds, if it is valid."
    yield change_subject(change)
    yield f"Account {place['account']}, {place['region']}. {what}{at}. {now}"
    yield ""
    yield f"Parameter    {plain(change.parameter)}"
    yield f"Changed by   {plain(change.changed_by or 'unknown: AWS CloudTrail names the caller')}"
    if deleted:
        return
    if change.version != 1:
        name = plain(f"{change.parameter}:{(change.version or 0) - 1}")
        yield (
            f"To undo      aws ssm get-parameter --region {place['region']} --name {name} "
            "--query Parameter.Value --output text > policy.json"
        )
        yield "             emr-log-guard policy set policy.json"
    yield ""
    yield "Changes"
    yield from (f"  {plain(line)}" for line in change.changes)


def change_messages(change: PolicyChange, stack: str, place: Mapping[str, str]) -> str:
    """Write the message of `MessageStructure=json`, of an account and Region.

    A stored policy has at most 8 KB: its changes are never too long for SNS.
    """
    text = change_text(change, place)
    machine = json.dumps(
        {
            "schema": SCHEMA,
            "id": change.id,
            "kind": AlertKind.POLICY_CHANGED,
            "subject": change_subject(change),
            "text": text,
            "stack": stack,
            **place,
            "cluster_id": None,
            "cluster_name": None,
            "cluster_arn": None,
            "parameter": change.parameter,
            "version": change.version,
            "changed_at": change.changed_at.isoformat() if change.changed_at else None,
            "changed_by": change.changed_by,
            "changes": list(change.changes),
            "findings": [],
        },
        ensure_ascii=False,
    )
    return by_protocol(text, machine)
