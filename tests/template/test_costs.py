"""The sums in docs/costs.md are recalculated, and its quantities are counted in the template."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from emr_log_guard.domain.batch_operations import FormerEncryption, ReencryptionJob
from emr_log_guard.domain.reencryption_cost import batch_operations_cost, reencryption_cost
from emr_log_guard.observability import Metric
from tests.template.stack import EVERYTHING, ROOT, Stack
from tests.unit.functions.test_handlers import READS_OF_A_COMPLIANT_CLUSTER
from tests.unit.functions.test_metrics import NOTHING_OPEN

PAGE = (ROOT / "docs" / "costs.md").read_text()
DEFAULT = Stack()
HEAD = "| what | how many | USD each | USD |\n|---|---|---|---|\n"


def number(text: str) -> float:
    """Parse `1,000`, `10^6` or `0.20`."""
    base, _, power = text.replace(",", "").partition("^")
    return float(base) ** int(power) if power else float(base)


def price(text: str) -> float:
    """Parse `0.20`, or `0.20 / 10^6`."""
    usd, _, per = text.partition(" / ")
    return number(usd) / (number(per) if per else 1)


def tables() -> dict[str, list[list[str]]]:
    """The rows of each cost table, by the first row's name."""
    blocks = (block.partition("\n\n")[0] for block in PAGE.split(HEAD)[1:])
    found = [[_cells(line) for line in block.splitlines()] for block in blocks]
    assert all(len(row) == 4 for rows in found for row in rows)
    return {rows[0][0]: rows for rows in found}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def counted(what: str) -> str:
    """The number of something in an idle stack, according to the page."""
    [found] = [
        row[1] for row in tables()["KMS keys, of the alerts and of the reports"] if row[0] == what
    ]
    return found


def alarm_metrics(stack: Stack) -> int:
    """How many metrics the alarms watch: each of them is billed."""
    alarms = stack.of_type("AWS::CloudWatch::Alarm").values()
    return sum(
        sum("MetricStat" in each for each in alarm["Metrics"]) if "Metrics" in alarm else 1
        for alarm in alarms
    )


@pytest.mark.parametrize("table", tables())
def test_sums_are_correct(table: str) -> None:
    *rows, (name, _, _, total) = tables()[table]
    assert name == "**all**"
    exact = []
    for _, count, each, usd in rows:
        exact.append(number(count) * price(each))
        places = len(usd.partition(".")[2])
        assert abs(exact[-1] - float(usd)) <= 0.5 * 10**-places + 1e-9
    places = len(total.strip("*").partition(".")[2])
    # Sum the exact rows: the sum of rounded ones may differ slightly.
    assert abs(sum(exact) - float(total.strip("*"))) <= 0.5 * 10**-places + 1e-9


def test_documented_quantities_of_an_idle_stack_match_the_template() -> None:
    keys = DEFAULT.of_type("AWS::KMS::Key")
    dashboards = DEFAULT.of_type("AWS::CloudWatch::Dashboard")

    assert counted("KMS keys, of the alerts and of the reports") == str(len(keys))
    assert counted("alarms, by the metrics that they watch") == str(alarm_metrics(DEFAULT))
    assert counted("dashboard") == str(len(dashboards))
    assert counted("metrics that are sent every hour") == str(len(NOTHING_OPEN))
    assert f"There are {len(Metric)} names" in PAGE
    assert f"{0.3 * len(Metric):.2f} a month if each is sent" in PAGE


@pytest.mark.parametrize(
    ("parameter", "documented"),
    [
        ("EnforcementAllowed", "A stack that can terminate has {} more alarm metrics"),
        ("SlackWebhookSecretArn", "One that posts to Slack has {} more"),
        ("AmazonQNotifications", "One that sends alerts to Amazon Q has {} more"),
        ("ReencryptionAllowed", "One that may re-encrypt has {} more"),
        ("SecurityHub", "One that imports into Security Hub has {} more"),
    ],
)
def test_documented_metrics_of_each_option_match_the_template(
    parameter: str, documented: str
) -> None:
    more = alarm_metrics(Stack({parameter: EVERYTHING[parameter]})) - alarm_metrics(DEFAULT)

    assert documented.format(more) in " ".join(PAGE.split())


def test_documented_calls_match_those_of_the_functions() -> None:
    reads = READS_OF_A_COMPLIANT_CLUSTER
    documented = " ".join(PAGE.split())
    kms = {"DescribeKey", "GetKeyPolicy"}

    assert (
        f"makes {sum(reads.values())} calls, two of which are to KMS, and writes four items"
        in documented
    )
    assert sum(count for call, count in reads.items() if call in kms) == 2
    assert reads["PutItem"] == 4


@pytest.mark.parametrize(
    ("charge", "documented"),
    [
        ("list requests", "list requests, 1,000 objects each"),
        ("HeadObject", "HeadObject"),
        ("KMS requests, at most", "KMS requests"),
    ],
)
def test_re_encryption_is_estimated_with_the_documented_prices(
    charge: str, documented: str
) -> None:
    [usd_each] = [
        each.usd_each for each in reencryption_cost(1, listed=1).charges if each.what == charge
    ]

    found = {price(row[2]) for rows in tables().values() for row in rows if row[0] == documented}
    assert found == {usd_each}


def test_jobs_of_s3_batch_operations_are_estimated_as_documented() -> None:
    arn = "arn:aws:kms:eu-west-1:111122223333:key/1"
    now, million = datetime(2026, 6, 1, tzinfo=UTC), 10**6
    job = ReencryptionJob(
        "111122223333", "logs", "j/", FormerEncryption(), arn, now, million, million
    )

    documented = [(number(row[1]), price(row[2])) for row in tables()["jobs"][:-1]]
    estimated = [(each.count, each.usd_each) for each in batch_operations_cost([job]).charges]
    for found, expected in zip(estimated, documented, strict=True):
        assert found == pytest.approx(expected)


def test_tables_are_in_the_order_of_the_page() -> None:
    places = [PAGE.index(f"| {first} |") for first in tables()]

    assert len(places) == 8
    assert all(a < b for a, b in pairwise(places))
