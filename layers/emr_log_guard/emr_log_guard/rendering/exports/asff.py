"""An audit as what securityhub:BatchImportFindings takes, a request a line.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import batched
from typing import TYPE_CHECKING

from emr_log_guard.domain.audit import AuditReport
from emr_log_guard.rendering.alerts.asff import asff

if TYPE_CHECKING:
    from emr_log_guard.domain.findings import Finding

_BATCH = 100
"""How many findings a request may have."""


def audit_asff(report: AuditReport) -> Iterator[str]:
    """Write the findings that need attention, with requests of one account and Region each.

    Security Hub only has findings about resources: a cluster, account or Region that could not be
    read is none. Check the exit status and standard error for these.
    """
    places: defaultdict[tuple[str, str], list[Finding]] = defaultdict(list)
    for audited in report.clusters:
        for finding in audited.findings:
            if finding.needs_attention:
                places[finding.account, finding.region].append(finding)
    for findings in places.values():
        for batch in batched(findings, _BATCH):
            written = [asff(finding, report.finished) for finding in batch]
            yield json.dumps({"Findings": written}, ensure_ascii=False) + "\n"
