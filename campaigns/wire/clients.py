"""The functions' own clients with short timeouts, connected to this machine. Pauses between attempts are virtual."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import botocore.endpoint
from botocore.config import Config
from botocore.loaders import Loader
from botocore.session import Session

from campaigns.simulation.messages import START
from campaigns.simulation.scheduler import SECOND, Scheduler
from ses_feedback.aws.clients import Clients
from ses_feedback.aws.dynamodb.client import DynamoDbClient
from ses_feedback.aws.dynamodb.connection_pool import ConnectionPool
from ses_feedback.aws.dynamodb.sigv4 import Signer
from ses_feedback.aws.endpoints import Access

# Attempts, retry mode and parsing remain those of the functions' clients.
_READ_TIMEOUT = 0.08
_TIMEOUTS = Config(connect_timeout=2, read_timeout=_READ_TIMEOUT)
_clocks: "list[Clock]" = []
"""Pauses between attempts advance the last of these clocks."""
_loader = Loader(include_default_search_paths=True)


class LocalSession(Session):
    """A session whose clients call `url` and send the name of their worker in a header."""

    def __init__(self, url: str, worker: Callable[[], str]) -> None:
        """Call `worker` for the name at each call."""
        super().__init__()
        self._url = url
        self._worker = worker
        self.register_component("data_loader", _loader)
        self.set_credentials("made-up", "made-up")
        self.register("before-send", self._add_worker)

    def _add_worker(self, **arguments: Any) -> None:  # noqa: ANN401 (as botocore calls it)
        arguments["request"].headers["x-worker"] = self._worker()

    def create_client(self, service_name: str, *_: Any, **options: Any) -> Any:  # noqa: ANN401 (as Session)
        """Return a client with the options of the functions."""
        config = options["config"].merge(_TIMEOUTS)
        create: Any = super().create_client
        return create(service_name, "us-east-1", endpoint_url=self._url, **{**options, "config": config})


def local_clients(url: str, worker: Callable[[], str], *, botocore: bool) -> Clients:
    """Return the clients of a function. DynamoDB's is botocore's or the direct one."""
    clients = Clients(LocalSession(url, worker))
    if not botocore:
        clients.dynamodb = local_dynamodb(url, worker)
    return clients


def local_dynamodb(url: str, worker: Callable[[], str]) -> DynamoDbClient:
    """Return the direct DynamoDB client of a function."""
    connections = ConnectionPool(url, read_timeout=_READ_TIMEOUT)
    sign = Signer(Access(url, "us-east-1", "made-up", "made-up"), connections.host)
    return DynamoDbClient(connections, lambda *request: {**sign(*request), "x-worker": worker()}, _pause)


def _pause(seconds: float) -> None:
    _clocks[-1].sleep(seconds)


class Clock:
    """The clock of a scheduler. `sleep` advances it at once."""

    def __init__(self, scheduler: Scheduler) -> None:
        """Use the clock of `scheduler`."""
        self._scheduler = scheduler
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the time."""
        return START + timedelta(microseconds=self._scheduler.clock)

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        with self._lock:
            self._scheduler.clock += max(0, round(seconds * SECOND))


@contextmanager
def virtual_pauses(clock: Clock) -> Iterator[None]:
    """Let pauses between attempts advance `clock` and take no real time."""
    _clocks.append(clock)
    with mock.patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=clock.sleep)):
        yield
    _clocks.remove(clock)
