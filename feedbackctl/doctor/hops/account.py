"""The SES account: whether it may send, and whether its suppression list blocks."""

from collections.abc import Iterator

from feedbackctl.doctor.expected import SUPPRESSED_REASONS
from feedbackctl.doctor.facts import Facts
from feedbackctl.doctor.model import Finding, fail, ok, unknown, warn

_ENFORCEMENT = "https://docs.aws.amazon.com/ses/latest/dg/faqs-enforcement.html"
_GET_ACCOUNT = "https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html"
_SANDBOX = "https://docs.aws.amazon.com/ses/latest/dg/request-production-access.html"
_QUOTA = "https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas.html"
_LIST = "https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html"
_QUOTA_WARNING = 0.8
"""The part of the daily quota from which an account is close to it."""


def check_enforcement(facts: Facts) -> Iterator[Finding]:
    """Check whether SES reviews or has paused the account. A missing or new status is unknown, never good."""
    account = facts.reader.read("sesv2", "get_account")
    case = account.get("Details", {}).get("ReviewDetails", {}).get("CaseId", "")
    advice = f"Answer {f'case {case}' if case else 'the case'} in the AWS Support Center. No command ends a review."
    match account.get("EnforcementStatus"):
        case "HEALTHY":
            yield ok("EnforcementStatus", "HEALTHY")
        case "PROBATION":
            yield warn("EnforcementStatus", "SES reviews this account", advice=advice, url=_ENFORCEMENT)
        case "SHUTDOWN":
            yield fail("EnforcementStatus", "SES has paused this account", advice=advice, url=_ENFORCEMENT)
        case status:
            yield unknown("EnforcementStatus", f"SES reports the status {status!s:.40}")


def check_sending(facts: Facts) -> Iterator[Finding]:
    """Check whether sending is enabled."""
    enabled = facts.reader.read("sesv2", "get_account").get("SendingEnabled")
    if enabled is None:
        yield unknown("SendingEnabled", "SES did not report it")
    elif enabled:
        yield ok("SendingEnabled", "sending is enabled")
    else:
        command = facts.command("sesv2", "put-account-sending-attributes", sending_enabled=True)
        advice = "First find out why sending was disabled."
        yield fail("SendingEnabled", "sending is disabled in this Region", command, advice=advice, url=_GET_ACCOUNT)


def check_sandbox(facts: Facts) -> Iterator[Finding]:
    """Check whether the account is in the sandbox, where SES accepts no suppression list entries."""
    production = facts.reader.read("sesv2", "get_account").get("ProductionAccessEnabled")
    if production is None:
        yield unknown("ProductionAccessEnabled", "SES did not report it")
    elif production:
        yield ok("ProductionAccessEnabled", "outside the sandbox")
    else:
        yield warn(
            "ProductionAccessEnabled",
            "the account is in the sandbox: only verified recipients, and no suppression list entries",
            advice="Request production access in the SES console; AWS asks for your website and use case.",
            url=_SANDBOX,
        )


def check_quota(facts: Facts) -> Iterator[Finding]:
    """Check the daily quota. -1 means none: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendQuota.html."""
    quota = facts.reader.read("sesv2", "get_account").get("SendQuota", {})
    maximum, sent = quota.get("Max24HourSend"), quota.get("SentLast24Hours")
    if maximum is None or sent is None:
        yield unknown("SendQuota", "SES did not report it")
    elif maximum < 0 or sent < _QUOTA_WARNING * maximum:
        yield ok("SendQuota", f"{sent:,.0f} of {'unlimited' if maximum < 0 else f'{maximum:,.0f}'} in 24 hours")
    else:
        message = f"{sent:,.0f} of {maximum:,.0f} emails of the daily quota are used"
        advice = "Request a higher sending quota in the Service Quotas console, service Amazon SES."
        yield (fail if sent >= maximum else warn)("SendQuota", message, advice=advice, url=_QUOTA)


def check_suppressed_reasons(facts: Facts) -> Iterator[Finding]:
    """Check which list entries block email. An entry whose reason is not named here blocks nothing.

    The call that sets the reasons replaces all attributes, so its remedy repeats the validation attributes:
    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutAccountSuppressionAttributes.html
    """
    attributes = facts.reader.read("sesv2", "get_account").get("SuppressionAttributes")
    if attributes is None:
        yield unknown("SuppressedReasons", "SES did not report them")
        return
    missing = [reason for reason in SUPPRESSED_REASONS if reason not in attributes.get("SuppressedReasons", [])]
    if not missing:
        yield ok("SuppressedReasons", "entries for bounces and complaints block email")
        return
    command = facts.command(
        "sesv2",
        "put-account-suppression-attributes",
        suppressed_reasons=SUPPRESSED_REASONS,
        validation_attributes=attributes.get("ValidationAttributes"),
    )
    message = f"entries with the reason {' and '.join(missing)} do not block email in this account"
    own = (facts.configuration_set_facts(facts.configuration_set) or {}).get("SuppressionOptions", {})
    overridden = set(SUPPRESSED_REASONS) <= set(own.get("SuppressedReasons", []))
    if overridden:
        message += f", except with the configuration set {facts.configuration_set}"
    yield (warn if overridden else fail)("SuppressedReasons", message, command, url=_LIST)


CHECKS = (check_enforcement, check_sending, check_sandbox, check_quota, check_suppressed_reasons)
