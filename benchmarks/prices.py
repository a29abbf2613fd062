"""On-demand prices in US dollars for us-east-1 without the free tier, as of November 2026.

Check the price pages (https://aws.amazon.com/pricing/) before you rely on a computed cost.
"""

MILLION = 1_000_000
GIGABYTE = 1024**3

SNS_PUBLISH = 0.50 / MILLION
"""Up to 64 KB. SNS does not bill deliveries to SQS and Lambda."""
SQS_REQUEST = 0.40 / MILLION
"""Up to 64 KB. A message from SNS counts as a request, too; the price page allows a lower reading."""
LAMBDA_REQUEST = 0.20 / MILLION
LAMBDA_GIGABYTE_SECOND = 0.0000133334
"""On arm64. Neither Lambda nor DynamoDB Streams bills the polling of event sources."""
FIREHOSE_GIGABYTE = 0.029
"""For the first 500 TB a month with Direct PUT. The size of each record is rounded up to a multiple of 5 KB."""
FIREHOSE_RECORD = 5 * 1024
S3_WRITE = 0.005 / 1_000
S3_READ = 0.0004 / 1_000
S3_STORED_GIGABYTE_MONTH = 0.023
"""Standard storage. S3 does not bill event notifications."""
DYNAMODB_WRITE_UNIT = 0.625 / MILLION
DYNAMODB_READ_UNIT = 0.125 / MILLION
DYNAMODB_STORED_GIGABYTE_MONTH = 0.25
DYNAMODB_RECOVERABLE_GIGABYTE_MONTH = 0.20
"""Point-in-time recovery, in addition to storage."""
LOGGED_GIGABYTE = 0.50
PUT_METRIC_DATA = 0.01 / 1_000
CUSTOM_METRIC_MONTH = 0.30
ALARM_METRIC_MONTH = 0.10
"""For each metric that an alarm watches. Three dashboards of up to 50 metrics each are free for an account."""
EVENT = 1.00 / MILLION
"""A custom event of up to 64 KB on EventBridge, or an invocation by EventBridge Scheduler."""
KEY_MONTH = 1.00
KMS_REQUEST = 0.03 / 10_000
