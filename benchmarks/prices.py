"""Prices in US dollars, us-east-1, on demand, without the free tier; November 2026.

They change: look them up again before relying on what is reckoned with them.
"""

MILLION = 1_000_000
GIGABYTE = 1024**3

SNS_PUBLISH = 0.50 / MILLION
"""Up to 64 KB. Delivery to SQS and Lambda costs nothing on SNS's side."""
SQS_REQUEST = 0.40 / MILLION
"""Up to 64 KB; what SNS sends is a request too (the cautious reading of the price page)."""
LAMBDA_REQUEST = 0.20 / MILLION
LAMBDA_GIGABYTE_SECOND = 0.0000133334
"""On arm64. Polling SQS and DynamoDB Streams costs nothing on Lambda's side, nor on that of Streams."""
FIREHOSE_GIGABYTE = 0.029
"""Of the first 500 TB a month put to a stream directly, each record counted as so many times 5 KB."""
FIREHOSE_RECORD = 5 * 1024
S3_WRITE = 0.005 / 1_000
S3_READ = 0.0004 / 1_000
S3_STORED_GIGABYTE_MONTH = 0.023
"""Standard storage. What S3 tells a queue costs nothing on S3's side."""
DYNAMODB_WRITE_UNIT = 0.625 / MILLION
DYNAMODB_READ_UNIT = 0.125 / MILLION
DYNAMODB_STORED_GIGABYTE_MONTH = 0.25
DYNAMODB_RECOVERABLE_GIGABYTE_MONTH = 0.20
"""Point-in-time recovery, on top of storage."""
LOGGED_GIGABYTE = 0.50
PUT_METRIC_DATA = 0.01 / 1_000
CUSTOM_METRIC_MONTH = 0.30
ALARM_MONTH = 0.10
EVENT = 1.00 / MILLION
"""Custom events on EventBridge, up to 64 KB, and invocations by EventBridge Scheduler."""
KEY_MONTH = 1.00
KMS_REQUEST = 0.03 / 10_000
