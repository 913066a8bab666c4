"""An audit as one HTML page that needs nothing else, for a browser or an attachment."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.audit import AuditReport
from emr_log_guard.rendering.escape import plain

_ENVIRONMENT = Environment(
    loader=PackageLoader("emr_log_guard", "rendering"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["plain"] = lambda text: plain(text, keep="\n")
_ENVIRONMENT.filters["region"] = lambda arn: Arn.of(arn).region


def audit_html(report: AuditReport) -> str:
    """Write the report. Everything that users control is escaped."""
    return _ENVIRONMENT.get_template("audit.html.jinja").render(report=report)
