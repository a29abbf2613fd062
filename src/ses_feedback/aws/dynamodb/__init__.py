"""A direct DynamoDB client: HTTP connections, SigV4 signatures and JSON, without botocore."""
