from emr_log_guard.domain.reencryption_cost import reencryption_cost
from emr_log_guard.rendering.terminal.reencryption import cost_table


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
