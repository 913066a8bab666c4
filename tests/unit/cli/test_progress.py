import io

from rich.console import Console

from emr_log_guard.cli.progress import AuditProgress


def test_progress_bar_shows_evaluated_clusters_and_objects() -> None:
    shown = io.StringIO()

    with AuditProgress(Console(file=shown, force_terminal=True, width=120)) as bar:
        for _ in range(3):
            bar.listed()
        bar.evaluated()
        for _ in range(1200):
            bar.checked_object()

    assert "1/3" in shown.getvalue()
    assert "1,200 log objects" in shown.getvalue()
