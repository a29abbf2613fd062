"""Refusals of IAM that code below the commands reports as an error code: the operator reads which action is missing."""

from feedbackctl.aws_failures import DENIED

INSERT, UPDATE = "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"
READ = "dynamodb:BatchGetItem"
RATE_LIMITER = "dynamodb:GetItem and dynamodb:UpdateItem"
"""Actions by which contacts are written and read, and SES calls reserve their moment."""


def describe_code(code: str, action: str) -> str:
    """Return that the policy lacks `action` if the error code is one of IAM, else the code itself."""
    if code not in DENIED:
        return code
    return f"access denied: your IAM policy does not allow {action}; `feedbackctl iam` prints one that does"
