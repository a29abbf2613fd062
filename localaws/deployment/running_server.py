"""A running local AWS server: its address, its environment variables and its control API."""

import json
import os
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import click

HOST = "127.0.0.1"


class LocalAwsError(click.ClickException):
    """An operation on the local AWS failed. The message states what to do; commands show it without a traceback."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A running server, and the options it was started with."""

    pid: int
    port: int
    access_key: str = field(repr=False)
    """The random key that each request needs. It is the root user's access key id, and the secret key too."""
    iam: bool = True
    also_on: str | None = None

    @property
    def url(self) -> str:
        """The endpoint of every AWS service."""
        return f"http://{HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that make every AWS SDK and tool use this server and nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.access_key,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def call(self, operation: str, document: object = None, *, method: str = "GET") -> Any:  # noqa: ANN401 (JSON)
        """Call an operation of the control API (`localaws.server.control_api`) and return its response.

        Raises:
            LocalAwsError: the server refuses the call.
            OSError: the server does not respond.

        """
        connection = HTTPConnection(HOST, self.port, timeout=60)
        try:
            body = None if document is None else json.dumps(document)
            headers = {"Authorization": f"Bearer {self.access_key}"}
            connection.request(method, f"/_feedbackctl/{operation}", body, headers)
            response = connection.getresponse()
            result = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:  # noqa: PLR2004 (OK)
            raise LocalAwsError(f"The local AWS refused {operation}: {result['message']}")
        return result
