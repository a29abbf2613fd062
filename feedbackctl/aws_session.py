"""AWS clients with the operator's profile, Region and credentials."""

import os
from functools import cached_property
from typing import Any, NamedTuple

from botocore.config import Config
from botocore.session import Session

_CONFIG = Config(
    connect_timeout=5, read_timeout=30, max_pool_connections=32, retries={"mode": "standard", "total_max_attempts": 6}
)

_ONE_ATTEMPT = Config(retries={"mode": "standard", "total_max_attempts": 1})


class Caller(NamedTuple):
    """The identity that makes the AWS calls."""

    account: str
    arn: str


class AwsSession:
    """A session with `profile` and `region`, each None for the one that AWS's own command line would use.

    `AWS_ENDPOINT_URL` and the other settings of botocore apply, so the commands also work on a local AWS.
    """

    def __init__(self, profile: str | None = None, region: str | None = None) -> None:
        self.session = Session(profile=profile)
        # botocore reads AWS_DEFAULT_REGION only. AWS's command line prefers AWS_REGION:
        # https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html
        chosen = region or os.environ.get("AWS_REGION")
        if chosen:
            self.session.set_config_variable("region", chosen)
        self._clients: dict[str, Any] = {}

    @property
    def region(self) -> str:
        """The Region, or an empty text if none is configured."""
        return self.session.get_config_variable("region") or ""

    def use_region(self, region: str) -> None:
        """Use `region` if no other is configured."""
        if region and not self.region:
            self.session.set_config_variable("region", region)

    def client(self, service: str) -> Any:  # noqa: ANN401 (botocore creates the class at run time)
        """Return the client of a service, which retries throttled calls.

        Raises:
            BotoCoreError: the profile does not exist, or there is no Region.

        """
        if service not in self._clients:
            self._clients[service] = self.session.create_client(service, config=_CONFIG)
        return self._clients[service]

    @cached_property
    def ses(self) -> Any:  # noqa: ANN401
        """The SESv2 client without retries: each call waits for the stack's rate limiter."""
        return self.session.create_client("sesv2", config=_CONFIG.merge(_ONE_ATTEMPT))

    @cached_property
    def caller(self) -> Caller:
        """The caller by STS, which every identity may ask.

        https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
        """
        identity = self.client("sts").get_caller_identity()
        return Caller(str(identity["Account"]), str(identity["Arn"]))
