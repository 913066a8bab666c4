"""The arguments of `prepare`: each is validated, and looked up in AWS where possible."""

import re
from dataclasses import dataclass, field
from typing import Self

import msgspec

from emr_log_guard.adapters.command_clients import CommandClients
from emr_log_guard.adapters.errors import AWS_ERRORS
from emr_log_guard.adapters.iam import IamRoles
from emr_log_guard.adapters.kms import KmsKeys
from emr_log_guard.cli.exit_status import fail
from emr_log_guard.cli.options import NO_REGION
from emr_log_guard.domain.arn import Arn
from emr_log_guard.domain.keys import KeyFact, KeyNotFound, KmsKey
from emr_log_guard.domain.log_uri import LogLocation
from emr_log_guard.domain.unresolved import Unresolved
from emr_log_guard.policy_document import Key
from emr_log_guard.rendering.escape import plain

_UNCHECKED = "the key was not checked, and EMR needs it enabled, symmetric and customer-managed"
_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
_ACCOUNT = re.compile(r"[0-9]{12}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LONGEST_NAME = 256
_LONGEST_KEY = 1024
_DYNAMIC = "{{resolve:"


@dataclass(frozen=True, slots=True)
class Named:
    """A role or an instance profile, by name or ARN."""

    name: str
    arn: Arn | None = None


def named(option: str, kind: str, text: str) -> Named:
    """Read the name or ARN of a `role` or an `instance-profile`."""
    arn = Arn.parse(text)
    name = arn.resource.rpartition("/")[2] if arn else text
    right = arn is None or (
        arn.service == "iam"
        and arn.resource.startswith(f"{kind}/")
        and _ACCOUNT.fullmatch(arn.account) is not None
    )
    if not right or not _NAME.fullmatch(name):
        fail(
            f"{option} {_shown(text)}: write a name, or an ARN such as "
            f"arn:aws:iam::111122223333:{kind}/NAME"
        )
    return Named(name, arn)


def key_identifier(text: str) -> str:
    """Read a key id, key ARN, alias name or alias ARN; fail for an AWS-managed alias."""
    try:
        msgspec.convert(text, Key.__value__)
    except msgspec.ValidationError:
        fail(f"--key {_shown(text)}: write a key id, key ARN, alias name (alias/…) or alias ARN")
    if re.search(r"(^|:)alias/aws/", text):
        fail(f"--key {_shown(text)} is AWS-managed: EMR takes customer-managed keys only")
    return text


def account_id(text: str) -> str:
    """Read the id of an account."""
    if not _ACCOUNT.fullmatch(text):
        fail(f"--account {_shown(text)}: write twelve digits")
    return text


def log_location(uri: str) -> LogLocation:
    """Read a log URI."""
    location = LogLocation.parse(uri)
    if location is None or not _BUCKET.fullmatch(location.bucket):
        fail(f"--log-uri {_shown(uri)}: write s3://BUCKET/FOLDER/")
    return LogLocation(location.bucket, _text("--log-uri", location.prefix, _LONGEST_KEY))


def cluster_name(text: str) -> str:
    """Read the name of a cluster."""
    if not text:
        fail("--name: write a name for the cluster")
    return _text("--name", text, _LONGEST_NAME)


def _text(option: str, text: str, longest: int) -> str:
    """Reject text that a reader or CloudFormation would interpret differently."""
    if len(text) > longest or plain(text) != text:
        fail(
            f"{option} {_shown(text)}: write at most {longest} characters, "
            "and no control or formatting characters"
        )
    if _DYNAMIC in text:
        fail(f"{option} {_shown(text)}: CloudFormation would look up {_DYNAMIC}…}}}}")
    return text


def _shown(text: str) -> str:
    """Quote an argument on one line, truncated."""
    line = plain(text)
    return repr(line if len(line) <= _LONGEST_NAME else f"{line[:_LONGEST_NAME]}…")


@dataclass(slots=True)
class Lookup:
    """Looks up the names in AWS, and collects warnings about those that it cannot."""

    clients: CommandClients | None
    """None when AWS is not called."""
    region: str | None
    account: str | None
    why_not: str
    """Why AWS is not called."""
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def begin(
        cls, *, offline: bool, region: str | None, profile: str | None, account: str | None
    ) -> Self:
        """Determine whether AWS can be called.

        Raises:
            BotoCoreError: There is no such profile, or something is wrong with its credentials.

        """
        if offline:
            return cls(None, region, account, "--offline was given")
        try:
            clients = CommandClients.of_caller(profile, region)
            usable = clients.has_credentials()
        except AWS_ERRORS as error:
            if profile is not None:
                raise
            return cls(None, region, account, plain(str(error)))
        if not usable:
            return cls(None, region, account, "there are no AWS credentials")
        return cls(clients, region, account, "")

    def key(self, identifier: str) -> tuple[KeyFact, Arn]:
        """Find the key and its ARN; fail when its ARN cannot be determined."""
        arn = Arn.parse(identifier)
        known = arn is not None and arn.resource.startswith("key/")
        if arn is not None:
            self._check_region(arn)
        fact = self._describe(identifier, arn)
        if isinstance(fact, KmsKey):
            found = Arn.of(fact.arn)
            self._check_region(found)
            return fact, found
        if isinstance(fact, KeyNotFound):
            fail(f"--key {plain(identifier)} does not exist: {fact.reason}")
        if arn is None or not known:
            fail(
                f"--key {plain(identifier)} has to be looked up with kms:DescribeKey, and "
                f"{plain(fact.reason)}: give the key's ARN"
            )
        self.warnings.append(f"{fact.reason}: {_UNCHECKED}")
        return fact, arn

    def roles(self, service: Named, profile: Named, key: Arn) -> tuple[str, str]:
        """Find the ARNs of the service role and of the role in the instance profile."""
        account = self._account(service, profile, key)
        looked_up = IamRoles(self.clients.iam(key.region)) if self.clients else None
        prefix = f"arn:{key.partition}:iam::{account}:role/"
        if service.arn is not None:
            service_role = str(service.arn)
        else:
            service_role = f"{prefix}{service.name}"
            if looked_up:
                found = looked_up.role_arn(service.name)
                service_role = self._role_arn(found, service_role, "the role's path is not known")
        node_role = f"{prefix}{profile.name}"
        assumed = f"the role in {profile.name} is taken to have the same name"
        if looked_up:
            found = looked_up.instance_profile_role_arn(profile.name)
            node_role = self._role_arn(found, node_role, assumed)
        else:
            self.warnings.append(f"{self.why_not}: {assumed}")
        return service_role, node_role

    def _describe(self, identifier: str, arn: Arn | None) -> KeyFact:
        if self.clients is None:
            return Unresolved(self.why_not)
        if arn is None and self.clients.region is None:
            fail(f"{NO_REGION}, or give the key's ARN")
        return KmsKeys(self.clients.kms).describe(identifier)

    def _check_region(self, key: Arn) -> None:
        if self.region is not None and self.region != key.region:
            fail(f"the key {plain(str(key))} is in {key.region}, not in {self.region} (EMRLOG-005)")

    def _account(self, service: Named, profile: Named, key: Arn) -> str:
        """Return the account of the roles; everything that names an account must agree."""
        given = {"--service-role": service.arn, "--instance-profile": profile.arn}
        stated = {"--account": self.account} if self.account else {}
        for option, arn in given.items():
            if arn is None:
                continue
            if arn.partition != key.partition:
                fail(f"{option} is of partition {arn.partition}, the key of {key.partition}")
            stated[option] = arn.account
        if len(set(stated.values())) > 1:
            fail(", ".join(f"{option} says {account}" for option, account in stated.items()))
        return next(iter(stated.values()), key.account)

    def _role_arn(self, found: str | Unresolved, instead: str, consequence: str) -> str:
        """Return the ARN from IAM, if it is of the expected account."""
        if isinstance(found, Unresolved):
            self.warnings.append(f"{found.reason}: {consequence}")
            return instead
        theirs, wanted = Arn.of(found).account, Arn.of(instead).account
        if theirs != wanted:
            self.warnings.append(f"your credentials are of {theirs}, not {wanted}: {consequence}")
            return instead
        return found
