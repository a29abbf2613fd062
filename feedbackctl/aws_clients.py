"""AWS clients of the operator commands."""

from typing import Any

from botocore.exceptions import BotoCoreError

from feedbackctl.errors import OperatorError
from ses_feedback.aws.clients import Clients


def create_client(service: str) -> Any:  # noqa: ANN401 (botocore creates the class at run time)
    """Return a client of `service`, with the operator's Region and credentials.

    Raises:
        OperatorError: the configuration is incomplete. Most often the Region is missing.

    """
    try:
        return getattr(Clients(), service)
    except BotoCoreError as error:
        raise OperatorError(str(error)) from None
