"""By which names the logs of a cluster may lead to a key."""

from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.finding_record import ClusterSnapshot
from emr_log_guard.domain.keys import named_arn


def key_names(known: ClusterSnapshot) -> tuple[str, ...]:
    """Name the ARNs of the keys that a cluster's logs use, and what it was launched with.

    The latter may be an alias, which can be pointed at another key, or a key that did not exist
    when the cluster was checked.
    """
    cluster = known.cluster
    here = Arn.of(cluster.arn)
    typed = (cluster.log_key_identifier, cluster.cloudwatch_key_identifier)
    return tuple(dict.fromkeys((*known.keys, *(named_arn(each, here) for each in typed if each))))
