"""The clusters of a trial and their log objects: launches them and reads them back."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from sandbox.chaos.truth import SeenCluster
from sandbox.fixtures import Fixtures

GOOD_OBJECTS = 5
"""The number of log objects of a compliant cluster."""
MIXED_OBJECTS = (True, False, True, False, False)
"""For a cluster with non-compliant log objects: which of its log objects are compliant."""
THREADS = 4


@dataclass(frozen=True, slots=True)
class Population:
    """The clusters in one Region."""

    fixtures: Fixtures
    approved_key: str
    other_key: str
    bucket: str

    @property
    def log_uri(self) -> str:
        """The log URI of the clusters."""
        return f"s3://{self.bucket}/clusters/"

    def launch(self) -> list[str]:
        """Launch twenty clusters and write some fifty log objects; return the clusters' ids."""
        wanted: list[tuple[str, dict[str, Any]]] = [
            *((f"good-{n}", {}) for n in range(7)),
            *((f"without-key-{n}", {"LogEncryptionKmsKeyId": None}) for n in range(5)),
            *((f"unapproved-{n}", {"LogEncryptionKmsKeyId": self.other_key}) for n in range(2)),
            ("exempt-0", {"LogEncryptionKmsKeyId": None}),
            ("protected-0", {"LogEncryptionKmsKeyId": None, "Instances": PROTECTED}),
            ("without-logs-0", {"LogUri": None, "LogEncryptionKmsKeyId": None}),
            *((f"bad-objects-{n}", {}) for n in range(3)),
        ]
        ids = {name: self.launch_one(name, **settings) for name, settings in wanted}
        writes = [
            partial(self._write, cluster_id, number, encrypted=encrypted)
            for name, cluster_id in ids.items()
            for number, encrypted in enumerate(_objects(name))
        ]
        with ThreadPoolExecutor(THREADS) as pool:
            for done in [pool.submit(write) for write in writes]:
                done.result()
        return list(ids.values())

    def launch_one(self, name: str, **settings: Any) -> str:  # noqa: ANN401 - RunJobFlow's own
        """Launch a cluster that is compliant unless its settings say otherwise; return its id."""
        usual = {"LogUri": self.log_uri, "LogEncryptionKmsKeyId": self.approved_key}
        return self.fixtures.launch(name, **(usual | settings))

    def _write(self, cluster_id: str, number: int, *, encrypted: bool) -> None:
        key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.approved_key}
        place = f"node/i-{number}/daemons.log.gz"
        self.fixtures.write_log(cluster_id, place, key if encrypted else {}, bucket=self.bucket)

    def seen(self, cluster_ids: Iterable[str]) -> list[SeenCluster]:
        """Describe clusters with the account's APIs."""
        return [self._seen(cluster_id) for cluster_id in cluster_ids]

    def _seen(self, cluster_id: str) -> SeenCluster:
        emr, s3 = self.fixtures.account.client("emr"), self.fixtures.account.client("s3")
        cluster = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
        listed = s3.list_objects_v2(Bucket=self.bucket, Prefix=f"clusters/{cluster_id}/")
        heads = [
            s3.head_object(Bucket=self.bucket, Key=each["Key"])
            for each in listed.get("Contents", ())
        ]
        return SeenCluster(
            id=cluster_id,
            name=cluster["Name"],
            log_uri=cluster.get("LogUri"),
            log_key=cluster.get("LogEncryptionKmsKeyId"),
            protected=cluster["TerminationProtected"],
            state=cluster["Status"]["State"],
            object_encryption=tuple(head["ServerSideEncryption"] for head in heads),
        )

    def add_steps(self, cluster_ids: Iterable[str]) -> None:
        """Cause ordinary events: add a step to each running cluster."""
        emr = self.fixtures.account.client("emr")
        for cluster_id in cluster_ids:
            if not self.fixtures.state_of(cluster_id).startswith("TERMINAT"):
                emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=[STEP])

    def terminate(self, cluster_ids: Sequence[str]) -> None:
        """Terminate clusters as their owner would, protected or not."""
        emr = self.fixtures.account.client("emr")
        alive = [
            each for each in cluster_ids if not self.fixtures.state_of(each).startswith("TERMINAT")
        ]
        for cluster_id in alive:
            emr.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=False)
            emr.terminate_job_flows(JobFlowIds=[cluster_id])


PROTECTED = {
    "KeepJobFlowAliveWhenNoSteps": True,
    "InstanceCount": 3,
    "TerminationProtected": True,
}
STEP = {
    "Name": "count",
    "ActionOnFailure": "CONTINUE",
    "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]},
}


def _objects(name: str) -> Sequence[bool]:
    if name.startswith("good-"):
        return (True,) * GOOD_OBJECTS
    return MIXED_OBJECTS if name.startswith("bad-objects-") else ()
