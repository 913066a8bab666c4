"""The page of the rules."""

import re
from collections.abc import Iterator
from typing import Any

from emr_log_guard.domain.compliance import Severity
from emr_log_guard.domain.policy import DEFAULT_ENFORCED_RULES
from emr_log_guard.rules import ALL_RULES
from emr_log_guard.rules.rule import Rule
from tools.docs.markdown import page, table

_HEAD = """\
What the guard and `emr-log-guard audit` check. A result is `COMPLIANT`, `NON_COMPLIANT`,
`NOT_APPLICABLE` (a precondition of the rule is missing, which another rule reports) or
`INSUFFICIENT_DATA` (a fact could not be read: it alerts, but never terminates a cluster). The
[policy](configuration.md#policy) can enable or disable a rule, change its severity, and give it a
weaker mode."""
_TERMINATES = """\
**Terminates** says what `enforce` mode does in a stack with `EnforcementAllowed=true`: a finding
terminates its cluster if its severity, the rule's own or the policy's, is HIGH or above, and
`enforcement.rules` lists its rule."""
_URL = re.compile(r"https://\S+[^\s.]")


def rules_page() -> str:
    """Describe every rule: in a table, then one by one."""
    glance = table(
        ("id", "name", "severity", "default", "non-compliant when", "terminates"),
        (
            (
                f"[{rule.id}](#{rule.id.lower()}-{rule.name})",
                rule.name,
                rule.severity,
                _default(rule),
                rule.violation,
                _terminates(rule),
            )
            for rule in ALL_RULES
        ),
    )
    return page("Rules", _HEAD, _TERMINATES, glance, *map(_section, ALL_RULES))


def _section(rule: Rule[Any]) -> str:
    return f"## {rule.id} {rule.name}\n\n" + "\n".join(_lines(rule))


def _lines(rule: Rule[Any]) -> Iterator[str]:
    yield f"- **Non-compliant when** {rule.violation}."
    yield f"- **Applies** {f'when {rule.precondition}' if rule.precondition else 'always'}."
    yield f"- **Why**: {rule.why}"
    yield f"- **Fix**: {_first_line(rule.remediation.__doc__)}"
    runbook = f"[runbook](runbooks/{rule.id}.md)"
    links = [f"<{url}>" for url in _URL.findall(rule.check.__doc__ or "")]
    yield f"- **More**: {', '.join([runbook, *links])}"


def _default(rule: Rule[Any]) -> str:
    if not rule.enabled:
        return "off"
    return "on, in the deployed stack only" if rule.deployed_only else "on"


def _terminates(rule: Rule[Any]) -> str:
    if rule.id in DEFAULT_ENFORCED_RULES:
        return "by default"
    if rule.severity.rank >= Severity.HIGH.rank:
        return "if listed"
    return "no"


def _first_line(docstring: str | None) -> str:
    return (docstring or "").partition("\n")[0]
