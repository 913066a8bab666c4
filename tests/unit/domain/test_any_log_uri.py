"""Any text may stand where a log URI or an object's key is expected."""

from hypothesis import given
from hypothesis import strategies as st

from emr_log_guard.domain.log_uri import (
    LogLocation,
    cluster_ids_in,
    is_folder_marker,
    step_id_in,
    why_bucket_is_unknown,
)

ANY_TEXT = st.text() | st.text(st.characters(categories=["Cs", "Cc", "Zl"]))
PIECES = st.lists(
    st.sampled_from(
        [
            *(
                "s3",
                "s3n",
                "S3A",
                "s3x",
                "://",
                ":/",
                "/",
                "//",
                "-s3alias",
                "--ol-s3",
                ".mrap",
                "j-",
            ),
            *(
                "example-logs",
                "emr",
                "j-2AXXXXXXGAPLF",
                "steps",
                "s-1A",
                "_$folder$",
                "\n",
                " ",
                "%20",
            ),
        ]
    )
    | st.text(max_size=3),
    max_size=8,
).map("".join)
CLUSTER = "j-2AXXXXXXGAPLF"


@given(PIECES | ANY_TEXT | PIECES.map("s3://".__add__))
def test_any_log_uri_yields_a_bucket_or_a_reason_why_it_is_unknown(uri: str) -> None:
    location, reason = LogLocation.parse(uri), why_bucket_is_unknown(uri)

    if location is None:
        assert reason
        return
    assert location.bucket
    assert "/" not in location.bucket
    assert not location.prefix or location.prefix.endswith("/")
    assert bool(reason) is location.by_access_point
    assert LogLocation.parse(f"s3://{location.bucket}/{location.prefix}") == location
    key = f"{location.prefix}{CLUSTER}/node/x"
    assert location.holds(CLUSTER, location.bucket, key)
    assert location.path(CLUSTER, key) == "node/x"
    assert not location.holds("j-ANOTHERCLUSTER", location.bucket, key)


@given(PIECES | ANY_TEXT)
def test_any_object_key_can_be_parsed_for_cluster_and_step_ids(key: str) -> None:
    for cluster_id in cluster_ids_in(key):
        assert f"{cluster_id}/" in key
    step = step_id_in(key)
    assert step is None or key.startswith(f"steps/{step}/")
    assert is_folder_marker(key) is key.endswith(("/", "_$folder$"))
