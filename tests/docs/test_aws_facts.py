"""What pages say of AWS, where a field or a permission that is left out misleads."""

import re

import botocore.session
import pytest
from botocore.model import StructureShape

from tests.docs.pages import ROOT

DOCS = ROOT / "docs"


def words(page: str) -> str:
    return " ".join((DOCS / page).read_text().split())


def test_install_page_queries_every_field_of_an_event_selector() -> None:
    """A trail that excludes KMS's events or writes looks right by its other fields.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html
    """
    model = botocore.session.get_session().get_service_model("cloudtrail")
    selector = model.shape_for("EventSelector")
    assert isinstance(selector, StructureShape)
    fields = set(selector.members) - {"DataResources"}
    [query] = re.findall(r"get-event-selectors .*?--query \\ '([^']+)'", words("install.md"))

    assert {field for field in fields if field in query} == fields
    assert "AdvancedEventSelectors" in query


def test_runbook_names_every_permission_needed_to_re_encrypt() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/update-sse-encryption.html"""
    page = words("runbooks/EMRLOG-101.md")

    for permission in (
        "s3:PutObject",
        "s3:UpdateObjectEncryption",
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "kms:ReEncrypt*",
    ):
        assert f"`{permission}`" in page
    assert "of the account that owns the bucket" in page


@pytest.mark.parametrize("rule", ["EMRLOG-102", "EMRLOG-103"])
def test_other_runbooks_about_objects_refer_to_emrlog_101(rule: str) -> None:
    assert "whose key it may be, are as in [EMRLOG-101]" in words(f"runbooks/{rule}.md")
