import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from types_boto3_kms import KMSClient

from emr_log_guard.adapters import clients
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.domain.keys import KeyManager, KeyNotFound, KeyState, KmsKey
from emr_log_guard.domain.unresolved import Unresolved
from tests.unit.aws_answers import KEY_METADATA
from tests.unit.builders import ACCOUNT, KEY, OTHER_REGION, REGION, a_key, key_arn
from tests.unit.stubbed_aws import Answer, AwsError, StubbedAws

KEY_ID = KEY.arn.rpartition("/")[2]
NEVER_ANSWERED = {"endpoint_url": "https://kms.invalid"}


@pytest.fixture
def keys(aws: StubbedAws) -> KmsKeys:
    def client_for(region: str | None) -> KMSClient:
        return aws.attach(boto3.client("kms", region_name=region))

    return KmsKeys(client_for)


@pytest.mark.parametrize(
    ("identifier", "region"),
    [
        (KEY_ID, REGION),
        (f"mrk-{'0' * 32}", REGION),
        ("alias/emr-logs", REGION),
        (KEY.arn, REGION),
        (f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/emr-logs", REGION),
        (key_arn(region=OTHER_REGION), OTHER_REGION),
        (f"arn:aws:kms:{OTHER_REGION}:{ACCOUNT}:alias/emr-logs", OTHER_REGION),
    ],
)
def test_key_is_described_by_any_identifier_in_its_own_region(
    aws: StubbedAws, keys: KmsKeys, identifier: str, region: str
) -> None:
    aws.answer("DescribeKey", {"KeyMetadata": KEY_METADATA})

    assert keys.describe(identifier) == KEY
    assert aws.calls == [("DescribeKey", {"KeyId": identifier})]
    assert aws.regions == [region]


@pytest.mark.parametrize("state", list(KeyState))
@pytest.mark.parametrize("manager", list(KeyManager))
def test_every_key_state_and_manager_is_parsed(
    aws: StubbedAws, keys: KmsKeys, state: KeyState, manager: KeyManager
) -> None:
    aws.answer(
        "DescribeKey", {"KeyMetadata": KEY_METADATA | {"KeyState": state, "KeyManager": manager}}
    )

    key = keys.describe(KEY_ID)

    assert isinstance(key, KmsKey)
    assert (key.state, key.manager) == (state, manager)


def test_key_spec_and_usage_are_read(aws: StubbedAws, keys: KmsKeys) -> None:
    aws.answer(
        "DescribeKey",
        {"KeyMetadata": KEY_METADATA | {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}},
    )

    key = keys.describe(KEY_ID)

    assert isinstance(key, KmsKey)
    assert (key.spec, key.usage) == ("HMAC_256", "GENERATE_VERIFY_MAC")


@pytest.mark.parametrize("code", ["NotFoundException", "InvalidArnException"])
def test_missing_key_returns_key_not_found(aws: StubbedAws, keys: KmsKeys, code: str) -> None:
    aws.answer("DescribeKey", AwsError(code))

    assert keys.describe("alias/gone") == KeyNotFound(
        "alias/gone", f"kms:DescribeKey answered {code}"
    )


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (AwsError("AccessDeniedException"), "answered AccessDeniedException"),
        (AwsError("ThrottlingException"), "answered ThrottlingException"),
        (AwsError("KMSInternalException", status=500), "answered KMSInternalException"),
        (AwsError("UnrecognizedClientException"), "answered UnrecognizedClientException"),
        (AwsError("NeverHeardOfException"), "answered NeverHeardOfException"),
        (ConnectTimeoutError(**NEVER_ANSWERED), "failed with ConnectTimeoutError"),
        (ReadTimeoutError(**NEVER_ANSWERED), "failed with ReadTimeoutError"),
        (EndpointConnectionError(**NEVER_ANSWERED), "failed with EndpointConnectionError"),
    ],
)
def test_other_failure_is_unresolved_with_the_call_and_the_error_code(
    aws: StubbedAws, keys: KmsKeys, answer: Answer, name: str
) -> None:
    aws.answer("DescribeKey", answer)

    fact = keys.describe("alias/x")

    assert isinstance(fact, Unresolved)
    assert fact.reason == f"kms:DescribeKey on alias/x {name}"


@pytest.mark.parametrize(
    ("answer", "transient"),
    [
        (AwsError("AccessDeniedException"), False),
        (AwsError("NeverHeardOfException"), False),
        (AwsError("NeverHeardOfException", status=503), True),
        (AwsError("NeverHeardOfException", status=429), True),
        (AwsError("ThrottlingException"), True),
        (AwsError("KMSInternalException", status=500), True),
        (ConnectTimeoutError(**NEVER_ANSWERED), True),
        (ReadTimeoutError(**NEVER_ANSWERED), True),
        (EndpointConnectionError(**NEVER_ANSWERED), True),
    ],
)
def test_failure_documented_as_temporary_is_transient(
    aws: StubbedAws, keys: KmsKeys, answer: Answer, *, transient: bool
) -> None:
    aws.answer("DescribeKey", answer)

    fact = keys.describe("alias/x")

    assert isinstance(fact, Unresolved)
    assert fact.transient is transient


@pytest.mark.parametrize(
    ("metadata", "notified"),
    [
        (KEY_METADATA | {"KeyState": "Teleporting"}, "'Teleporting' is not a valid KeyState"),
        (KEY_METADATA | {"KeyManager": "NOBODY"}, "'NOBODY' is not a valid KeyManager"),
        *(
            ({name: value for name, value in KEY_METADATA.items() if name != left_out}, left_out)
            for left_out in ("Arn", "KeyManager", "KeyState", "KeySpec", "KeyUsage")
        ),
    ],
)
def test_unparsable_description_is_unresolved(
    aws: StubbedAws, keys: KmsKeys, metadata: dict[str, object], notified: str
) -> None:
    aws.answer("DescribeKey", {"KeyMetadata": metadata})

    fact = keys.describe("alias/x")

    assert isinstance(fact, Unresolved)
    assert fact.reason.startswith("kms:DescribeKey on alias/x cannot be parsed: ")
    assert notified in fact.reason


@pytest.mark.parametrize("region", ["attacker.example/", "eu west", "a" * 70, "-"])
def test_arn_with_an_invalid_region_is_unresolved_without_a_request(region: str) -> None:
    identifier = key_arn(region=region)

    fact = KmsKeys(clients.kms).describe(identifier)

    assert fact == Unresolved(f"kms:DescribeKey on {identifier} failed with InvalidRegionError")


def test_key_policy_is_read_in_the_region_of_the_key(aws: StubbedAws, keys: KmsKeys) -> None:
    arn = key_arn(region=OTHER_REGION)
    aws.answer("GetKeyPolicy", {"Policy": '{"Statement": []}', "PolicyName": "default"})

    assert keys.policy(arn) == {"Statement": []}
    assert aws.calls == [("GetKeyPolicy", {"KeyId": arn})]
    assert aws.regions == [OTHER_REGION]


@pytest.mark.parametrize(
    ("answer", "notified"),
    [
        (AwsError("AccessDeniedException"), f"{KEY.arn} answered AccessDeniedException"),
        (ReadTimeoutError(**NEVER_ANSWERED), f"{KEY.arn} failed with ReadTimeoutError"),
        ({"Policy": "no json"}, f"kms:GetKeyPolicy on {KEY.arn} did not return JSON"),
        ({"Policy": "[]"}, "the key policy is not an object"),
    ],
)
def test_a_key_policy_that_cannot_be_read_is_undetermined(
    aws: StubbedAws, keys: KmsKeys, answer: Answer, notified: str
) -> None:
    aws.answer("GetKeyPolicy", answer)

    policy = keys.policy(KEY.arn)

    assert isinstance(policy, Unresolved)
    assert notified in policy.reason


@pytest.mark.parametrize("rotated", [True, False])
def test_key_rotation_is_read_in_the_region_of_the_key(
    aws: StubbedAws,
    keys: KmsKeys,
    *,
    rotated: bool,
) -> None:
    key = a_key(arn=key_arn(region=OTHER_REGION))
    aws.answer("GetKeyRotationStatus", {"KeyRotationEnabled": rotated})

    assert keys.rotation(key) is rotated
    assert aws.calls == [("GetKeyRotationStatus", {"KeyId": key.arn})]
    assert aws.regions == [OTHER_REGION]


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnsupportedOperationException"])
def test_a_rotation_that_cannot_be_read_is_unresolved(
    aws: StubbedAws, keys: KmsKeys, code: str
) -> None:
    aws.answer("GetKeyRotationStatus", AwsError(code))

    assert keys.rotation(KEY) == Unresolved(
        f"kms:GetKeyRotationStatus on {KEY.arn} answered {code}"
    )


def test_key_without_an_origin_is_parsed(aws: StubbedAws, keys: KmsKeys) -> None:
    aws.answer(
        "DescribeKey", {"KeyMetadata": {k: KEY_METADATA[k] for k in KEY_METADATA if k != "Origin"}}
    )

    assert keys.describe(KEY_ID) == a_key(origin=None)
