import json

import pytest

from emr_log_guard.domain.batch_operations import FormerEncryption
from emr_log_guard.domain.log_readers import (
    ComparedReaders,
    ReaderChange,
    Readers,
    UndeterminedReader,
)
from emr_log_guard.domain.reencryption_plan import KeyChange
from emr_log_guard.rendering.terminal.log_readers import LISTED, readers_json, readers_text
from tests.unit.builders import ACCOUNT, KEY

ROLE = f"arn:aws:iam::{ACCOUNT}:role/LogReaders"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
GUEST = UndeterminedReader(f"arn:aws:iam::{ACCOUNT}:role/Guests", "its condition on aws:SourceVpc")
FORMER = FormerEncryption(KEY.arn.replace("1234abcd", "0000abcd"))
SSE_S3 = FormerEncryption()
TITLE = "Readers, as far as key policies show. Grants and identity policies are not read.\n"


def compared(
    former: FormerEncryption, readers: ReaderChange | Readers | None, *unread: str
) -> ComparedReaders:
    return ComparedReaders(KeyChange(former, KEY.arn, 1), readers, unread)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            compared(FORMER, ReaderChange((ROLE,), (ROOT,), (GUEST,))),
            f"""\
  From {FORMER} to {KEY.arn}:
    These can read the logs now, and could not afterwards:
      {ROLE}
    In these accounts, identity policies decide: those that name the former key must also name \
the new one:
      {ROOT}
    The key policies do not show whether these could read them afterwards:
      {GUEST.principal}: its condition on aws:SourceVpc
""",
        ),
        (
            compared(FORMER, ReaderChange()),
            f"""\
  From {FORMER} to {KEY.arn}:
    No principal loses access.
""",
        ),
        (
            compared(SSE_S3, Readers((ROLE,), (ROOT,), (GUEST,))),
            f"""\
  From SSE-S3 to {KEY.arn}:
    Now, anyone whom S3 allows can read them: no key policy limits that.
    Afterwards, only these can read them:
      {ROLE}
    Afterwards, identity policies decide in these accounts: they must allow kms:Decrypt on the \
new key:
      {ROOT}
    The key policies do not show whether these could read them afterwards:
      {GUEST.principal}: its condition on aws:SourceVpc
""",
        ),
        (
            compared(FORMER, Readers(), "kms:GetKeyPolicy answered AccessDeniedException"),
            f"""\
  From {FORMER} to {KEY.arn}:
    Could not be read: kms:GetKeyPolicy answered AccessDeniedException
    Afterwards, no principal can read them.
""",
        ),
        (
            compared(SSE_S3, None, "kms:GetKeyPolicy answered AccessDeniedException"),
            f"""\
  From SSE-S3 to {KEY.arn}:
    Could not be read: kms:GetKeyPolicy answered AccessDeniedException
""",
        ),
    ],
    ids=["lost", "kept", "SSE-S3", "former unread", "new unread"],
)
def test_text_says_who_can_read_and_what_was_not_read(found: ComparedReaders, text: str) -> None:
    assert readers_text([found]) == TITLE + text


def test_text_is_empty_where_nothing_is_re_encrypted() -> None:
    assert readers_text([]) == ""


def test_long_lists_are_cut() -> None:
    many = tuple(f"role-{number}" for number in range(LISTED + 3))

    text = readers_text([compared(FORMER, ReaderChange(many))])

    assert text.count("      role-") == LISTED
    assert text.endswith("      and 3 more\n")


def test_control_characters_are_escaped() -> None:
    hostile = "\x1b[2J"
    found = compared(FORMER, ReaderChange((hostile,)), hostile)

    assert "\x1b" not in readers_text([found])


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            compared(FORMER, ReaderChange((ROLE,), (ROOT,), (GUEST,))),
            {
                "lost": [ROLE],
                "by_identity_policies": [ROOT],
                "undetermined": [{"principal": GUEST.principal, "reason": GUEST.reason}],
                "unread": [],
            },
        ),
        (
            compared(FORMER, Readers((ROLE,)), "denied"),
            {
                "allowed": [ROLE],
                "by_identity_policies": [],
                "undetermined": [],
                "unread": ["denied"],
            },
        ),
        (compared(FORMER, None, "denied"), {"unread": ["denied"]}),
    ],
)
def test_json_has_the_same(found: ComparedReaders, expected: dict[str, object]) -> None:
    keys = {"former": str(FORMER), "key_arn": KEY.arn}

    assert json.loads(json.dumps(readers_json(found))) == keys | expected
