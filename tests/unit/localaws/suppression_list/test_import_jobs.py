"""Import jobs behave as SES's own, as seen by a real SES client and a real S3 client."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.in_process.embedded_aws import EmbeddedAws
from localaws.in_process.virtual_clock import VirtualClock
from localaws.suppression_list.account_list import AccountSuppressionList
from localaws.suppression_list.errors import BadRequestError
from localaws.suppression_list.import_jobs import MAX_RECORDS, MAX_UNFINISHED_JOBS

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BUCKET = "lists"


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """Return an AWS with a bucket, whose suppression list has no call quota."""
    with EmbeddedAws(VirtualClock(NOON), calls_per_second=None) as aws:
        aws.client("s3").create_bucket(Bucket=BUCKET)
        yield aws


def put_object(aws: EmbeddedAws, text: str, key: str = "list") -> None:
    """Write an object."""
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=text.encode())


def to_lines(*entries: tuple[str, str]) -> str:
    """Return entries as newline-delimited JSON. Entries to delete have an empty reason."""
    return "".join(
        json.dumps({"emailAddress": address} | ({"reason": reason} if reason else {})) + "\n"
        for address, reason in entries
    )


def create_job(
    aws: EmbeddedAws, action: str = "PUT", data_format: str = "JSON", url: str = f"s3://{BUCKET}/list"
) -> str:
    """Create an import job and return its id."""
    job: str = aws.client("sesv2").create_import_job(
        ImportDestination={"SuppressionListDestination": {"SuppressionListImportAction": action}},
        ImportDataSource={"S3Url": url, "DataFormat": data_format},
    )["JobId"]
    return job


def get_status(aws: EmbeddedAws, job: str) -> tuple[str, int, int]:
    """Return the status of a job and its numbers of processed and failed records."""
    job_state: dict[str, Any] = aws.client("sesv2").get_import_job(JobId=job)
    return job_state["JobStatus"], job_state["ProcessedRecordsCount"], job_state["FailedRecordsCount"]


def list_reasons(aws: EmbeddedAws) -> dict[str, str]:
    """Return the reasons on the suppression list by address."""
    return {entry.email_address: entry.reason.value for entry in aws.suppression_list.entries()}


def test_job_passes_through_its_states_and_replaces_existing_entries(aws: EmbeddedAws) -> None:
    aws.suppression_list.put("ann@example.com", "BOUNCE")
    put_object(aws, to_lines(("ann@example.com", "COMPLAINT"), ("Bob@EXAMPLE.com", "BOUNCE")))
    job = create_job(aws)
    assert (get_status(aws, job)[0], list_reasons(aws)) == ("CREATED", {"ann@example.com": "BOUNCE"})
    aws.clock.sleep(31)
    assert get_status(aws, job)[0] == "PROCESSING"
    aws.clock.sleep(90)
    assert get_status(aws, job) == ("COMPLETED", 2, 0)
    assert list_reasons(aws) == {"ann@example.com": "COMPLAINT", "Bob@example.com": "BOUNCE"}


def test_half_finished_job_has_written_some_entries_in_random_order(aws: EmbeddedAws) -> None:
    names = [f"{number:02d}@example.com" for number in range(40)]
    put_object(aws, to_lines(*((name, "BOUNCE") for name in names)))
    create_job(aws)
    aws.clock.sleep(75)
    written = sorted(list_reasons(aws))
    assert 0 < len(written) < 40
    assert written != names[: len(written)]


def test_job_overwrites_a_deletion_made_before_its_record_is_written(aws: EmbeddedAws) -> None:
    put_object(aws, to_lines(("ann@example.com", "BOUNCE")))
    create_job(aws)
    aws.suppression_list.put("ann@example.com", "COMPLAINT")
    aws.suppression_list.delete("ann@example.com")
    aws.clock.sleep(120)
    assert list_reasons(aws) == {"ann@example.com": "BOUNCE"}


def test_deletion_job_removes_exact_variants_also_with_slashes(aws: EmbeddedAws) -> None:
    """An address that is not listed is not a failure."""
    for address in ("either/or@example.com", "Ann@example.com"):
        aws.suppression_list.put(address, "BOUNCE")
    put_object(aws, to_lines(("either/or@example.com", ""), ("ann@example.com", "")))
    job = create_job(aws, "DELETE")
    aws.clock.sleep(120)
    assert (get_status(aws, job), list_reasons(aws)) == (("COMPLETED", 2, 0), {"Ann@example.com": "BOUNCE"})


def test_job_reads_csv(aws: EmbeddedAws) -> None:
    put_object(aws, "ann@example.com,BOUNCE\nbob@example.com, COMPLAINT\n")
    create_job(aws, data_format="CSV")
    aws.clock.sleep(120)
    assert list_reasons(aws) == {"ann@example.com": "BOUNCE", "bob@example.com": "COMPLAINT"}


def test_refused_records_count_as_failed_and_the_others_are_written(aws: EmbeddedAws) -> None:
    refused = ("bounce@simulator.amazonses.com", "BOUNCE"), ("no-address", "BOUNCE"), ("bob@example.com", "OTHER")
    put_object(aws, to_lines(("ann@example.com", "BOUNCE"), *refused) + "[]\n")
    job = create_job(aws)
    aws.clock.sleep(120)
    assert (get_status(aws, job), list_reasons(aws)) == (("COMPLETED", 5, 4), {"ann@example.com": "BOUNCE"})


@pytest.mark.parametrize("text", [None, "ann@example.com,BOUNCE\n"], ids=["no object", "no JSON"])
def test_job_fails_if_its_object_cannot_be_read(aws: EmbeddedAws, text: str | None) -> None:
    if text:
        put_object(aws, text)
    job = create_job(aws)
    aws.clock.sleep(120)
    job_state = aws.client("sesv2").get_import_job(JobId=job)
    assert (job_state["JobStatus"], job_state["FailureInfo"]["ErrorMessage"][:20]) == ("FAILED", "The object could not")


@pytest.mark.parametrize("action", MAX_RECORDS)
def test_job_fails_if_its_object_has_one_record_too_many(action: str) -> None:
    clock = VirtualClock(NOON)
    text = to_lines(*((f"{number}@example.com", "BOUNCE") for number in range(MAX_RECORDS[action] + 1))).encode()
    objects = {"s3://lists/many": text, "s3://lists/most": text[text.index(b"\n") + 1 :]}
    suppression_list = AccountSuppressionList(clock.now, calls_per_second=None, read_object=objects.__getitem__)
    jobs = [suppression_list.create_import_job(action, url, "JSON") for url in objects]
    clock.sleep(120)
    assert [suppression_list.get_import_job(job).status for job in jobs] == ["FAILED", "COMPLETED"]


def test_call_is_refused_while_the_maximum_number_of_jobs_is_unfinished(aws: EmbeddedAws) -> None:
    put_object(aws, "")
    for _ in range(MAX_UNFINISHED_JOBS):
        create_job(aws)
    with pytest.raises(ClientError, match="LimitExceededException"):
        create_job(aws)
    aws.clock.sleep(120)
    assert get_status(aws, create_job(aws))[0] == "CREATED"


def test_sandbox_refuses_import_jobs() -> None:
    with EmbeddedAws(sandbox=True) as aws, pytest.raises(ClientError, match="BadRequestException"):
        create_job(aws)


def test_import_calls_count_against_the_call_quota() -> None:
    clock = VirtualClock(NOON)
    with EmbeddedAws(clock) as aws:
        job = create_job(aws)
        for call in (lambda: create_job(aws), lambda: get_status(aws, job)):
            with pytest.raises(ClientError, match="TooManyRequestsException"):
                call()
        clock.sleep(1)
        assert get_status(aws, job)[0] == "CREATED"


def test_unknown_job_is_not_found(aws: EmbeddedAws) -> None:
    with pytest.raises(ClientError, match="NotFoundException"):
        get_status(aws, "1")


def test_import_into_a_contact_list_is_refused(aws: EmbeddedAws) -> None:
    destination = {"ContactListDestination": {"ContactListName": "all", "ContactListImportAction": "PUT"}}
    source = {"S3Url": f"s3://{BUCKET}/list", "DataFormat": "CSV"}
    with pytest.raises(ClientError, match="BadRequestException"):
        aws.client("sesv2").create_import_job(ImportDestination=destination, ImportDataSource=source)


@pytest.mark.parametrize(
    "arguments", [("ADD", "s3://b/k", "JSON"), ("PUT", "https://b/k", "JSON"), ("PUT", "s3://b/k", "XML")]
)
def test_job_with_invalid_arguments_is_refused(arguments: tuple[str, str, str]) -> None:
    with pytest.raises(BadRequestError):
        AccountSuppressionList(VirtualClock(NOON).now).create_import_job(*arguments)


def test_job_of_a_list_without_objects_fails() -> None:
    clock = VirtualClock(NOON)
    suppression_list = AccountSuppressionList(clock.now, calls_per_second=None, import_duration=timedelta(seconds=8))
    job = suppression_list.create_import_job("PUT", "s3://lists/list", "JSON")
    clock.sleep(8)
    assert suppression_list.get_import_job(job).status == "FAILED"
