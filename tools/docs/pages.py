"""Which pages are made from the code, and by what."""

from collections.abc import Callable, Mapping
from pathlib import Path

from emr_log_guard.policy_document import policy_schema, pretty
from tools.docs.command import command_page
from tools.docs.configuration import configuration_page
from tools.docs.monitoring import monitoring_page
from tools.docs.rules import rules_page
from tools.docs.template import Template

ROOT = Path(__file__).resolve().parents[2]
PAGES: Mapping[str, Callable[[], str]] = {
    "docs/rules.md": rules_page,
    "docs/configuration.md": lambda: configuration_page(_template()),
    "docs/monitoring.md": lambda: monitoring_page(_template()),
    "docs/cli.md": command_page,
    "docs/policy.schema.json": lambda: pretty(policy_schema()),
}
"""By their path in the repository."""


def _template() -> Template:
    return Template.read(ROOT / "template.yaml")
