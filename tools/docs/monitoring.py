"""The page of what is measured and watched: the dashboard, the metrics, the alarms."""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from itertools import pairwise

from emr_log_guard.observability import Metric
from tools.docs.markdown import code, page, sentence, table
from tools.docs.template import Template

_RUNBOOK = re.compile(r" Runbook: docs/(runbooks/\S+)$")


def monitoring_page(template: Template) -> str:
    """Make the page."""
    return page(
        "Monitoring",
        "How to monitor the guard itself; its findings are in alerts. This page is for the "
        "operator. [Costs](costs.md) lists the price of each.",
        "## Dashboard",
        "The CloudWatch dashboard `<stack>-<Region>`, unless `Dashboard` is `false`, shows the "
        "state of all alarms and these graphs.",
        "\n".join(f"- {sentence(title)}" for title in _graphs(template)),
        "## Metrics",
        "The namespace is `EmrLogGuard/<stack>`; all have the dimension `service` = "
        "`emr-log-guard`. Metrics without a unit are counts.",
        table(
            ("metric", "meaning"),
            ((code(name), sentence(meaning)) for name, meaning in _metrics()),
        ),
        "## Alarms",
        "All notify the topic in output `OperationsTopicArn` when they go into alarm and when they "
        "return to OK, and name their runbook.",
        table(
            ("alarm", "meaning", "exists if", "runbook"),
            (_alarm(name, text, there) for name, text, there in template.alarms),
        ),
    )


def _graphs(template: Template) -> Iterator[str]:
    """Name the graphs. What is filled in by parameters is left out: it makes none."""
    body = json.loads(re.sub(r"\$\{\w+(Row|Alarms)\}", "", template.dashboard_body))
    for widget in body["widgets"]:
        if widget["type"] == "metric":
            yield widget["properties"]["title"]


def _metrics() -> Iterator[tuple[str, str]]:
    """Give each metric's name, and what its docstring says."""
    [body] = [
        node.body
        for node in ast.parse(inspect.getsource(Metric)).body
        if isinstance(node, ast.ClassDef)
    ]
    for statement, after in pairwise([*body, ast.Pass()]):
        if isinstance(statement, ast.Assign):
            [target] = statement.targets
            match target, after:
                case ast.Name(id=name), ast.Expr(value=ast.Constant(value=str(meaning))):
                    yield Metric[name].value, meaning
                case _:
                    message = f"{ast.unparse(statement)} has no docstring"
                    raise ValueError(message)


def _alarm(name: str, description: str, there: str) -> tuple[str, str, str, str]:
    meaning, runbook, _ = _RUNBOOK.split(description)
    return code(name), meaning, there or "always", f"[{runbook.partition('/')[2]}]({runbook})"
