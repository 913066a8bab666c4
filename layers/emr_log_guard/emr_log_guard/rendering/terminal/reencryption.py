"""What a re-encryption of log objects costs."""

from emr_log_guard.domain.reencryption_cost import Estimate


def cost_table(estimate: Estimate) -> str:
    """Write an estimate as a table: what, how many, and USD."""
    rows = [
        (charge.what, f"{charge.count:,}", f"{charge.usd:,.2f}")
        for charge in estimate.charges
        if charge.count
    ]
    rows.append(("all, at the list prices of us-east-1", "", f"{estimate.usd:,.2f}"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "".join(
        f"  {what:<{widths[0]}}  {count:>{widths[1]}}  {usd:>{widths[2]}} USD\n"
        for what, count, usd in rows
    )
