"""The AWS account of the benchmarks: the names and credentials that the stub, the functions and the baseline share."""

REGION = "us-east-1"
TABLE = "Contacts"
QUARANTINE = f"https://sqs.{REGION}.amazonaws.com/123456789012/Quarantine"
BUCKET = "deliveries"
CONFIGURATION_SET = "receipts"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "stub",
    "AWS_SECRET_ACCESS_KEY": "stub",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
