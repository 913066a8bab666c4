"""One outcome from several: those of the workloads with their own log settings."""

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
"""A subject and its outcome."""


def most_severe[T](
    results: Iterable[Result[T]],
    summarize: Callable[[Sequence[Result[T]]], str],
    unlisted: Unresolved | None = None,
) -> Outcome | None:
    """Combine results: an enforceable violation outweighs everything else.

    Args:
        results: The results, in their order.
        summarize: Makes one sentence from results of one kind, the most severe first.
        unlisted: Why the list may be incomplete; None when it is complete.

    Returns:
        NON_COMPLIANT if there is a violation that termination would still stop; else a transient
        violation; else a past one; else INSUFFICIENT_DATA, transient only if all of it is; None
        when nothing is violated or undetermined.

    """
    results = list(results)
    broken = [each for each in results if each[1].compliance is Compliance.NON_COMPLIANT]
    preventable = [each for each in broken if not each[1].over]
    over = [each for each in broken if each[1].over]
    if preventable:
        return non_compliant(summarize([*preventable, *over]))
    transients = [
        each
        for each in results
        if each[1].broken and each[1].compliance is not Compliance.NON_COMPLIANT
    ]
    still = [each for each in transients if not each[1].over]
    if still:
        return transient_violation(summarize([*still, *over]))
    if over:
        return past_violation(summarize(over))
    if transients:
        return replace(transient_violation(summarize(transients)), over=True)
    if unlisted:
        return undetermined(unlisted)
    unread = [each for each in results if each[1].compliance is Compliance.INSUFFICIENT_DATA]
    if unread:
        transient = all(outcome.once_lasting is not None for _, outcome in unread)
        return undetermined(Unresolved(summarize(unread), transient))
    return None
