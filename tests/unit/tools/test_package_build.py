"""The Lambda package: small, reproducible, compiled, complete, and with the data of the called operations only."""

import base64
import csv
import hashlib
import json
import os
import shutil
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
from packaging.requirements import Requirement

from tests.support.aws_calls import Code, client_calls
from tests.support.sam_template import ROOT, template
from tools.package_build import dist_info
from tools.package_build.__main__ import PYTHON
from tools.package_build.botocore_data import OPERATIONS, trim_model
from tools.package_build.bytecode import Compiler, find_compiler
from tools.package_build.certificates import AUTHORITIES, MissingAuthorityError, amazon_roots
from tools.package_build.file_tree import digest, digest_tree, list_files
from tools.sbom import create_bill

Json = dict[str, Any]
MAX_BYTES = 9_000_000
"""Size of the zip file, which Lambda fetches at a cold start."""
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
PRINT_MODULES = """
print(json.dumps({name: getattr(module, "__file__", None) for name, module in sys.modules.items()}))
"""


def build(directory: Path, *options: str) -> Path:
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
        *options,
    ]
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603 (this repository's module)
    return directory


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package."""
    return build(tmp_path_factory.mktemp("package"))


@cache
def imported(package: Path, handler: str, until: str = START + ALL_CLIENTS) -> Mapping[str, str | None]:
    """Return the modules and their files that a handler imports, in an interpreter without other packages."""
    variables = {
        "TABLE_NAME": "Contacts",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    command = [sys.executable, "-I", "-S", "-c", until + PRINT_MODULES, str(package), handler]
    answer = subprocess.check_output(command, env=variables, text=True)  # noqa: S603
    modules: Mapping[str, str | None] = json.loads(answer)
    return modules


@pytest.fixture(scope="module")
def archive(package: Path) -> zipfile.ZipFile:
    """Zip the package."""
    zipped = zipfile.ZipFile(BytesIO(), "w", zipfile.ZIP_DEFLATED)
    for path in list_files(package):
        zipped.write(path, path.relative_to(package))
    return zipped


def test_zip_file_is_at_most_nine_megabytes(archive: zipfile.ZipFile) -> None:
    assert sum(member.compress_size for member in archive.infolist()) <= MAX_BYTES


@pytest.fixture(scope="module")
def dependencies_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty folder for installed dependencies."""
    return tmp_path_factory.mktemp("cache")


def test_two_builds_are_identical_although_the_second_installs_all_dependencies_anew(
    package: Path, dependencies_cache: Path, tmp_path: Path
) -> None:
    """`sam deploy` uploads a package only if it has changed."""
    assert digests(build(tmp_path / "second", "--cache", str(dependencies_cache))) == digests(package)


def test_changed_cache_is_not_used(package: Path, dependencies_cache: Path, tmp_path: Path) -> None:
    """A file was changed, added or removed: the dependencies are installed anew."""
    build(tmp_path / "built", "--cache", str(dependencies_cache))
    [cached] = [path for path in dependencies_cache.iterdir() if path.is_dir()]
    (cached / "botocore" / "session.py").write_text("raise SystemExit('changed')")
    (cached / "sitecustomize.py").write_text("raise SystemExit('added')")
    (cached / "urllib3" / "__init__.py").unlink()
    assert digests(build(tmp_path / "rebuilt", "--cache", str(dependencies_cache))) == digests(package)


@pytest.mark.parametrize("change", ["content", "name", "mode", "new file", "missing file", "link", "linked folder"])
def test_digest_of_a_folder_depends_on_each_file(tmp_path: Path, change: str) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("1")
    second.write_text("2")
    before = digest_tree(tmp_path)
    assert digest_tree(tmp_path) == before
    match change:
        case "content":
            first.write_text("3")
        case "name":
            first.rename(tmp_path / "c")
        case "mode":
            first.chmod(0o755)
        case "new file":
            (tmp_path / "c").touch()
        case "missing file":
            second.unlink()
        case "link":  # To a file with the same content.
            second.rename(tmp_path.parent / f"{tmp_path.name}-b")
            second.symlink_to(tmp_path.parent / f"{tmp_path.name}-b")
        case "linked folder":  # A copy of the tree would contain its files.
            (tmp_path / "c").symlink_to(tmp_path.parent, target_is_directory=True)
    assert digest_tree(tmp_path) != before


def test_changed_wheel_fails_the_build(tmp_path: Path) -> None:
    """Pip compares each wheel with the hash in the pins, also a wheel that was downloaded before."""
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / ".aws-sam" / "wheels", checkout / ".aws-sam" / "wheels")
    for wheel in checkout.rglob("urllib3-*.whl"):
        wheel.write_bytes(wheel.read_bytes() + b"changed")
    with pytest.raises(subprocess.CalledProcessError):
        build(tmp_path / "built", "--checkout", str(checkout), "--cache", str(tmp_path / "cache"))
    assert not list((tmp_path / "cache").glob("*.sha256"))


def digests(package: Path) -> Mapping[str, str]:
    """Return a digest of each file."""
    return {str(path.relative_to(package)): digest([path]) for path in list_files(package)}


def test_every_user_may_read_each_file(package: Path) -> None:
    """Lambda runs functions as a user of its own."""
    modes = {oct(path.stat().st_mode & 0o777) for path in package.rglob("*") if path.is_file()}
    assert modes == {"0o644"}


def test_every_module_is_compiled_without_a_check_of_its_source(package: Path) -> None:
    """Zip files change times. A module checked against its source would be compiled at every cold start."""
    sources = {path for path in list_files(package) if path.suffix == ".py"}
    compiled = [path for path in list_files(package) if path.suffix == ".pyc"]
    assert {path.parent.parent / f"{path.name.partition('.')[0]}.py" for path in compiled} == sources
    assert {struct.unpack("<I", path.read_bytes()[4:8])[0] for path in compiled} == {UNCHECKED_HASH}


def write_interpreter(path: Path, script: str) -> None:
    """Write a shell script in the place of an interpreter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_compiler_is_an_interpreter_that_runs_and_has_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pyenv shim has the name of a version and may not run."""
    write_interpreter(tmp_path / "path" / "python3.99", "exit 127")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert find_compiler("3.99", tmp_path) is None
    installed = tmp_path / ".tools" / "local" / "bin" / "python"
    write_interpreter(installed, "echo 3.99 3.99.1 build 7")
    assert find_compiler("3.99", tmp_path) == Compiler(str(installed), "3.99.1 build 7")


def test_extension_modules_exist_for_both_processors(package: Path) -> None:
    modules: dict[str, set[str]] = {}
    for path in package.rglob("*.so"):
        name, _, platform = path.name.partition(".")
        modules.setdefault(name, set()).add(platform.split("-")[2])
    both = {"aarch64", "x86_64"}
    assert modules == {"_core": both, "_pydantic_core": both}


# --- The distributions ----------------------------------------------------------------------------------------------


def pins() -> Mapping[str, str]:
    """Return the pinned version of each dependency of the functions."""
    lines = (ROOT / "src" / "requirements.txt").read_text().splitlines()
    pinned = [Requirement(line.removesuffix("\\")) for line in lines if "==" in line]
    return {pin.name: str(pin.specifier).removeprefix("==") for pin in pinned}


def test_sbom_lists_each_pinned_dependency(package: Path) -> None:
    """SBOM tools and Amazon Inspector read the same files: METADATA in each `dist-info`."""
    bill = create_bill(package)
    found = {component["purl"] for component in bill["components"]}
    assert found == {f"pkg:pypi/{name}@{version}" for name, version in pins().items()}


def test_sbom_names_the_license_of_each_dependency(package: Path) -> None:
    assert [component["name"] for component in create_bill(package)["components"] if not component["licenses"]] == []


def test_sbom_is_the_same_for_the_same_package_and_has_unique_references(package: Path) -> None:
    bill = create_bill(package)
    references = [component["bom-ref"] for component in bill["components"]]
    assert (bill, len(references)) == (create_bill(package), len(set(references)))
    assert bill["dependencies"] == [{"ref": "ses-feedback", "dependsOn": references}]


def test_sbom_changes_with_a_shipped_file(package: Path, tmp_path: Path) -> None:
    """The hash of a component covers the RECORD, which has the hash of each file."""
    copy = tmp_path / "package"
    for folder in dist_infos(package):
        shutil.copytree(folder, copy / folder.name)
    assert create_bill(copy) == create_bill(package)
    record_file = next(copy.glob("urllib3-*/RECORD"))
    record_file.write_text(record_file.read_text() + "urllib3/added.py,sha256=x,1\n")
    assert create_bill(copy) != create_bill(package)


def test_each_distribution_comes_with_its_license(package: Path) -> None:
    texts = {folder.name: [*folder.glob("LICEN*"), *folder.glob("licenses/LICEN*")] for folder in dist_infos(package)}
    assert (len(texts), [name for name, found in texts.items() if not found]) == (len(pins()), [])


def dist_infos(package: Path) -> list[Path]:
    """Return the `dist-info` folders."""
    return sorted(package.glob("*.dist-info"))


def test_records_list_each_file_of_the_dependencies_once(package: Path) -> None:
    recorded = [row[0] for folder in dist_infos(package) for row in record(folder)]
    shipped = [path.relative_to(package).as_posix() for path in list_files(package)]
    assert sorted(recorded) == sorted(
        name for name in shipped if not name.startswith(("ses_feedback/", "certificates/"))
    )


def test_records_have_the_hash_and_size_of_each_file(package: Path) -> None:
    for folder in dist_infos(package):
        for name, hashed, size in record(folder):
            content = (package / name).read_bytes()
            value = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            expected = ("", "") if name.endswith("/RECORD") else (f"sha256={value}", str(len(content)))
            assert (name, hashed, size) == (name, *expected)


def record(folder: Path) -> list[list[str]]:
    """Return the rows of a RECORD."""
    return list(csv.reader((folder / "RECORD").read_text().splitlines()))


def test_bills_of_two_wheels_are_comparable_except_for_serial_number_and_time(tmp_path: Path) -> None:
    bill, other_build, other_content = tmp_path / "a/sboms", tmp_path / "b/sboms", tmp_path / "c/sboms"
    for folder, serial, name in ((bill, "1", "x"), (other_build, "2", "x"), (other_content, "1", "y")):
        folder.mkdir(parents=True)
        document = {"serialNumber": serial, "metadata": {"timestamp": serial}, "components": [name]}
        (folder / "bill.json").write_text(json.dumps(document))
    compared = [dist_info.comparable(folder / "bill.json") for folder in (bill, other_build, other_content)]
    assert (compared[0] == compared[1], compared[0] == compared[2]) == (True, False)


# --- The modules ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("handler", ["feedback", "deliveries", "suppression"])
def test_handler_imports_only_the_package_and_the_standard_library(package: Path, handler: str) -> None:
    """It depends neither on the packages of Lambda's runtime nor on those of the build machine."""
    standard = Path(os.__file__).parent
    foreign = {
        name
        for name, path in imported(package, handler).items()
        if path and not Path(path).is_relative_to(package) and not Path(path).is_relative_to(standard)
    }
    assert foreign == set()


def test_feedback_handler_starts_without_botocore_clients(package: Path) -> None:
    """The clients are half of a cold start, and a healthy function calls DynamoDB only."""
    modules = imported(package, "feedback", START)
    assert {name for name in modules if name.startswith(("botocore.session", "botocore.client", "urllib3"))} == set()
    assert "ses_feedback.aws.dynamodb.client" in modules


@pytest.mark.parametrize("handler", ["feedback", "deliveries", "suppression"])
def test_handler_imports_no_expensive_module(package: Path, handler: str) -> None:
    """Each of these takes longer to import than all modules of ses_feedback."""
    found = {name for name in imported(package, handler) if name.startswith(UNWANTED)}
    assert found == set()


def test_makefile_has_a_target_for_each_function() -> None:
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
    """Return a loader of the package's data only."""
    data = str(package / "botocore" / "data")
    return Loader(extra_search_paths=[data], include_default_search_paths=False)


def test_only_called_services_are_in_the_package(package: Path) -> None:
    known = {path.name for path in (package / "botocore" / "data").iterdir() if path.is_dir()}
    assert known == set(OPERATIONS)


@pytest.mark.parametrize("service", OPERATIONS)
def test_model_has_the_called_operations_as_botocore_describes_them(package: Path, service: str) -> None:
    full = create_loader().load_service_model(service, "service-2")
    kept = models(package).load_service_model(service, "service-2")
    assert kept == trim_model(full, OPERATIONS[service])
    assert set(kept["operations"]) == set(OPERATIONS[service])
    assert kept["metadata"] == full["metadata"]


def test_every_operation_that_the_code_calls_is_kept() -> None:
    """A call of any other operation would fail in Lambda only."""
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
        "GetAccount": {},
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
    """Return the requests that a client with that data sends for `REQUESTS`."""
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

    session.register("before-send", answer)  # type: ignore[arg-type]  # botocore uses this hook's answer
    client = session.create_client(service, region_name=region, config=Config(parameter_validation=True))
    for operation, request in REQUESTS[service].items():
        getattr(client, xform_name(operation))(**request)
    return requests


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1"])
@pytest.mark.parametrize("service", OPERATIONS)
def test_requests_are_the_same_with_trimmed_and_with_full_data(package: Path, service: str, region: str) -> None:
    """Endpoint, signing scope and body are equal."""
    assert set(REQUESTS[service]) == set(OPERATIONS[service])
    assert sent(models(package), service, region) == sent(create_loader(), service, region)


# --- The certificates -----------------------------------------------------------------------------------------------


def test_certificates_are_the_amazon_authorities_of_botocores_bundle(package: Path) -> None:
    bundle = (Path(botocore.__file__).parent / "cacert.pem").read_text()
    roots = (package / "certificates" / "amazon.pem").read_text()
    assert roots == amazon_roots(bundle)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=roots)
    subjects: list[Any] = [found["subject"] for found in context.get_ca_certs()]
    names = [value for subject in subjects for name in subject for key, value in name if key == "commonName"]
    assert sorted(names) == sorted(AUTHORITIES)


@pytest.mark.parametrize("change", ["empty", "short", "twice", "only in a comment"])
def test_bundle_without_exactly_one_certificate_of_each_authority_fails_the_build(change: str) -> None:
    """The functions could not connect to AWS, or would trust another authority with the same name."""
    bundle = (Path(botocore.__file__).parent / "cacert.pem").read_text()
    first, *others = amazon_roots(bundle).split("\n\n")
    comment = first.partition("-----BEGIN")[0]
    changed = {
        "empty": "",
        "short": "\n\n".join(others),
        "twice": "\n\n".join([first, first, *others]),
        "only in a comment": "\n\n".join([comment + others[0].partition("\n")[2], *others]),
    }
    with pytest.raises(MissingAuthorityError, match="Amazon Root CA 1"):
        amazon_roots(changed[change])


def test_roots_of_other_authorities_are_not_trusted(package: Path) -> None:
    """GoDaddy operates two roots of Starfield: https://www.amazontrust.com/repository/."""
    roots = (package / "certificates" / "amazon.pem").read_text()
    assert roots.count("BEGIN CERTIFICATE") == len(AUTHORITIES) == 5
    assert "Starfield Class 2" not in roots
    assert "# Starfield Root Certificate Authority" not in roots
