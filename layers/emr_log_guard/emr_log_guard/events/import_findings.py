"""What starts an import of findings into Security Hub: the table's stream, and own requests.

Both only name findings; their state is read from the table.

https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from emr_log_guard.domain.workflow_state import FindingKey
from emr_log_guard.events.parsing import convert

IMPORT_FINDINGS = "emr-log-guard/import-findings/1"
_FINDING = "finding#"


class Text(msgspec.Struct, frozen=True):
    """A string as DynamoDB writes it."""

    value: str = msgspec.field(name="S")


class Keys(msgspec.Struct, frozen=True):
    """The key of the item that changed."""

    pk: Text
    sk: Text


class Change(msgspec.Struct, frozen=True):
    """The changed item."""

    keys: Keys = msgspec.field(name="Keys")


class Record(msgspec.Struct, frozen=True):
    """A change of the table."""

    dynamodb: Change


class StreamBatch(msgspec.Struct, frozen=True, rename="pascal"):
    """What a stream invokes a function with."""

    records: tuple[Record, ...]


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finding."""

    cluster_id: str
    rule_id: str


class ImportRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request to import findings again."""

    schema: Literal["emr-log-guard/import-findings/1"]
    findings: tuple[Named, ...] | None = None
    """None: everything that is open, in the table or in Security Hub."""
    reason: str = ""
    """Why it failed before."""


def parse_import(event: Any) -> tuple[FindingKey, ...] | None:  # noqa: ANN401 - any JSON may arrive
    """Return which findings to import, without duplicates; None: all.

    Raises:
        InvalidEventError: It is neither; the message names the field.

    """
    if isinstance(event, dict) and "Records" in event:
        places = [record.dynamodb.keys for record in convert(event, StreamBatch).records]
        named = [
            FindingKey(place.pk.value, place.sk.value.removeprefix(_FINDING))
            for place in places
            if place.sk.value.startswith(_FINDING)
        ]
    else:
        request = convert(event, ImportRequest)
        if request.findings is None:
            return None
        named = [FindingKey(each.cluster_id, each.rule_id) for each in request.findings]
    return tuple(dict.fromkeys(named))


def import_request(
    findings: Iterable[FindingKey] | None = None, reason: str = ""
) -> dict[str, object]:
    """Write a request, for all findings unless some are given."""
    if findings is None:
        return {"schema": IMPORT_FINDINGS}
    named = [{"cluster_id": each.cluster_id, "rule_id": each.rule_id} for each in findings]
    return {"schema": IMPORT_FINDINGS, "findings": named, "reason": reason}
