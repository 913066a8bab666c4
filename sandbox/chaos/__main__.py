"""`python -m sandbox.chaos`: runs rows, prints the table, exits with 1 if a row is not clean."""

import queue
import shutil
import threading
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sandbox import deployment
from sandbox.chaos.report import Result, table
from sandbox.chaos.rows import ROWS, Row
from sandbox.chaos.trial import Lab, Trial
from sandbox.deployment import ROOT

FOLDER = ROOT / ".sandbox" / "chaos"
console = Console(highlight=False, soft_wrap=True)


def main(
    rows: Annotated[list[str] | None, typer.Argument(help="The rows to run. Default: all.")] = None,
    *,
    scale: Annotated[float, typer.Option(help="Factor for AWS's retry delays.")] = 1 / 6,
    jobs: Annotated[int, typer.Option(min=1, help="How many rows to run concurrently.")] = 2,
    traces: Annotated[Path, typer.Option(help="The folder for traces of discrepancies.")] = FOLDER,
) -> None:
    """Inject faults into the deployed stack, and compare what it does with what is expected."""
    known = {row.name: row for row in ROWS}
    if unknown := sorted(set(rows or ()) - known.keys()):
        message = f"{', '.join(unknown)}: choose from {', '.join(known)}"
        raise typer.BadParameter(message)
    chosen = [known[name] for name in rows] if rows else list(ROWS)
    shutil.rmtree(traces, ignore_errors=True)
    traces.mkdir(parents=True)
    console.print("Building the stack with the SAM CLI …")
    deployment.build()
    results = _run(chosen, scale, min(jobs, len(chosen)), traces)
    console.print(table(results[row.name] for row in chosen if row.name in results))
    console.print(f"Discrepancies, and the guard's decisions about them, are in {traces}.")
    unfinished = [row.name for row in chosen if row.name not in results]
    if unfinished:
        console.print(f"Not finished: {', '.join(unfinished)}")
    clean = not unfinished and all(result.clean for result in results.values())
    raise typer.Exit(0 if clean else 1)


def _run(rows: list[Row], scale: float, jobs: int, traces: Path) -> dict[str, Result]:
    """Run rows in several accounts concurrently; return their results by name."""
    waiting: queue.SimpleQueue[Row] = queue.SimpleQueue()
    for row in rows:
        waiting.put(row)
    results: dict[str, Result] = {}

    def work() -> None:
        with Lab.opened(scale) as lab:
            while True:
                try:
                    row = waiting.get_nowait()
                except queue.Empty:
                    return
                results[row.name] = _try(lab, row, traces)

    workers = [threading.Thread(target=work) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return results


def _try(lab: Lab, row: Row, traces: Path) -> Result:
    """Run one row, and write the traces of its discrepancies."""

    def say(words: str) -> None:
        console.print(f"{time.strftime('%H:%M:%S')}  {row.name}: {words}", markup=False)

    began = time.monotonic()
    say(row.fault)
    trial = Trial(lab, say)
    trial.prepare()
    row.play(trial)
    trial.recover()
    compared = trial.compare(row.expect, policy_alerts=row.policy_alerts)
    result = Result(row.fault, time.monotonic() - began, compared)
    _write_traces(trial, row, result, traces)
    trial.clean_up()
    say(" | ".join(result.cells()[1:]))
    return result


def _write_traces(trial: Trial, row: Row, result: Result, traces: Path) -> None:
    stacks = {stack.plan: stack for stack in trial.stacks}
    lines = []
    for plan, kind, each in result.traces():
        lines.append(f"{plan} {kind}: {each.cluster_id} {each.what}")
    about = sorted({(p, each.cluster_id) for p, _, each in result.traces() if each.cluster_id})
    for plan, cluster_id in about:
        lines.append(f"\n{plan} {cluster_id}: all alerts, then all decisions")
        observed = stacks[plan].observed((), trial.began)
        lines += [str(each) for each in observed.delivered if each.cluster_id == cluster_id]
        lines += stacks[plan].decisions(cluster_id)
    (traces / f"{row.name}.txt").write_text("\n".join([*lines, ""]))
    shutil.copy(trial.lab.account.log, traces / f"{row.name}.log")


if __name__ == "__main__":
    typer.run(main)
