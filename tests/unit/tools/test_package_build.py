"""The package that is deployed: small, the same each time, compiled, and complete with what it calls and no more."""

import json
import os
import ssl
import struct
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.loaders import Loader, create_loader
from botocore.session import Session

from tests.support.aws_calls import Code, client_calls
from tests.support.sam_template import ROOT, template
from tools.package_build.__main__ import PYTHON
from tools.package_build.sdk import OPERATIONS, amazon_roots, trimmed
from tools.package_build.tree import digest, files

Json = dict[str, Any]
MAX_BYTES = 8_000_000
"""Of the zip file, which Lambda fetches at a cold start."""
UNWANTED = (
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.idempotency",
    "aws_lambda_powertools.utilities.parser",
    "aws_xray_sdk",
    "boto3",
    "s3transfer",
)
UNCHECKED_HASH = 0b01
FUNCTIONS = ("BounceFunction", "ComplaintFunction", "DeliveryFunction", "SuppressionFunction")
START = """
import sys
sys.path.insert(0, sys.argv[1])
import importlib, json
importlib.import_module("ses_feedback.handlers." + sys.argv[2])._handler()
"""
ALL_CLIENTS = """
from ses_feedback.aws.clients import Clients
clients = Clients()
for name in ("dynamodb", "sqs", "events", "sesv2", "s3"):
    getattr(clients, name)
"""
TELL = """
print(json.dumps({name: getattr(module, "__file__", None) for name, module in sys.modules.items()}))
"""


def build(directory: Path) -> Path:
    """Build the package for the Python that runs this."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = [
        sys.executable,
        "-m",
        "tools.package_build",
        str(directory),
        "--checkout",
        str(ROOT),
        "--python",
        version,
    ]
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603 (our own)
    return directory


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the package."""
    return build(tmp_path_factory.mktemp("package"))


@cache
def imported(package: Path, handler: str, until: str = START + ALL_CLIENTS) -> Mapping[str, str | None]:
    """Return what a handler imports until it has every client, in an interpreter with nothing else installed."""
    variables = {
        "TABLE_NAME": "Contacts",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    command = [sys.executable, "-I", "-S", "-c", until + TELL, str(package), handler]
    answer = subprocess.check_output(command, env=variables, text=True)  # noqa: S603
    modules: Mapping[str, str | None] = json.loads(answer)
    return modules


def test_it_is_small(package: Path) -> None:
    """As zipped by anybody."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files(package):
            archive.write(path, path.relative_to(package))
    assert len(packed.getvalue()) <= MAX_BYTES


def test_it_is_the_same_each_time(package: Path, tmp_path: Path) -> None:
    """What has not changed is not uploaded again."""
    again = build(tmp_path / "again")
    made = [{str(path.relative_to(one)): digest([path]) for path in files(one)} for one in (package, again)]
    assert made[0] == made[1]


def test_whoever_runs_it_may_read_it(package: Path) -> None:
    """Lambda runs it as somebody else."""
    modes = {oct(path.stat().st_mode & 0o777) for path in package.rglob("*") if path.is_file()}
    assert modes == {"0o644"}


def test_every_module_is_compiled_for_good(package: Path) -> None:
    """Zip files change times, so whatever is checked against its source would be compiled at every cold start."""
    sources = {path for path in files(package) if path.suffix == ".py"}
    compiled = [path for path in files(package) if path.suffix == ".pyc"]
    assert {path.parent.parent / f"{path.name.partition('.')[0]}.py" for path in compiled} == sources
    assert {struct.unpack("<I", path.read_bytes()[4:8])[0] for path in compiled} == {UNCHECKED_HASH}


def test_it_runs_on_either_processor(package: Path) -> None:
    """Each finds its own."""
    machines = sorted(path.name.split("-")[2] for path in files(package) if path.suffix == ".so")
    assert machines == ["aarch64", "x86_64"]


def test_licences_come_along(package: Path) -> None:
    """One at least for each distribution."""
    licensed = [path.name for path in (package / "licences").iterdir() if any(path.iterdir())]
    pinned = [line for line in (ROOT / "src" / "requirements.txt").read_text().splitlines() if "==" in line]
    assert len(licensed) == len(pinned)


@pytest.mark.parametrize("handler", ["feedback", "deliveries", "suppression"])
def test_it_needs_nothing_else(package: Path, handler: str) -> None:
    """Neither what the runtime brings along nor what happens to be installed where it was built."""
    standard = Path(os.__file__).parent
    strangers = {
        name
        for name, path in imported(package, handler).items()
        if path and not Path(path).is_relative_to(package) and not Path(path).is_relative_to(standard)
    }
    assert strangers == set()


def test_a_feedback_function_starts_without_botocore(package: Path) -> None:
    """Its clients are half of a cold start, and a healthy function calls nothing but DynamoDB."""
    modules = imported(package, "feedback", START)
    assert {name for name in modules if name.startswith(("botocore.session", "botocore.client", "urllib3"))} == set()
    assert "ses_feedback.aws.dynamodb.client" in modules


@pytest.mark.parametrize("handler", ["feedback", "deliveries", "suppression"])
def test_it_imports_nothing_dear(package: Path, handler: str) -> None:
    """Each of these takes longer than all of our own code."""
    found = {name for name in imported(package, handler) if name.startswith(UNWANTED)}
    assert found == set()


def test_every_function_is_built_so() -> None:
    """`sam build` finds a target for each."""
    functions = {
        name: resource.get("Metadata", {}).get("BuildMethod")
        for name, resource in template()["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    assert functions == dict.fromkeys(FUNCTIONS, "makefile")
    targets = (ROOT / "src" / "Makefile").read_text().split()
    assert {f"build-{name}" for name in FUNCTIONS} <= set(targets)
    assert template()["Globals"]["Function"]["Runtime"] == f"python{PYTHON}"


# --- The SDK's data -------------------------------------------------------------------------------------------------


def models(package: Path) -> Loader:
    """Return what reads the package's data and no other."""
    data = str(package / "botocore" / "data")
    return Loader(extra_search_paths=[data], include_default_search_paths=False)


def test_no_other_service_is_known(package: Path) -> None:
    """There are four hundred."""
    known = {path.name for path in (package / "botocore" / "data").iterdir() if path.is_dir()}
    assert known == set(OPERATIONS)


@pytest.mark.parametrize("service", OPERATIONS)
def test_a_service_knows_what_is_called(package: Path, service: str) -> None:
    """Each shape as botocore has it, less what explains it."""
    full = create_loader().load_service_model(service, "service-2")
    kept = models(package).load_service_model(service, "service-2")
    assert kept == trimmed(full, OPERATIONS[service])
    assert set(kept["operations"]) == set(OPERATIONS[service])
    assert kept["metadata"] == full["metadata"]


def test_what_the_code_calls_is_what_is_kept() -> None:
    """A call that is not would fail for the first time in Lambda."""
    called = {method for tree in Code().modules.values() for method in client_calls(tree)} - {"meta"}
    kept = {xform_name(operation) for operations in OPERATIONS.values() for operation in operations}
    assert called - kept == set()


REQUESTS: Mapping[str, Mapping[str, Json]] = {
    "dynamodb": {
        "BatchExecuteStatement": {"Statements": [{"Statement": "x", "Parameters": [{"S": "a"}]}]},
        "BatchGetItem": {"RequestItems": {"T": {"Keys": [{"address": {"S": "a"}}], "ConsistentRead": True}}},
        "GetItem": {"TableName": "T", "Key": {"address": {"S": "a"}}},
        "PutItem": {"TableName": "T", "Item": {"address": {"S": "a"}, "may_send": {"BOOL": True}}},
        "Query": {"TableName": "T", "KeyConditionExpression": "x", "ExpressionAttributeValues": {":a": {"N": "1"}}},
        "UpdateItem": {"TableName": "T", "Key": {"address": {"S": "a"}}, "UpdateExpression": "x"},
    },
    "events": {"PutEvents": {"Entries": [{"Source": "s", "DetailType": "d", "Detail": "{}", "EventBusName": "b"}]}},
    "s3": {
        "DeleteObject": {"Bucket": "bucket", "Key": "imports/1.json"},
        "GetObject": {"Bucket": "bucket", "Key": "imports/1.json"},
        "PutObject": {"Bucket": "bucket", "Key": "imports/1.json", "Body": b"{}"},
    },
    "sesv2": {
        "CreateImportJob": {
            "ImportDestination": {"SuppressionListDestination": {"SuppressionListImportAction": "PUT"}},
            "ImportDataSource": {"S3Url": "s3://bucket/imports/1.json", "DataFormat": "JSON"},
        },
        "DeleteSuppressedDestination": {"EmailAddress": "a+b@example.com"},
        "GetImportJob": {"JobId": "1"},
        "PutSuppressedDestination": {"EmailAddress": "a@example.com", "Reason": "BOUNCE"},
    },
    "sqs": {
        "SendMessage": {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/q", "MessageBody": "text"},
        "SendMessageBatch": {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/q", "Entries": []},
    },
}
VARYING = {"Authorization", "X-Amz-Date", "amz-sdk-invocation-id", "amz-sdk-request", "User-Agent"}


class _Body(BytesIO):
    def stream(self) -> list[bytes]:
        return [self.read()]


def sent(loader: Loader, service: str, region: str) -> list[tuple[object, ...]]:
    """Return what a client with that data sends for each of `REQUESTS`."""
    session = Session()
    session.register_component("data_loader", loader)
    session.set_credentials("key", "secret", "token")
    requests: list[tuple[object, ...]] = []

    def answer(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        headers = {name: str(value) for name, value in request.headers.items() if name not in VARYING}
        scope = str(request.headers.get("Authorization")).partition("/")[2].partition(", Signature")[0]
        read = getattr(request.body, "read", None)
        body = read() if read else request.body
        requests.append((request.method, request.url, headers, scope, body))
        return AWSResponse(request.url, 200, HTTPHeaders(), _Body(b"" if service == "s3" else b"{}"))

    session.register("before-send", answer)  # type: ignore[arg-type]  # this hook's answer is heeded
    client = session.create_client(service, region_name=region, config=Config(parameter_validation=True))
    for operation, request in REQUESTS[service].items():
        getattr(client, xform_name(operation))(**request)
    return requests


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1"])
@pytest.mark.parametrize("service", OPERATIONS)
def test_the_same_is_sent_as_with_all_of_it(package: Path, service: str, region: str) -> None:
    """To the same place, signed for the same service and region."""
    assert set(REQUESTS[service]) == set(OPERATIONS[service])
    assert sent(models(package), service, region) == sent(create_loader(), service, region)


# --- The certificates -----------------------------------------------------------------------------------------------


def test_amazons_authorities_are_those_botocore_trusts(package: Path) -> None:
    """Seven today: Amazon's four, and Starfield's, which were Amazon's first."""
    everybody = (Path(botocore.__file__).parent / "cacert.pem").read_text()
    roots = (package / "certificates" / "amazon.pem").read_text()
    assert roots == amazon_roots(everybody)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=roots)
    subjects = [str(found["subject"]) for found in context.get_ca_certs()]
    owners = ["Amazon" if "'Amazon'" in subject else "Starfield Technologies, Inc." for subject in subjects]
    assert sorted(owners) == ["Amazon"] * 4 + ["Starfield Technologies, Inc."] * 3
    assert all(owner in subject for owner, subject in zip(owners, subjects, strict=True))
