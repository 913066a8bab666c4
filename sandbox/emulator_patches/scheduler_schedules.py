"""EventBridge Scheduler checks permissions, and schedules fire on time. Upstream: yes.

MiniStack authorizes every schedule as if it were in the group `default`, does not check
iam:PassRole, polls every ten seconds, and delivers even what the schedule's role may not.

A one-time expression is `at(yyyy-mm-ddThh:mm:ss)`: AWS refuses a time zone, such as `Z`, and
fractions of seconds. AWS accepts a time in the past (a LocalStack test that was recorded against
AWS shows this), but does not document whether such a schedule ever fires: here it never does, so
that nothing depends on it. AWS fires within 60 seconds after the time.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#one-time
https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridgescheduler.html
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from sandbox.emulator_patches.hooks import (
    Response,
    account_and_region,
    allowed,
    part,
    replace,
    wrap,
)
from sandbox.emulator_patches.iam_simulation import principal

TICK_SECONDS = 0.5
SCHEDULE = re.compile(r"/schedules/([^/]+)/?")
ONE_TIME = re.compile(r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)")
NEEDED = {
    "events": "events:PutEvents",
    "lambda": "lambda:InvokeFunction",
    "sns": "sns:Publish",
    "sqs": "sqs:SendMessage",
    "states": "states:StartExecution",
}
"""The action that a schedule's role must be allowed, by the service of its target."""


def group(body: bytes, query: Mapping[str, Any]) -> str:
    """The schedule group that a request names, in its body or its query."""
    said = query.get("groupName") or json.loads(body or b"{}").get("GroupName") or "default"
    name: str = said[0] if isinstance(said, list) else said
    return name


def naming(extract: Callable[..., str]) -> Callable[..., str]:
    """Include the group in the schedule's ARN before the policies are evaluated."""

    def extract_resource_arn(
        service: str,
        *request: Any,  # noqa: ANN401 - passed on
    ) -> str:
        if service == "scheduler":
            _, path, _, body, query, region, account = request
            if schedule := SCHEDULE.fullmatch(path):
                name = f"{group(body, query)}/{schedule[1]}"
                return f"arn:aws:scheduler:{region}:{account}:schedule/{name}"
        return extract(service, *request)

    return extract_resource_arn


def refusal(headers: dict[str, str], schedule: Mapping[str, Any]) -> tuple[int, str, str] | None:
    """The status, code and message for a schedule that AWS refuses to create, or None."""
    role = schedule.get("Target", {}).get("RoleArn", "")
    passed = {"iam:passedtoservice": "scheduler.amazonaws.com"}
    if not allowed(headers, "iam:PassRole", role, context=passed):
        message = f"The caller is not authorized to perform: iam:PassRole on resource: {role}"
        return HTTPStatus.FORBIDDEN, "AccessDeniedException", message
    if not trusts_scheduler(role):
        message = (
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the "
            "role."
        )
        return HTTPStatus.BAD_REQUEST, "ValidationException", message
    expression = schedule.get("ScheduleExpression", "")
    if expression.startswith("at(") and not one_time(expression):
        message = f"Invalid Schedule Expression {expression}."
        return HTTPStatus.BAD_REQUEST, "ValidationException", message
    return None


def trusts_scheduler(role: str) -> bool:
    """Whether the role exists and EventBridge Scheduler may assume it."""
    record = part("services.iam", "_roles").get(role.rpartition("/")[2])
    if record is None or record["Arn"] != role:
        return False
    trust = record["AssumeRolePolicyDocument"]
    document = json.loads(trust) if isinstance(trust, str) else trust
    statements = document["Statement"]
    names = part("core.iam_evaluator", "_service_principal_matches")
    return any(
        each["Effect"] == "Allow" and names(each.get("Principal"), "scheduler.amazonaws.com")
        for each in (statements if isinstance(statements, list) else [statements])
    )


def one_time(expression: str) -> float | None:
    """The time of a one-time expression in UTC, or None if AWS does not accept the expression."""
    if not ONE_TIME.fullmatch(expression):
        return None
    moment: float | None = part("services.scheduler", "_at_time_epoch")(expression)
    return moment


def asked_at(headers: Mapping[str, str]) -> float:
    """When a request was signed, in UTC: a time that was in the future then may still fire.

    The request may have waited here since.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    signed = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%S%z")
    return signed.timestamp()


def checking(handle: Callable[..., Any]) -> Callable[..., Any]:
    """Require iam:PassRole, and never fire a schedule whose time is in the past."""

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Response:
        named = SCHEDULE.fullmatch(path) if method in ("POST", "PUT") else None
        if named is None:
            answered: Response = await handle(method, path, headers, body, query)
            return answered
        schedule = json.loads(body)
        if (refused := refusal(headers, schedule)) is not None:
            error: Response = part("services.scheduler", "_error")(*refused)
            return error
        response: Response = await handle(method, path, headers, body, query)
        if response[0] == HTTPStatus.OK:
            fired = part("services.scheduler", "_schedule_last_fired")
            key = (*account_and_region(), f"{group(body, query)}/{named[1]}")
            # Forget the firing of an earlier schedule of this name, or of this one before the
            # update.
            fired.pop(key, None)
            moment = one_time(schedule["ScheduleExpression"])
            if moment is not None and moment <= asked_at(headers):
                fired[key] = moment
        return response

    return handle_request


def with_role(invoke: Callable[..., None]) -> Callable[..., None]:
    """Deliver only what the schedule's own role may deliver."""

    def invoke_target(
        target: dict[str, Any],
        event: dict[str, Any],
        rule: dict[str, Any],
        *rest: Any,  # noqa: ANN401 - passed on
    ) -> None:
        if "FlexibleTimeWindow" in rule:  # a schedule, not an EventBridge rule
            role = principal(target["RoleArn"], {})
            action = NEEDED[target["Arn"].split(":")[2]]
            if role is None or role.decision(action, target["Arn"]) != "allowed":
                return
        invoke(target, event, rule, *rest)

    return invoke_target


def install() -> None:
    """Patch the handling of schedules."""
    wrap("core.iam_actions", "extract_resource_arn", naming)
    wrap("services.scheduler", "handle_request", checking)
    wrap("services.eventbridge", "_invoke_target", with_role)
    replace("services.scheduler", "_SCHEDULE_TICK_INTERVAL", lambda _: TICK_SECONDS)
