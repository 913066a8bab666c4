"""AWS Security Hub: importing findings, and reading their workflow status.

https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import batched
from time import sleep
from typing import Any

from emr_log_guard.adapters.errors import AWS_ERRORS, unresolved
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.domain.workflow_state import Workflow

_BATCH = 100
"""The most findings that one call imports or updates."""
_FILTERS = 20
"""The most values that GetFindings filters an attribute by."""
_ATTEMPTS = 3
_SECONDS = 1

type Refused = Mapping[str, str]
"""Why Security Hub refused a finding, by its id."""


class SecurityHub:
    """The findings of one product in this account and Region. Errors propagate."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - boto3's own types are not at hand
        product_arn: str,
        wait: Callable[[float], None] = sleep,
    ) -> None:
        """Use this product."""
        self._client = client
        self._product_arn = product_arn
        self._wait = wait

    def suppressed(self, finding_ids: Collection[str]) -> frozenset[str] | Unresolved:
        """Return which of the findings are suppressed, or Unresolved."""
        try:
            found = self.workflows(finding_ids)
        except AWS_ERRORS as error:
            return unresolved("securityhub:GetFindings", f"{len(finding_ids)} findings", error)
        return frozenset(each for each, status in found.items() if status is Workflow.SUPPRESSED)

    def workflows(self, finding_ids: Collection[str]) -> dict[str, Workflow]:
        """Read the workflow status of findings; missing ones are left out."""
        return {
            finding["Id"]: Workflow(finding.get("Workflow", {}).get("Status", Workflow.NEW))
            for ids in batched(finding_ids, _FILTERS)
            for finding in self._find({"Id": [_is(each) for each in ids]})
            if finding["Id"] in ids
        }

    def active(self) -> Iterator[str]:
        """Return the ids of all findings of the product that are not archived."""
        return (finding["Id"] for finding in self._find({"RecordState": [_is("ACTIVE")]}))

    def import_findings(self, findings: Sequence[Mapping[str, object]]) -> Refused:
        """Import findings in ASFF; those that are refused are retried a few times."""
        return self._with_retries({str(each["Id"]): each for each in findings}, self._import)

    def set_workflow(self, finding_ids: Iterable[str], status: Workflow) -> Refused:
        """Set the workflow status of existing findings. Imports cannot change it.

        https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
        """
        identifiers = {each: {"Id": each, "ProductArn": self._product_arn} for each in finding_ids}
        return self._with_retries(identifiers, lambda some: self._update(some, status))

    def _with_retries(
        self,
        wanted: Mapping[str, Mapping[str, object]],
        send: Callable[[list[Any]], Refused],
    ) -> Refused:
        refused: dict[str, str] = {}
        left = dict(wanted)
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._wait(_SECONDS * attempt)
            refused = {}
            for some in batched(left.values(), _BATCH):
                refused |= send(list(some))
            left = {each: wanted[each] for each in refused}
            if not left:
                break
        return refused

    def _import(self, findings: list[Any]) -> Refused:
        answer = self._client.batch_import_findings(Findings=findings)
        return {
            failed["Id"]: f"{failed['ErrorCode']}: {failed['ErrorMessage']}"
            for failed in answer.get("FailedFindings", ())
        }

    def _update(self, identifiers: list[Any], status: Workflow) -> Refused:
        answer = self._client.batch_update_findings(
            FindingIdentifiers=identifiers, Workflow={"Status": status.value}
        )
        return {
            failed["FindingIdentifier"]["Id"]: f"{failed['ErrorCode']}: {failed['ErrorMessage']}"
            for failed in answer["UnprocessedFindings"]
        }

    def _find(self, filters: Mapping[str, Any]) -> Iterator[Any]:
        pages = self._client.get_paginator("get_findings").paginate(
            Filters={"ProductArn": [_is(self._product_arn)], **filters},
            PaginationConfig={"PageSize": _BATCH},
        )
        for page in pages:
            yield from page["Findings"]


def _is(value: str) -> dict[str, str]:
    return {"Value": value, "Comparison": "EQUALS"}
