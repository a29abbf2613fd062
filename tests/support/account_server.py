"""An account with a stack, served over HTTP to the command line in a process of its own.

It has what commands about contacts call: the table in memory, the suppression list with import jobs, the bucket of
import objects, STS and CloudFormation. Its contacts are those of an incident at any scale.
"""

import contextlib
import io
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.exceptions import ClientError

from localaws.suppression_list.account_list import AccountSuppressionList
from localaws.suppression_list.rest_api import SuppressionListApi
from ses_feedback.aws.batches import batched
from ses_feedback.aws.clients import Clients
from ses_feedback.contacts.record import RECORD
from ses_feedback.handlers import feedback
from ses_feedback.settings import Settings
from tests.support.builders import an_sqs_record
from tests.support.deployed_functions import FakeContext
from tests.support.dynamodb_table import Answer, Item, Key, Observer, Operations, Table

STACK, ACCOUNT, REGION = "ses-feedback", "123456789012", "us-east-1"
CALLER = f"arn:aws:iam::{ACCOUNT}:user/operator"
_BUCKET = "imports"
_TABLE = "Contacts"
_PAGE = 500
"""Items in a page of a query. DynamoDB's own pages have 1 MB."""


class _Partitions(Observer):
    """The sort keys of each partition, and the contacts of each partition of the index Unsendable."""

    def __init__(self) -> None:
        self.records: dict[str, set[str]] = defaultdict(set)
        self.unsendable: dict[str, set[Key]] = defaultdict(set)

    def written(self, key: Key, before: Item | None, after: Item) -> None:
        self.records[key[0]].add(key[1])
        for item, change in ((before, set.discard), (after, set.add)):
            if item and "unsendable" in item:
                change(self.unsendable[item["unsendable"]["S"]], key)


class Account:
    """The account's services. Requests are answered one at a time, and counted by their names."""

    def __init__(self) -> None:
        self._partitions = _Partitions()
        self.table = Table(self._partitions)
        self.calls: Counter[str] = Counter()
        self.objects: dict[str, bytes] = {}
        self.jobs: list[int] = []
        """Addresses in each import job."""
        self.suppression_list = AccountSuppressionList(
            lambda: datetime.now(UTC),
            calls_per_second=None,
            read_object=self._read_object,
            import_duration=timedelta(seconds=1),
        )
        self._api = SuppressionListApi(self.suppression_list)
        self._operations = Operations(self.table)
        self._lock = Lock()

    def receive(self, bounces: Iterator[dict[str, Any]]) -> None:
        """Process the bounces with the functions' code, as if the list were in step already."""
        clients = Clients()
        clients.dynamodb = self._operations
        with contextlib.redirect_stdout(io.StringIO()):
            handler = feedback.compose(Settings(_TABLE, "unused"), clients)
            for batch in batched(bounces, 1_000):
                records = [an_sqs_record(one, number, attributes={}) for number, one in enumerate(batch)]
                handler({"Records": records}, FakeContext())
        pending = {"pending_shard", "pending_at", "pending_since", "publish_pending", "list_pending"}
        for item in list(self.table.items.values()):
            if item["record"]["S"] == RECORD:
                kept = {name: value for name, value in item.items() if name not in pending}
                self.table.put(kept | {"synced": {"S": "BOUNCE"}, "published_status": {"S": "bounced"}})
                for variant in item["variants"]["L"]:
                    self.suppression_list.put(variant["S"], "BOUNCE")

    def statuses(self) -> Counter[str]:
        """Return the number of contacts by status."""
        with self._lock:
            return Counter(item["status"]["S"] for (_, record), item in self.table.items.items() if record == RECORD)

    def operator_items(self) -> Counter[int]:
        """Return the number of contacts by their number of operator actions."""
        actions: Counter[str] = Counter()
        with self._lock:
            keys = list(self.table.items)
        for address, record in keys:
            actions[address] += record.startswith("operator#")
        return Counter(number for address, number in actions.items() if "@" in address)

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Return status and body of the response to a request."""
        url = urlsplit(target)
        with self._lock:
            operation = headers.get("X-Amz-Target", "").rpartition(".")[2]
            if operation:
                self.calls[operation] += 1
                return self._dynamodb(operation, json.loads(body))
            if url.path.startswith("/v2/email/"):
                self.calls[f"{method} {url.path.split('/')[3]}"] += 1
                answer = self._api.respond(method, url.path, url.query, body)
                return (answer.status, answer.body) if answer else (404, b"{}")
            if url.path.startswith(f"/{_BUCKET}/"):
                return self._s3(method, url.path.removeprefix(f"/{_BUCKET}/"), body)
            return 200, _QUERY_ANSWERS[parse_qs(body.decode())["Action"][0]].encode()

    def _s3(self, method: str, key: str, body: bytes) -> tuple[int, bytes]:
        if method == "PUT":
            self.objects[key] = body
            self.jobs.append(body.count(b"\n"))
        else:
            self.objects.pop(key, None)
        return 200 if method == "PUT" else 204, b""

    def _read_object(self, url: str) -> bytes:
        return self.objects[url.removeprefix(f"s3://{_BUCKET}/")]

    def _dynamodb(self, operation: str, request: dict[str, Any]) -> tuple[int, bytes]:
        answers = {
            "BatchExecuteStatement": self._operations.batch_execute_statement,
            "BatchGetItem": self._operations.batch_get_item,
            "GetItem": self._operations.get_item,
            "PutItem": self._operations.put_item,
            "Query": self._query,
            "UpdateItem": self._operations.update_item,
        }
        try:
            return 200, json.dumps(answers[operation](**request)).encode()
        except ClientError as error:
            return 400, json.dumps({"__type": error.response["Error"]["Code"]}).encode()

    def _query(self, **request: Any) -> Answer:  # noqa: ANN401 (botocore's parameters)
        values = {name: value["S"] for name, value in request["ExpressionAttributeValues"].items()}
        if request.get("IndexName") == "Unsendable":
            keys = [
                key
                for key in self._partitions.unsendable[values[":partition"]]
                if values[":since"] <= self.table.items[key]["status_at"]["S"] <= values[":until"]
            ]
            keys.sort(key=lambda key: (self.table.items[key]["status_at"]["S"], key))
        else:
            records = self._partitions.records[values[":address"]]
            keys = sorted((values[":address"], one) for one in records if one.startswith(values[":prefix"]))
        start = request.get("ExclusiveStartKey")
        first = keys.index((start["address"]["S"], start["record"]["S"])) + 1 if start else 0
        items = [self.table.items[key] for key in keys[first : first + _PAGE]]
        return {"Items": items} | ({"LastEvaluatedKey": _key_of(items[-1])} if len(items) == _PAGE else {})


def _key_of(item: Item) -> Item:
    return {name: item[name] for name in ("address", "record")}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    account: Account

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (as in the base class)
        """Report no connection that a killed command left."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _respond(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError
        status, answer = self.server.account.respond(self.command, self.path, dict(self.headers.items()), body)
        self.wfile.write(f'HTTP/1.1 {status} X\r\nContent-Length: {len(answer)}\r\nETag: "0"\r\n\r\n'.encode() + answer)

    do_GET = do_PUT = do_POST = do_DELETE = _respond  # noqa: N815 (names of the base class)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 (as in the base class)
        pass


@contextmanager
def serving(account: Account) -> Iterator[dict[str, str]]:
    """Serve the account, and yield the environment of a command that uses it."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.account = account
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield {
            **os.environ,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "operator",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
    finally:
        server.shutdown()
        server.server_close()


def _members(kind: str, values: Mapping[str, str]) -> str:
    return "".join(
        f"<member><{kind}Key>{name}</{kind}Key><{kind}Value>{value}</{kind}Value></member>"
        for name, value in values.items()
    )


_OUTPUTS = {
    "ContactsTableName": _TABLE,
    "QuarantineQueueUrl": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/Quarantine",
    "ImportBucketName": _BUCKET,
}
_QUERY_ANSWERS = {
    "DescribeStacks": (
        f"<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>{STACK}</StackName>"
        f"<Outputs>{_members('Output', _OUTPUTS)}</Outputs>"
        f"<Parameters>{_members('Parameter', {'SuppressionRate': '1'})}</Parameters>"
        "</member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    ),
    "GetCallerIdentity": (
        f"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>{ACCOUNT}</Account><Arn>{CALLER}</Arn>"
        "</GetCallerIdentityResult></GetCallerIdentityResponse>"
    ),
}
