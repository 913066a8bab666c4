import os
import subprocess
import sys
from pathlib import Path

from tests.template.stack import ROOT


def test_tests_skipped_without_a_browser_are_counted_at_the_end_with_a_hint(
    tmp_path: Path,
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    report = "tests/browser/test_report.py"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", report, "-q", "-p", "no:cacheprovider", "--no-cov"],
        env=environment | {"PATH": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout
    *_, line, total = ran.stdout.splitlines()
    assert " skipped in " in total
    assert line.startswith(f"{total.split()[0]} tests of the report were skipped")
    assert "apt-get install chromium" in line
