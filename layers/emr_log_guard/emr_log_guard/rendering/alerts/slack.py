"""An alert as a Slack message in blocks, within Slack's limits.

User-controlled text is only in plain_text and rich_text, which Slack shows literally: it cannot
mention anyone, link or format. mrkdwn holds only the guard's own text.
docs/adr/0014-what-chat-shows.md
https://docs.slack.dev/reference/block-kit/blocks
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from emr_log_guard.domain.decide import Alert, NextStep
from emr_log_guard.domain.findings import Finding
from emr_log_guard.domain.policy import PolicyProblem
from emr_log_guard.domain.published_alert import PublishedAlert
from emr_log_guard.rendering.alerts.chat import (
    below_headline,
    evidence_of,
    exemptible,
    first_seen,
    past,
    rule_ids,
    shortened,
    sign,
    verdict,
)
from emr_log_guard.rendering.alerts.policy import policy_fix, policy_next
from emr_log_guard.rendering.alerts.text import (
    WHY,
    cluster_id,
    console_link,
    deadline_of,
    exempt_command,
    fix_of,
    found,
    launched_by,
    next_step_reason,
    next_step_text,
    summary_of,
)
from emr_log_guard.rendering.escape import plain, slack

_BLOCKS = 50
_HEADER = 150
_TEXT = 3_000
_MESSAGE = 12_000
"""Characters of all blocks. Slack documents no limit; it accepts this much."""
_NAME = 300
_SUMMARY = 1_000
_EVIDENCE = 1_500
_FIX = 2_900
_WHEN: Final = "\x00"
"""Stands for the deadline in a text."""
_DIVIDER: Final = {"type": "divider"}
_TOO_LONG = "# Too long for Slack. To see it, run: emr-log-guard explain {cluster}"

type Block = dict[str, Any]
type RichText = dict[str, Any]
"""An element of a block of rich text: a line, or text as a command."""
type Inline = dict[str, Any]
"""A part of a line."""


def slack_message(published: PublishedAlert) -> dict[str, Any]:
    """Write the body that an incoming webhook takes; `text` is for notifications."""
    return _body(published) | {"blocks": _fitting(published)}


def slack_text(published: PublishedAlert) -> dict[str, Any]:
    """Write the same without blocks, in case Slack rejects them."""
    text = f"{plain(published.subject)}\n{below_headline(published, _MESSAGE)}"
    return _body(published) | {"text": slack(text)}


def _body(published: PublishedAlert) -> dict[str, Any]:
    subject = shortened(f"{sign(published)} {plain(published.subject)}", _TEXT)
    return {
        "text": slack(subject),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _fitting(published: PublishedAlert) -> list[Block]:
    """Keep the groups of blocks that fit, in their order, and count the findings left out."""
    first, *others = _groups(published)
    last = list(_last(published))
    kept, room = list(first), _MESSAGE - _size(first) - _size(last)
    for place, group in enumerate(others):
        # One block stays free, for what is left out.
        if len(kept) + len(group) + len(last) >= _BLOCKS or _size(group) > room:
            kept.append(_left_out(published, place))
            break
        kept += group
        room -= _size(group)
    return [*kept, *last]


def _groups(published: PublishedAlert) -> Iterator[list[Block]]:
    """Write what always fits, then a group for each finding."""
    header = f"{sign(published)} {plain(published.subject)}"
    yield [
        {"type": "header", "text": _plain_text(header[:_HEADER])},
        *_top(published),
    ]
    if isinstance(published.about, Alert):
        for place, finding in enumerate(published.about.findings):
            above = published.about.findings[:place]
            yield [_DIVIDER, _rich_text(*_finding(published.about, finding, above))]


def _top(published: PublishedAlert) -> Iterator[Block]:
    match published.about:
        case Alert() as alert:
            yield from _about_cluster(alert, published)
        case PolicyProblem() as problem:
            yield from _about_policy(problem, published)
        case _:
            yield _rich_text(_code(below_headline(published, _FIX)))


def _about_cluster(alert: Alert, published: PublishedAlert) -> Iterator[Block]:
    yield _section([list(_second_line(alert, published))])
    name = shortened(alert.bucket or alert.cluster_name or "", _NAME).strip()
    label = "Bucket  " if alert.bucket else "Cluster  "
    lines = [[_bold(label), _link(console_link(alert), name or cluster_id(alert))]]
    if name and not alert.bucket:
        lines[0].append(_text(f" ({cluster_id(alert)})"))
    if who := launched_by(alert):
        lines.append([_bold("Launched by  "), _text(shortened(who, _NAME))])
    if alert.detail:
        lines.append([_bold("Detail  "), _text(shortened(alert.detail, _SUMMARY))])
    for expired in alert.expired_exemptions[:3]:
        rules = ", ".join(sorted(expired.rules))
        text = f"expired on {expired.until}, for {rules}: {expired.reason}"
        by = f" (approved by {expired.approved_by})"
        lines.append([_bold("Exemption  "), _text(shortened(text, _NAME) + shortened(by, _NAME))])
    if reason := next_step_reason(alert):
        lines.append([_bold("Note  "), _text(reason)])
    yield _section(lines)


def _second_line(alert: Alert, published: PublishedAlert) -> Iterator[Inline]:
    """Say where, since when, and what happens next."""
    yield _text(f"Account {_place(published)}. ")
    if known := found(alert):
        yield _text(f"{shortened(known[0], _NAME)} ")
        yield _date(known[1])
        yield _text(". ")
    deadline = deadline_of(alert)
    # The deadline is a date of its own, which Slack shows in the reader's time zone.
    before, placeholder, after = next_step_text(alert, _WHEN if deadline else "once").partition(
        _WHEN
    )
    yield _bold(before)
    if deadline and placeholder:
        yield _date(deadline) | {"style": {"bold": True}}
        yield _bold(after)


def _about_policy(problem: PolicyProblem, published: PublishedAlert) -> Iterator[Block]:
    version = "" if problem.version is None else f", version {problem.version}"
    shown, left = problem.problems[:10], len(problem.problems[10:])
    yield _section([[_text(f"Account {_place(published)}. "), _bold(policy_next(problem))]])
    yield _section(
        [[_bold("Parameter  "), _text(f"{shortened(problem.parameter, _NAME)}{version}")]]
    )
    lines = [shortened(each, _NAME) for each in shown] + ([f"and {left} more"] if left else [])
    yield _rich_text(_line([_bold("Problem")]), _code("\n".join(lines)[:_TEXT]))
    yield _rich_text(_line([_bold("Fix")]), _code("\n".join(policy_fix(problem))))


def _finding(alert: Alert, finding: Finding, above: Iterable[Finding]) -> Iterator[RichText]:
    title = f"{verdict(alert, finding)}  {finding.rule_id} {finding.rule_name}"
    over = past(alert, finding)
    summary = shortened(summary_of(finding), _SUMMARY)
    yield _line(
        [
            _bold(title),
            _text(f"\nIt was: {summary}" if over else f"\n{summary}"),
            *([] if over else [_italic(f"\n{WHY.get(finding.rule_id, '')}")]),
        ]
    )
    if not over:
        yield from _evidence_and_fix(finding, above)
    yield _line(list(_foot(finding, over=over)))


def _evidence_and_fix(finding: Finding, above: Iterable[Finding]) -> Iterator[RichText]:
    fix = plain(fix_of(finding), keep="\n")
    if len(fix) > _FIX:
        fix = _TOO_LONG.format(cluster=finding.cluster_id)
    evidence = evidence_of(finding, _EVIDENCE)
    for label, code, same in (
        ("Evidence", evidence, [each for each in above if each.evidence == finding.evidence]),
        ("Fix", fix, [each for each in above if fix_of(each) == fix_of(finding)]),
    ):
        if code and same:
            yield _line([_bold(label), _text(f"  as for {same[0].rule_id}")])
        elif code:
            yield _line([_bold(label)])
            yield _code(code)


def _foot(finding: Finding, *, over: bool) -> Iterator[Inline]:
    if finding.runbook.startswith("https://") and len(finding.runbook) <= _TEXT:
        yield _link(plain(finding.runbook), "Runbook")
    else:
        yield _text(f"Runbook: {shortened(finding.runbook, _NAME)}")
    yield _text("  ·  first seen ")
    yield _date(finding.first_seen)
    if finding.occurrences > 1 and not over:
        yield _text(f"  ·  {finding.occurrences:,} times")


def _left_out(published: PublishedAlert, shown: int) -> Block:
    assert isinstance(published.about, Alert)  # noqa: S101 - nothing else has more than one group
    left = published.about.findings[shown:]
    command = f"emr-log-guard explain {cluster_id(published.about)}"
    which = shortened(rule_ids(left), _NAME)
    text = f"Not shown: {len(left)} more ({which}). To see all: {command}"
    return {"type": "context", "elements": [_plain_text(text)]}


def _last(published: PublishedAlert) -> Iterator[Block]:
    """Say how to exempt, and point to the first message: incoming webhooks cannot thread."""
    if not isinstance(published.about, Alert):
        return
    if findings := exemptible(published.about):
        scheduled = published.about.next_step is NextStep.TERMINATION_SCHEDULED
        stop = " (to stop every termination, set the policy's mode to alert)" if scheduled else ""
        how = _line([_bold("To exempt it"), _text(f", with a reason and an expiry date{stop}:")])
        command = _code(exempt_command(published.about, findings))
        yield _DIVIDER
        yield _rich_text(how, command)
    since = first_seen(published.about)
    if since is not None:
        text = (
            f"Follows up on what was first seen {_local(since)}. To find the first message, "
            f"search for {slack(plain(cluster_id(published.about)))}."
        )
        yield {"type": "context", "elements": [_mrkdwn(text)]}


def _place(published: PublishedAlert) -> str:
    return shortened(f"{published.account or 'unknown'}, {published.region or 'unknown'}", _NAME)


def _local(when: datetime) -> str:
    """Write a time so that Slack shows it in the reader's time zone.

    https://docs.slack.dev/messaging/formatting-message-text#date-formatting
    """
    fallback = f"{when:%Y-%m-%d %H:%M:%S} UTC"
    return f"<!date^{int(when.timestamp())}^{{date_short_pretty}} {{time}}|{fallback}>"


def _section(lines: Iterable[list[Inline]]) -> Block:
    """Write lines below each other."""
    first, *others = lines
    inline = first + [each for line in others for each in [_text("\n"), *line]]
    return _rich_text(_line(inline))


def _rich_text(*elements: RichText) -> Block:
    return {"type": "rich_text", "elements": list(elements)}


def _line(inline: list[Inline]) -> RichText:
    # Slack refuses a part without text.
    return {
        "type": "rich_text_section",
        "elements": [part for part in inline if part.get("text") != ""],
    }


def _code(text: str) -> RichText:
    return {"type": "rich_text_preformatted", "elements": [_text(text or "(blank)")]}


def _text(text: str) -> Inline:
    return {"type": "text", "text": text}


def _date(moment: datetime) -> Inline:
    """Write a moment, which Slack shows in the reader's time zone."""
    return {
        "type": "date",
        "timestamp": int(moment.timestamp()),
        "format": "{date_short_pretty} {time}",
        "fallback": f"{moment:%Y-%m-%d %H:%M} UTC",
    }


def _bold(text: str) -> Inline:
    return _text(text) | {"style": {"bold": True}}


def _italic(text: str) -> Inline:
    return _text(text) | {"style": {"italic": True}}


def _link(url: str, text: str) -> Inline:
    return {"type": "link", "url": url, "text": text}


def _plain_text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _size(blocks: Iterable[Block]) -> int:
    return sum(map(_length, blocks))


def _length(value: object) -> int:
    """Count the characters of all texts and field names: an upper bound."""
    match value:
        case dict():
            return sum(len(name) + _length(each) for name, each in value.items())
        case list():
            return sum(map(_length, value))
        case str():
            return len(value)
        case _:
            return 0
