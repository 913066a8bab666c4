"""One outcome out of several: of all that runs on a cluster with log settings of its own."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from emr_log_guard.domain.compliance import Compliance
from emr_log_guard.domain.findings import (
    Outcome,
    non_compliant,
    past_violation,
    transient_violation,
    undetermined,
)
from emr_log_guard.domain.unresolved import Unresolved

type Result[T] = tuple[T, Outcome]
"""What an outcome is about, and the outcome."""


def most_severe[T](
    results: Iterable[Result[T]],
    summarize: Callable[[Sequence[Result[T]]], str],
    unlisted: Unresolved | None = None,
) -> Outcome | None:
    """Sum up results: what can ground a termination outweighs all else.

    Args:
        results: The results, in their order.
        summarize: Makes one sentence of results of one kind, the most severe one first.
        unlisted: Why there may be more than these; None when there are no others.

    Returns:
        NON_COMPLIANT if something is that may still be prevented; else the violation that there
        will be if what was read lasts; else one about what is over; else INSUFFICIENT_DATA, for
        now only if all of it may pass; None when nothing is broken or undetermined.

    """
    results = list(results)
    broken = [each for each in results if each[1].compliance is Compliance.NON_COMPLIANT]
    preventable = [each for each in broken if not each[1].over]
    over = [each for each in broken if each[1].over]
    if preventable:
        return non_compliant(summarize([*preventable, *over]))
    passing = [
        each
        for each in results
        if each[1].broken and each[1].compliance is not Compliance.NON_COMPLIANT
    ]
    still = [each for each in passing if not each[1].over]
    if still:
        return transient_violation(summarize([*still, *over]))
    if over:
        return past_violation(summarize(over))
    if passing:
        return replace(transient_violation(summarize(passing)), over=True)
    if unlisted:
        return undetermined(unlisted)
    unread = [each for each in results if each[1].compliance is Compliance.INSUFFICIENT_DATA]
    if unread:
        transient = all(outcome.once_lasting is not None for _, outcome in unread)
        return undetermined(Unresolved(summarize(unread), transient))
    return None
