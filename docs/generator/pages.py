"""Which pages are made from the code, and by what."""

from collections.abc import Callable, Mapping
from pathlib import Path

from docs.generator.command import command_page
from docs.generator.configuration import configuration_page
from docs.generator.monitoring import monitoring_page
from docs.generator.rules import rules_page
from docs.generator.template import Template
from emr_log_guard.policy_document import policy_schema, pretty

ROOT = Path(__file__).resolve().parents[2]
PAGES: Mapping[str, Callable[[], str]] = {
    "docs/rules.md": lambda: rules_page(_template()),
    "docs/configuration.md": lambda: configuration_page(_template()),
    "docs/monitoring.md": lambda: monitoring_page(_template()),
    "docs/cli.md": command_page,
    "docs/policy.schema.json": lambda: pretty(policy_schema()),
}
"""By their path in the repository."""


def _template() -> Template:
    return Template.read(ROOT / "template.yaml")
