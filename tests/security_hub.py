"""A stand-in for Security Hub: moto's, on an endpoint of its own, and what that lacks.

moto imports and lists. It filters nothing, cannot update findings, and lets an import change what
AWS lets it not change. IAM is not enforced here.

https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from moto.securityhub.models import SecurityHubBackend

ACCOUNT = "111122223333"
REFUSED = "what-security-hub-refuses"
"""In the title of a finding that it does not take."""
KEPT = ("Workflow", "Note", "UserDefinedFields", "VerificationState")
"""What an import sets only when it creates a finding."""


class SecurityHub(ThreadingHTTPServer):
    """Answers GetFindings, BatchImportFindings and BatchUpdateFindings."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.backend = SecurityHubBackend("us-east-1", ACCOUNT)
        self.failure: int | None = None
        """The status that everything is answered with, if it is to fail."""
        self.calls: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def findings(self) -> dict[str, dict[str, Any]]:
        """Everything that is there, by its id."""
        return {each.id: each.data for each in self.backend.findings}

    def suppress(self, finding_id: str) -> None:
        """Do what a user does in the console."""
        self.findings[finding_id]["Workflow"] = {"Status": "SUPPRESSED"}

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        match path:
            case "/findings/import":
                return self._import(body["Findings"])
            case "/findings/batchupdate":
                return self._update(body)
            case "/findings":
                filters = body.get("Filters", {})
                found = [each for each in self.findings.values() if _matches(each, filters)]
                return {"Findings": found}
            case _:
                message = f"an operation that this does not know: {path}"
                raise AssertionError(message)

    def _import(self, findings: list[dict[str, Any]]) -> dict[str, Any]:
        before = {each: dict(data) for each, data in self.findings.items()}
        newer = [
            finding
            for finding in findings
            if finding["Id"] not in before
            or finding["UpdatedAt"] > before[finding["Id"]]["UpdatedAt"]
        ]
        for finding in newer:
            if REFUSED in finding["Title"]:
                finding["Resources"] = []  # moto refuses that, too
        failed, taken, errors = self.backend.batch_import_findings(newer)
        for each, data in before.items():
            self.findings[each].update({name: data[name] for name in KEPT if name in data})
        return {
            "FailedCount": failed,
            "SuccessCount": taken + len(findings) - len(newer),
            "FailedFindings": errors,
        }

    def _update(self, body: dict[str, Any]) -> dict[str, Any]:
        known, unknown = [], []
        for identifier in body["FindingIdentifiers"]:
            if identifier["Id"] in self.findings:
                self.findings[identifier["Id"]]["Workflow"] = dict(body["Workflow"])
                known.append(identifier)
            else:
                code = {"ErrorCode": "FindingNotFound", "ErrorMessage": "Finding Not Found"}
                unknown.append({"FindingIdentifier": identifier, **code})
        return {"ProcessedFindings": known, "UnprocessedFindings": unknown}


def _matches(finding: Mapping[str, Any], filters: Mapping[str, list[dict[str, str]]]) -> bool:
    for name, wanted in filters.items():
        assert len(wanted) <= 20
        assert {each["Comparison"] for each in wanted} == {"EQUALS"}
        if finding[name] not in {each["Value"] for each in wanted}:
            return False
    return True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert isinstance(self.server, SecurityHub)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.calls.append(self.path)
        if self.server.failure:
            status, answer = self.server.failure, {"Message": "not now"}
        else:
            status, answer = 200, self.server.answer(self.path, body)
        said = json.dumps(answer).encode()
        self.send_response(status)
        if self.server.failure:
            self.send_header("x-amzn-ErrorType", "InvalidAccessException")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def do_PATCH(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@contextmanager
def security_hub() -> Iterator[SecurityHub]:
    """Serve Security Hub until the block ends."""
    with SecurityHub() as server:
        server.daemon_threads = True
        thread = Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
