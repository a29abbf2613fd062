"""The boto3 clients of the package: the application's own, or one with short timeouts."""

from typing import Any

CONNECT_TIMEOUT = 1
READ_TIMEOUT = 1
"""Seconds. DynamoDB and SQS answer in milliseconds; a checkout must not wait for a minute, botocore's default."""
ATTEMPTS = 3


def create_client(service: str, session: Any, region: str | None = None) -> Any:  # noqa: ANN401 (boto3 has no types)
    """Return a client of `service` with short timeouts, from the boto3 `session` or a new session."""
    # Imported here because an application that passes its client does not need it.
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    if session is not None:
        return session.client(service, region_name=region, config=config)
    # botocore reads the same configuration as boto3. A session of its own can be created in any thread.
    from botocore.session import get_session  # noqa: PLC0415

    return get_session().create_client(service, region_name=region, config=config)
