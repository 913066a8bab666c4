"""The alert `policy.invalid`, as text and JSON."""

import json
from collections.abc import Mapping

from emr_log_guard.domain.decide import AlertKind
from emr_log_guard.domain.policy import PolicyProblem
from emr_log_guard.rendering.alerts.alert_json import MACHINES, SCHEMA
from emr_log_guard.rendering.escape import ascii_line, plain

_LIMIT = 99
_IN_FORCE = (
    "The policy stays in force, and this entry approves no key. Whether other keys are approved "
    "may be undetermined until it is corrected."
)
_NEXT = (
    "The last valid policy is used to evaluate and to alert, and nothing is terminated. "
    "Without one, every rule is enabled, and exemptions and approved keys are unknown."
)


def policy_subject(problem: PolicyProblem) -> str:
    """Write the headline: one line of printable ASCII."""
    if problem.in_force:
        return ascii_line("EMR Log Guard: an approved key of the policy does not exist", _LIMIT)
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
    return json.dumps(
        {"default": text, "email": text, **dict.fromkeys(MACHINES, machine)}, ensure_ascii=False
    )
