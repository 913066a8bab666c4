import pytest
from hypothesis import given
from hypothesis import strategies as st

from emr_log_guard.domain.log_objects import ObjectVersion
from emr_log_guard.domain.log_uri import (
    LogLocation,
    cluster_ids_in,
    is_checked,
    is_folder_marker,
    step_id_in,
    why_bucket_is_unknown,
)

CLUSTER = "j-2AXXXXXXGAPLF"
OTHER = "j-3BYYYYYYHBQMG"


@pytest.mark.parametrize("scheme", ["s3", "s3n", "s3a", "S3", "S3N"])
@pytest.mark.parametrize(
    ("rest", "prefix"),
    [
        ("example-logs", ""),
        ("example-logs/", ""),
        ("example-logs/emr", "emr/"),
        ("example-logs/emr/", "emr/"),
        ("example-logs/a/b c", "a/b c/"),
        ("example-logs//emr", "/emr/"),
    ],
)
def test_log_uri_is_parsed_in_every_spelling(scheme: str, rest: str, prefix: str) -> None:
    assert LogLocation.parse(f"{scheme}://{rest}") == LogLocation("example-logs", prefix)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "s3://",
        "s3:///emr/",
        "s3:/example-logs/emr/",
        "s3x://example-logs/emr/",
        "hdfs:///var/log",
        "https://example-logs.s3.amazonaws.com/emr/",
        "example-logs/emr",
        " s3://example-logs/emr/",
    ],
)
def test_uri_that_is_not_an_s3_location_parses_to_none(uri: str) -> None:
    assert LogLocation.parse(uri) is None


@pytest.mark.parametrize("prefix", ["", "logs/", "a/b/"])
@pytest.mark.parametrize("rest", ["steps/s-1/stderr.gz", "node/i-1/daemons/x.log.gz", ""])
def test_location_holds_objects_in_the_folder_of_the_cluster(prefix: str, rest: str) -> None:
    location = LogLocation("example-logs", prefix)

    assert location.holds(CLUSTER, "example-logs", f"{prefix}{CLUSTER}/{rest}")


@pytest.mark.parametrize(
    ("bucket", "key"),
    [
        ("example-logs2", f"logs/{CLUSTER}/x.gz"),
        ("example-logs", f"logs2/{CLUSTER}/x.gz"),
        ("example-logs", f"log/{CLUSTER}/x.gz"),
        ("example-logs", f"more/logs/{CLUSTER}/x.gz"),
        ("example-logs", f"logs/deeper/{CLUSTER}/x.gz"),
        ("example-logs", f"{CLUSTER}/x.gz"),
        ("example-logs", f"logs/{CLUSTER}2/x.gz"),
        ("example-logs", f"logs/x{CLUSTER}/x.gz"),
        ("example-logs", f"logs/{CLUSTER}"),
        ("example-logs", f"logs/{OTHER}/x.gz"),
        ("example-logs", f"logs/{CLUSTER.lower()}/x.gz"),
        ("example-logs", "logs/x.gz"),
    ],
)
def test_location_does_not_hold_objects_of_similar_buckets_or_folders(
    bucket: str, key: str
) -> None:
    assert not LogLocation("example-logs", "logs/").holds(CLUSTER, bucket, key)


@pytest.mark.parametrize(
    ("key", "ids"),
    [
        (f"{CLUSTER}/steps/s-1/stderr.gz", (CLUSTER,)),
        (f"emr/{CLUSTER}/node/i-1/x.gz", (CLUSTER,)),
        (f"emr/{CLUSTER}/containers/{OTHER}/x.gz", (CLUSTER, OTHER)),
        (f"{OTHER}/{CLUSTER}/steps/x.gz", (OTHER, CLUSTER)),
        (f"{CLUSTER}/{CLUSTER}/x.gz", (CLUSTER,)),
        (f"emr/{CLUSTER}/{OTHER}/{CLUSTER}/x.gz", (CLUSTER, OTHER)),
        ("emr/j-12345678/x.gz", ("j-12345678",)),
    ],
)
def test_cluster_ids_in_a_key_are_listed_once_outermost_first(
    key: str, ids: tuple[str, ...]
) -> None:
    assert cluster_ids_in(key) == ids


@pytest.mark.parametrize(
    "key",
    [
        "",
        CLUSTER,
        f"emr/{CLUSTER}",
        f"emr/x{CLUSTER}/x.gz",
        f"emr/{CLUSTER}x/x.gz",
        f"emr/{CLUSTER.lower()}/x.gz",
        "emr/j-SHORT12/x.gz",
        "emr/j-2AXXXXXX_GAPLF/x.gz",
    ],
)
def test_text_similar_to_a_cluster_id_is_not_one(key: str) -> None:
    assert cluster_ids_in(key) == ()


CLUSTER_IDS = st.from_regex(r"j-[A-Z0-9]{8,14}", fullmatch=True)
FOLDERS = st.lists(st.one_of(CLUSTER_IDS, st.text(max_size=8)), max_size=4)


@given(FOLDERS, CLUSTER_IDS, st.text(max_size=20))
def test_cluster_id_of_any_log_object_is_found_in_its_key(
    folders: list[str], cluster_id: str, rest: str
) -> None:
    prefix = "".join(f"{folder}/" for folder in folders)
    location = LogLocation.parse(f"s3://example-logs/{prefix}")
    key = f"{prefix}{cluster_id}/{rest}"

    assert location is not None
    assert location.holds(cluster_id, "example-logs", key)
    assert cluster_id in cluster_ids_in(key)


def test_object_version_is_written_as_a_uri_with_its_version_id() -> None:
    assert str(ObjectVersion("example-logs", "emr/x.gz")) == "s3://example-logs/emr/x.gz"
    assert (
        str(ObjectVersion("example-logs", "emr/x.gz", "3HL4"))
        == "s3://example-logs/emr/x.gz?versionId=3HL4"
    )


@pytest.mark.parametrize(
    ("path", "step"),
    [
        ("steps/s-2AXXXXXXGAPLF/stderr.gz", "s-2AXXXXXXGAPLF"),
        ("steps/s-2AXXXXXXGAPLF", None),
        ("steps/notes/s-2A/x", None),
        ("containers/steps/s-2A/x", None),
        ("node/i-1/x", None),
    ],
)
def test_step_id_is_found_in_a_step_folder_only(path: str, step: str | None) -> None:
    assert step_id_in(path) == step


def test_path_of_a_log_is_relative_to_the_folder_of_its_cluster() -> None:
    location = LogLocation("b", f"logs/{CLUSTER}/")

    assert location.path(CLUSTER, f"logs/{CLUSTER}/{CLUSTER}/steps/s-1/x") == "steps/s-1/x"


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("s3n://emr-logs-s3alias-of-ours/logs/", None),
        ("s3n://example-logs/", None),
        (
            "s3n://ap-2c9a0-s3alias/logs/",
            "the log URI 's3n://ap-2c9a0-s3alias/logs/' names an access point, not its bucket",
        ),
        ("hdfs:///logs", "the log URI 'hdfs:///logs' cannot be parsed"),
    ],
)
def test_unknown_bucket_of_a_log_uri_has_a_reason(uri: str, reason: str | None) -> None:
    assert why_bucket_is_unknown(uri) == reason


@pytest.mark.parametrize(
    ("bucket", "buckets", "checked"),
    [
        ("a", (), True),
        ("a", ("a", "b"), True),
        ("c", ("a", "b"), False),
        ("c-s3alias", ("a", "b"), True),
    ],
)
def test_bucket_is_checked_when_it_or_no_bucket_is_configured(
    bucket: str, buckets: tuple[str, ...], *, checked: bool
) -> None:
    assert is_checked(bucket, buckets) is checked


@pytest.mark.parametrize(
    ("name", "marker"),
    [
        ("", True),
        ("node/", True),
        ("node_$folder$", True),
        ("node_$folder$.gz", False),
        ("node/i-1/x.gz", False),
    ],
)
def test_folder_marker_is_recognized_by_its_key(name: str, *, marker: bool) -> None:
    assert is_folder_marker(f"emr/{CLUSTER}/{name}") is marker
