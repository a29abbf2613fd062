"""Import jobs keep SES's rules, seen through a real SES client and a real S3 client."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.in_process.embedded_aws import EmbeddedAws, VirtualClock
from localaws.ses_list.import_jobs import MOST_JOBS, MOST_RECORDS
from localaws.ses_list.suppression_list import AccountSuppressionList, BadRequestError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BUCKET = "lists"


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """An AWS with a bucket, whose SES takes any number of calls."""
    with EmbeddedAws(VirtualClock(NOON), calls_per_second=None) as aws:
        aws.client("s3").create_bucket(Bucket=BUCKET)
        yield aws


def put(aws: EmbeddedAws, text: str, key: str = "list") -> None:
    """Write an object."""
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=text.encode())


def lines(*entries: tuple[str, str]) -> str:
    """Return entries as newline-delimited JSON; those without a reason are to be deleted."""
    return "".join(
        json.dumps({"emailAddress": address} | ({"reason": reason} if reason else {})) + "\n"
        for address, reason in entries
    )


def begin(aws: EmbeddedAws, action: str = "PUT", data_format: str = "JSON", url: str = f"s3://{BUCKET}/list") -> str:
    """Begin a job and return its id."""
    job: str = aws.client("sesv2").create_import_job(
        ImportDestination={"SuppressionListDestination": {"SuppressionListImportAction": action}},
        ImportDataSource={"S3Url": url, "DataFormat": data_format},
    )["JobId"]
    return job


def status(aws: EmbeddedAws, job: str) -> tuple[str, int, int]:
    """Return a job's status, and how many records it processed and failed."""
    told: dict[str, Any] = aws.client("sesv2").get_import_job(JobId=job)
    return told["JobStatus"], told["ProcessedRecordsCount"], told["FailedRecordsCount"]


def listed(aws: EmbeddedAws) -> dict[str, str]:
    """Return the list."""
    return {one.email_address: one.reason.value for one in aws.suppression_list.entries()}


def test_additions(aws: EmbeddedAws) -> None:
    """A job waits, is at it, and is over; entries overwrite those there are."""
    aws.suppression_list.put("ann@example.com", "BOUNCE")
    put(aws, lines(("ann@example.com", "COMPLAINT"), ("Bob@EXAMPLE.com", "BOUNCE")))
    job = begin(aws)
    assert (status(aws, job)[0], listed(aws)) == ("CREATED", {"ann@example.com": "BOUNCE"})
    aws.clock.sleep(31)
    assert status(aws, job)[0] == "PROCESSING"
    aws.clock.sleep(90)
    assert status(aws, job) == ("COMPLETED", 2, 0)
    assert listed(aws) == {"ann@example.com": "COMPLAINT", "Bob@example.com": "BOUNCE"}


def test_entries_are_written_one_by_one_in_no_order(aws: EmbeddedAws) -> None:
    """While a job is under way some are written and some are not, whatever their place in the object."""
    names = [f"{number:02d}@example.com" for number in range(40)]
    put(aws, lines(*((name, "BOUNCE") for name in names)))
    begin(aws)
    aws.clock.sleep(75)
    there = sorted(listed(aws))
    assert 0 < len(there) < 40
    assert there != names[: len(there)]


def test_a_call_meanwhile_may_be_overwritten(aws: EmbeddedAws) -> None:
    """What is deleted before its record's turn comes is listed again."""
    put(aws, lines(("ann@example.com", "BOUNCE")))
    begin(aws)
    aws.suppression_list.put("ann@example.com", "COMPLAINT")
    aws.suppression_list.delete("ann@example.com")
    aws.clock.sleep(120)
    assert listed(aws) == {"ann@example.com": "BOUNCE"}


def test_deletions(aws: EmbeddedAws) -> None:
    """Spelled exactly, slashes and all; one that is not there is no failure."""
    for address in ("either/or@example.com", "Ann@example.com"):
        aws.suppression_list.put(address, "BOUNCE")
    put(aws, lines(("either/or@example.com", ""), ("ann@example.com", "")))
    job = begin(aws, "DELETE")
    aws.clock.sleep(120)
    assert (status(aws, job), listed(aws)) == (("COMPLETED", 2, 0), {"Ann@example.com": "BOUNCE"})


def test_csv(aws: EmbeddedAws) -> None:
    """The other format: an address and a reason."""
    put(aws, "ann@example.com,BOUNCE\nbob@example.com, COMPLAINT\n")
    begin(aws, data_format="CSV")
    aws.clock.sleep(120)
    assert listed(aws) == {"ann@example.com": "BOUNCE", "bob@example.com": "COMPLAINT"}


def test_records_that_fail(aws: EmbeddedAws) -> None:
    """What SES does not take fails by itself."""
    wrong = ("bounce@simulator.amazonses.com", "BOUNCE"), ("nobody", "BOUNCE"), ("bob@example.com", "SPITE")
    put(aws, lines(("ann@example.com", "BOUNCE"), *wrong) + "[]\n")
    job = begin(aws)
    aws.clock.sleep(120)
    assert (status(aws, job), listed(aws)) == (("COMPLETED", 5, 4), {"ann@example.com": "BOUNCE"})


@pytest.mark.parametrize("text", [None, "ann@example.com,BOUNCE\n"], ids=["no object", "no JSON"])
def test_an_object_that_can_not_be_read(aws: EmbeddedAws, text: str | None) -> None:
    """The job fails, and says so."""
    if text:
        put(aws, text)
    job = begin(aws)
    aws.clock.sleep(120)
    told = aws.client("sesv2").get_import_job(JobId=job)
    assert (told["JobStatus"], told["FailureInfo"]["ErrorMessage"][:20]) == ("FAILED", "The object could not")


@pytest.mark.parametrize("action", MOST_RECORDS)
def test_too_many_records(action: str) -> None:
    """An object holds so many additions, or a tenth as many deletions."""
    clock = VirtualClock(NOON)
    text = lines(*((f"{number}@example.com", "BOUNCE") for number in range(MOST_RECORDS[action] + 1))).encode()
    objects = {"s3://lists/many": text, "s3://lists/most": text[text.index(b"\n") + 1 :]}
    suppression_list = AccountSuppressionList(clock.now, calls_per_second=None, read_object=objects.__getitem__)
    jobs = [suppression_list.create_import_job(action, url, "JSON") for url in objects]
    clock.sleep(120)
    assert [suppression_list.get_import_job(job).status for job in jobs] == ["FAILED", "COMPLETED"]


def test_too_many_jobs(aws: EmbeddedAws) -> None:
    """So many may be unfinished; when one is over there is room for another."""
    put(aws, "")
    for _ in range(MOST_JOBS):
        begin(aws)
    with pytest.raises(ClientError, match="LimitExceededException"):
        begin(aws)
    aws.clock.sleep(120)
    assert status(aws, begin(aws))[0] == "CREATED"


def test_the_sandbox_imports_nothing() -> None:
    """As it puts nothing."""
    with EmbeddedAws(sandbox=True) as aws, pytest.raises(ClientError, match="BadRequestException"):
        begin(aws)


def test_each_call_takes_its_turn() -> None:
    """Both count against the one call a second."""
    clock = VirtualClock(NOON)
    with EmbeddedAws(clock) as aws:
        job = begin(aws)
        for call in (lambda: begin(aws), lambda: status(aws, job)):
            with pytest.raises(ClientError, match="TooManyRequestsException"):
                call()
        clock.sleep(1)
        assert status(aws, job)[0] == "CREATED"


def test_an_unknown_job(aws: EmbeddedAws) -> None:
    """SES has not heard of it."""
    with pytest.raises(ClientError, match="NotFoundException"):
        status(aws, "1")


def test_contact_lists_are_not_here(aws: EmbeddedAws) -> None:
    """The account has none to import into."""
    destination = {"ContactListDestination": {"ContactListName": "all", "ContactListImportAction": "PUT"}}
    source = {"S3Url": f"s3://{BUCKET}/list", "DataFormat": "CSV"}
    with pytest.raises(ClientError, match="BadRequestException"):
        aws.client("sesv2").create_import_job(ImportDestination=destination, ImportDataSource=source)


@pytest.mark.parametrize(
    "wrong", [("ADD", "s3://b/k", "JSON"), ("PUT", "https://b/k", "JSON"), ("PUT", "s3://b/k", "XML")]
)
def test_what_makes_no_sense_is_refused(wrong: tuple[str, str, str]) -> None:
    """Before any object is read."""
    with pytest.raises(BadRequestError):
        AccountSuppressionList(VirtualClock(NOON).now).create_import_job(*wrong)


def test_without_objects_no_job_succeeds() -> None:
    """A list that was given no bucket to read finds nothing in it."""
    clock = VirtualClock(NOON)
    suppression_list = AccountSuppressionList(clock.now, calls_per_second=None, imports_take=timedelta(seconds=8))
    job = suppression_list.create_import_job("PUT", "s3://lists/list", "JSON")
    clock.sleep(8)
    assert suppression_list.get_import_job(job).status == "FAILED"
