"""A report as one HTML page that needs nothing else, for a browser or an attachment.

Its style and script are inline, and its Content Security Policy forbids all others by hash: https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/CSP
"""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from emr_log_guard.domain.findings import Evidence
from emr_log_guard.rendering.escape import plain
from emr_log_guard.rendering.reports import trend
from emr_log_guard.rendering.reports.page import EXEMPT, LABELS, STATEMENTS, ReportPage, moment

PAGE = 100
"""How many clusters the table shows at first; all of them where scripts do not run."""
_ACRONYMS = {"arn": "ARN", "id": "ID", "kms": "KMS", "uri": "URI"}
_CHUNK = 500
"""How many pieces of the page are written at once."""


def report_html(page: ReportPage) -> Iterator[str]:
    """Write the page piece by piece: it is never in memory as a whole."""
    style, script = _source("report.css"), _source("report.js")
    template = _environment().get_template("report.html.jinja")
    stream = template.stream(
        page=page,
        style=Markup(style),  # noqa: S704 - both are ours
        script=Markup(script),  # noqa: S704
        policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        labels=LABELS,
        statements=STATEMENTS,
        chart=trend,
        exempt=EXEMPT,
        shown=PAGE,
    )
    stream.enable_buffering(_CHUNK)
    return stream


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("emr_log_guard", "rendering"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_escaped,
    )
    environment.filters["moment"] = moment
    environment.filters["evidence"] = _evidence
    return environment


def _escaped(value: object) -> object:
    """Escape characters that hide or reorder text, wherever the page shows text."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return plain(value, keep="\n")
    return f"{value:,}" if type(value) is int else value


def _evidence(evidence: Evidence) -> str:
    """Write evidence, a field a line, and each item of a list on its own line."""
    return "\n".join(f"{_titled(name)}: {_text(value)}" for name, value in evidence.items())


def _titled(name: str) -> str:
    """Write the name of a field of the evidence: `log_uri` becomes `Log URI`."""
    first, *others = (_ACRONYMS.get(word, word) for word in name.split("_"))
    return " ".join([first[:1].upper() + first[1:], *others])


def _text(value: object) -> str:
    match value:
        case None | () | []:
            return "none"
        case bool():
            return "yes" if value else "no"
        case tuple() | list():
            return "".join(f"\n{each}" for each in value)
        case _:
            return str(value)


def _source(name: str) -> str:
    return files("emr_log_guard.rendering").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
