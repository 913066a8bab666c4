import pytest

from emr_log_guard.domain.releases import Release, parse_release_label


@pytest.mark.parametrize(
    ("label", "release"),
    [
        ("emr-5.9.0", Release(5, 9, 0)),
        ("emr-5.30.0", Release(5, 30, 0)),
        ("emr-5.100.0", Release(5, 100, 0)),
        ("emr-7.12.0", Release(7, 12, 0)),
        ("emr-spark-8.0.0", Release(8, 0, 0)),
        ("emr-spark-preview-8.0.0", Release(8, 0, 0)),
    ],
)
def test_release_label_is_parsed_into_numbers(label: str, release: Release) -> None:
    assert parse_release_label(label) == release


@pytest.mark.parametrize(
    "label",
    [
        "",
        "garbage",
        "7.12.0",
        "emr-7.12",
        "emr-7.12.0.1",
        "emr-7.12.0-latest",
        "emr-7.x.0",
        "emr--7.12.0",
        "emr-7.12.-1",
        "EMR-7.12.0",
        "xemr-7.12.0",
        "emr-7.12.0\n",
        "emr-\N{ARABIC-INDIC DIGIT SEVEN}.12.0",
    ],
)
def test_invalid_release_label_parses_to_none(label: str) -> None:
    assert parse_release_label(label) is None


def test_releases_are_ordered_numerically() -> None:
    labels = ["emr-5.9.0", "emr-5.29.0", "emr-5.30.0", "emr-5.100.0", "emr-6.0.0", "emr-10.0.0"]
    releases = [release for label in labels if (release := parse_release_label(label))]

    assert releases == sorted(releases)
    assert len(releases) == len(labels)


def test_release_is_written_with_dots() -> None:
    assert str(Release(5, 30, 1)) == "5.30.1"
