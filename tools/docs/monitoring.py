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
        "Whether the guard does what it should. What it finds is told by alerts; these are for who "
        "runs it. [What it costs](costs.md) counts each.",
        "## Dashboard",
        "CloudWatch dashboard `<stack>-<Region>`, unless `Dashboard` is `false`: beside the state "
        "of all alarms it has these graphs.",
        "\n".join(f"- {sentence(title)}" for title in _graphs(template)),
        "## Metrics",
        "In namespace `EmrLogGuard/<stack>`, all with dimension `service` = `emr-log-guard`. "
        "Numbers, where nothing else is said.",
        table(
            ("metric", "what it measures"),
            ((code(name), sentence(meaning)) for name, meaning in _metrics()),
        ),
        "## Alarms",
        "All tell the topic in output `OperationsTopicArn` when they are raised and when it is "
        "over, and name their runbook.",
        table(
            ("alarm", "means", "only if", "runbook"),
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
