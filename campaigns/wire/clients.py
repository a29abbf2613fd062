"""The functions' own clients, led to this machine, soon out of patience, and waiting in virtual time."""

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

# All else (attempts, retry mode, parsing) is as the functions' own clients have it.
_PATIENCE = 0.08
_IMPATIENT = Config(connect_timeout=2, read_timeout=_PATIENCE)
_clocks: "list[Clock]" = []
"""By which pauses between attempts pass; the last one does."""
_loader = Loader(include_default_search_paths=True)


class LocalSession(Session):
    """A session whose clients call `url`, and say on whose behalf."""

    def __init__(self, url: str, worker: Callable[[], str]) -> None:
        """Ask `worker` for its name at every call."""
        super().__init__()
        self._url = url
        self._worker = worker
        self.register_component("data_loader", _loader)
        self.set_credentials("made-up", "made-up")
        self.register("before-send", self._sign)

    def _sign(self, **sent: Any) -> None:  # noqa: ANN401 (as botocore calls it)
        sent["request"].headers["x-worker"] = self._worker()

    def create_client(self, service_name: str, *_: Any, **options: Any) -> Any:  # noqa: ANN401 (what the functions use of it)
        """Return a client, as the functions make theirs."""
        config = options["config"].merge(_IMPATIENT)
        make: Any = super().create_client
        return make(service_name, "us-east-1", endpoint_url=self._url, **{**options, "config": config})


def local_clients(url: str, worker: Callable[[], str], *, botocore: bool) -> Clients:
    """Return a function's clients, of which `botocore` may be DynamoDB's, too."""
    clients = Clients(LocalSession(url, worker))
    if not botocore:
        clients.dynamodb = local_dynamodb(url, worker)
    return clients


def local_dynamodb(url: str, worker: Callable[[], str]) -> DynamoDbClient:
    """Return DynamoDB as a function has access to it."""
    connections = ConnectionPool(url, read_timeout=_PATIENCE)
    sign = Signer(Access(url, "us-east-1", "made-up", "made-up"), connections.host)
    return DynamoDbClient(connections, lambda *request: {**sign(*request), "x-worker": worker()}, _pause)


def _pause(seconds: float) -> None:
    _clocks[-1].sleep(seconds)


class Clock:
    """A scheduler's clock; a sleep advances it at once."""

    def __init__(self, scheduler: Scheduler) -> None:
        """Tell and move the clock of `scheduler`."""
        self._scheduler = scheduler
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the time."""
        return START + timedelta(microseconds=self._scheduler.clock)

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        with self._lock:
            self._scheduler.clock += max(0, round(seconds * SECOND))


@contextmanager
def retrying_at_once(clock: Clock) -> Iterator[None]:
    """Let the pauses between attempts pass on `clock`."""
    _clocks.append(clock)
    with mock.patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=clock.sleep)):
        yield
    _clocks.remove(clock)
