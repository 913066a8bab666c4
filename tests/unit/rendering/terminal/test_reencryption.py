from emr_log_guard.domain.log_readers import ReaderChange, Readers, UndeterminedReader
from emr_log_guard.domain.reencryption_cost import reencryption_cost
from emr_log_guard.rendering.terminal.reencryption import (
    cost_table,
    new_readers,
    reader_change,
)
from tests.unit.builders import ACCOUNT

ROLE = f"arn:aws:iam::{ACCOUNT}:role/LogReaders"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
GUEST = UndeterminedReader(f"arn:aws:iam::{ACCOUNT}:role/Guests", "its condition on aws:SourceVpc")


def test_table_has_a_line_for_each_charge_and_the_sum() -> None:
    assert cost_table(reencryption_cost(2_000, listed=1_000_000)) == (
        "  list requests                             1,000  0.01 USD\n"
        "  HeadObject                            1,002,000  0.40 USD\n"
        "  UpdateObjectEncryption                    2,000  0.01 USD\n"
        "  KMS requests, at most                     4,000  0.01 USD\n"
        "  all, at the list prices of us-east-1             0.43 USD\n"
    )


def test_table_leaves_out_what_is_not_needed() -> None:
    assert "UpdateObjectEncryption" not in cost_table(reencryption_cost(0, listed=1))


def test_readers_who_lose_access_come_first() -> None:
    text = reader_change(ReaderChange((ROLE,), (ROOT,), (GUEST,)))

    assert text.startswith(f"These can read now, and could not then:\n  {ROLE}\n")
    assert f"name the new one, too:\n  {ROOT}\n" in text
    assert text.endswith(f"  {GUEST.principal}: its condition on aws:SourceVpc\n")


def test_text_without_lost_access_mentions_unread_grants() -> None:
    text = reader_change(ReaderChange())

    assert text == "By the key policies, no principal loses access. Grants were not read.\n"


def test_new_readers_are_listed_when_everybody_can_read_now() -> None:
    text = new_readers(Readers((ROLE,), (ROOT,), (GUEST,)))

    assert text.startswith("Everybody can read now")
    assert f"Then, only these can read:\n  {ROLE}\n" in text
    assert f"on the new key:\n  {ROOT}\n" in text
    assert GUEST.principal in text


def test_key_policy_without_readers_says_so() -> None:
    assert new_readers(Readers()).endswith("lets no principal read.\n")


def test_control_characters_of_a_principal_are_escaped() -> None:
    assert "\x1b" not in reader_change(ReaderChange(("\x1b[2J",)))
