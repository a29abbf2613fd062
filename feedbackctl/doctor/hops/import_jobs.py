"""Import jobs: whether SES may read their objects, and has written every entry."""

from collections.abc import Iterator
from datetime import UTC, timedelta

from feedbackctl.doctor.aws_reader import NotFoundError
from feedbackctl.doctor.expected import import_read_statement
from feedbackctl.doctor.facts import SES, Facts
from feedbackctl.doctor.model import Finding, fail, ok, skipped, warn
from feedbackctl.doctor.policy_check import Decision, ServiceRequest, evaluate, with_statement

_LIST = "https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html"
_JOB = "https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetImportJob.html"
_RECENT = timedelta(days=7)
_SHOWN = 5


def check_bucket(facts: Facts) -> Iterator[Finding]:
    """Check whether the bucket policy lets SES read."""
    bucket = facts.stack.resources.get("ImportBucket", "")
    if facts.stack.parameters.get("SuppressionBacklogHours", "6") == "0" or not bucket:
        yield skipped("ImportBucket", "import jobs are disabled (SuppressionBacklogHours)")
        return
    try:
        policy = facts.reader.read("s3", "get_bucket_policy", Bucket=bucket)["Policy"]
    except NotFoundError:
        policy = None
    resource = f"arn:{facts.stack.partition}:s3:::{bucket}/imports/object"
    context = {"aws:sourceaccount": facts.stack.account, "aws:referer": facts.stack.account}
    request = ServiceRequest(SES, "s3:GetObject", resource, {**context, "aws:securetransport": "true"})
    decision = evaluate(policy, request)
    if decision in {Decision.ALLOWED, Decision.UNDETERMINED}:
        yield ok("ImportBucket", "SES may read")
        return
    fixed = with_statement(policy, import_read_statement(facts, bucket), request)
    command = facts.command("s3api", "put-bucket-policy", bucket=bucket, policy=fixed)
    yield fail("ImportBucket", f"its policy does not let SES read ({decision})", command, url=_LIST)


def check_jobs(facts: Facts) -> Iterator[Finding]:
    """Check the jobs of the last week. A completed job with failed records has not written every entry."""
    jobs = facts.reader.read("sesv2", "list_import_jobs", ImportDestinationType="SUPPRESSION_LIST", PageSize=100)
    recent = [
        job for job in jobs.get("ImportJobs", []) if job["CreatedTimestamp"].astimezone(UTC) > facts.now - _RECENT
    ]
    bad = [job for job in recent if job["JobStatus"] == "FAILED" or job.get("FailedRecordsCount")]
    for job in bad[:_SHOWN]:
        command = facts.command("sesv2", "get-import-job", job_id=job["JobId"])
        status, failed = job["JobStatus"], job.get("FailedRecordsCount", 0)
        message = f"import job {job['JobId']} is {status} with {failed:,} failed records. This shows why"
        advice = "The stack writes the entries of its own jobs again, by single calls."
        yield warn("import jobs", message, command, advice=advice, url=_JOB)
    if not bad:
        yield ok("import jobs", f"{len(recent)} in a week, none with failures")


CHECKS = (check_bucket, check_jobs)
