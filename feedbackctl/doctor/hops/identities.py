"""The sending identities: whether they are verified, and whether their feedback reaches the stack."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from feedbackctl.doctor.facts import Facts
from feedbackctl.doctor.hops.configuration_sets import publishes_to_stack
from feedbackctl.doctor.identities import Identity, read_default_sets, read_identities
from feedbackctl.doctor.model import Finding, fail, ok, skipped, warn
from ses_feedback.settings import LANES

_VERIFY = "https://docs.aws.amazon.com/ses/latest/dg/creating-identities.html"
_DKIM = "https://docs.aws.amazon.com/ses/latest/dg/send-email-authentication-dkim.html"
_MAIL_FROM = "https://docs.aws.amazon.com/ses/latest/dg/mail-from.html"
_TOPICS = "https://docs.aws.amazon.com/ses/latest/dg/configure-sns-notifications.html"
_FORWARDING = "https://docs.aws.amazon.com/ses/latest/dg/monitor-sending-activity-using-notifications-email.html"
_DEFAULT_SET = "https://docs.aws.amazon.com/ses/latest/dg/managing-configuration-sets.html"


def check_verification(facts: Facts) -> Iterator[Finding]:
    """Check whether SES accepts email from the identities."""
    identities = read_identities(facts)
    for name in sorted(set(facts.identities) - {identity.name for identity in identities}):
        command = facts.command("sesv2", "create-email-identity", email_identity=name)
        yield fail(name, "SES does not have this identity in this Region", command, url=_VERIFY)
    verified = [identity for identity in identities if identity.is_verified]
    severity = fail if facts.identities or not verified else warn
    for identity in identities:
        if not identity.is_verified:
            yield severity(
                identity.name,
                f"the verification is {identity.verification or 'unknown'}",
                _verification_command(facts, identity),
                advice="For a domain, the command shows the DNS records to publish. SES checks them within 72 hours.",
                url=_VERIFY,
            )
    if not identities and not facts.identities:
        yield fail(
            "identities",
            f"SES has no identity in {facts.stack.region}, so no email is sent from this Region",
            advice="Check the Region, or verify the domain that you send from.",
            url=_VERIFY,
        )
    if verified:
        yield ok("verification", _count(verified, "verified"))


def check_dkim(facts: Facts) -> Iterator[Finding]:
    """Check whether SES signs the email of verified domains. An address uses the setting of its domain."""
    domains = [identity for identity in read_identities(facts) if identity.is_verified and identity.is_domain]
    signed = [each for each in domains if each.dkim.get("DkimEnabled") and _dkim_status(each) == "Success"]
    for identity in domains:
        if identity in signed:
            continue
        if _dkim_status(identity) == "Success":
            command = facts.command(
                "sesv2", "put-email-identity-dkim-attributes", email_identity=identity.name, signing_enabled=True
            )
            yield warn(identity.name, "SES does not sign its email with DKIM", command, url=_DKIM)
        else:
            yield warn(
                identity.name,
                f"its DKIM status is {_dkim_status(identity)}",
                _verification_command(facts, identity),
                advice="Publish the CNAME records that the command shows.",
                url=_DKIM,
            )
    if signed:
        yield ok("DKIM", _count(signed, "signed"))


def check_mail_from(facts: Facts) -> Iterator[Finding]:
    """Check the custom MAIL FROM domains. SES judges their MX record itself."""
    for identity in read_identities(facts):
        status, domain = identity.mail_from.get("MailFromDomainStatus"), identity.mail_from.get("MailFromDomain")
        if not domain or status == "Success":
            continue
        advice = f"Publish the MX record `10 feedback-smtp.{facts.stack.region}.amazonses.com` at {domain}."
        message = f"the MX record of its MAIL FROM domain {domain} is {status}"
        if identity.mail_from.get("BehaviorOnMXFailure") != "RejectMessage":
            yield warn(identity.name, f"{message}; SES uses its own domain", advice=advice, url=_MAIL_FROM)
            continue
        command = facts.command(
            "ses",
            "set-identity-mail-from-domain",
            identity=identity.name,
            mail_from_domain=domain,
            behavior_on_mx_failure="UseDefaultValue",
        )
        yield fail(identity.name, f"{message}, and SES refuses its email", command, advice=advice, url=_MAIL_FROM)


def check_topics(facts: Facts) -> Iterator[Finding]:
    """Check whether feedback on the email of each identity reaches the stack."""
    identities = [identity for identity in read_identities(facts) if identity.is_verified]
    defaults = read_default_sets(facts)
    with_topics = {identity.name for identity in identities if identity.own_topics(facts)}
    for identity in identities:
        default_set = defaults.get(identity.name)
        if identity.name in with_topics:
            yield from _check_own_topics(facts, identity, default_set or "")
        elif identity.topics:
            yield skipped(identity.name, "it publishes to topics outside this stack")
        elif identity.name.rpartition("@")[2] in with_topics:
            yield _judge_address(facts, identity)
        elif default_set is not None:
            yield _judge_default_set(facts, identity, default_set)
    if unread := [each for each in identities if not each.topics and each.name not in defaults]:
        yield ok("default sets", f"not read for {len(unread)} identities: use --identity NAME")
    if with_topics:
        yield ok("topics", f"{len(with_topics)} publish to the topics of this stack")


def _check_own_topics(facts: Facts, identity: Identity, default_set: str) -> Iterator[Finding]:
    missing = [kind for kind in _needed(facts) if kind not in identity.topics]
    if missing:
        message = (
            f"it has a topic of this stack for {_join(sorted(identity.own_topics(facts)))}, but none for "
            f"{_join(missing)}. SES removes a topic that it cannot publish to"
        )
        yield fail(identity.name, message, *_topic_commands(facts, identity, missing), url=_TOPICS)
    if foreign := sorted(set(identity.topics) - identity.own_topics(facts)):
        commands = _topic_commands(facts, identity, foreign)
        yield warn(identity.name, f"its topic for {_join(foreign)} is not of this stack", *commands, url=_TOPICS)
    if default_set and publishes_to_stack(facts, default_set, "BOUNCE"):
        yield warn(
            identity.name,
            f"its topics and its default configuration set {default_set} both publish to this stack. Contacts are "
            "unaffected; metrics are double-counted",
            advice="Keep one of them (docs/operate/connect.md).",
            url=_TOPICS,
        )
    if identity.forwarding and {"Bounce", "Complaint"} <= identity.own_topics(facts):
        command = facts.command(
            "ses", "set-identity-feedback-forwarding-enabled", identity=identity.name, forwarding_enabled=False
        )
        message = "SES also sends each bounce and complaint as email to the return path"
        yield warn(identity.name, message, command, url=_FORWARDING)


def _judge_address(facts: Facts, identity: Identity) -> Finding:
    """Return the finding on an address without topics whose domain has some."""
    message = "it has no topics, and those of its domain do not count for an address that is verified by itself"
    return warn(identity.name, message, *_topic_commands(facts, identity, _needed(facts)), url=_TOPICS)


def _judge_default_set(facts: Facts, identity: Identity, default_set: str) -> Finding:
    """Return the finding on an identity without topics. An empty `default_set` is none."""
    if default_set:
        return ok(identity.name, f"its default configuration set is {default_set}")
    message = "it has no topics and no default configuration set"
    command = facts.command(
        "sesv2",
        "put-email-identity-configuration-set-attributes",
        email_identity=identity.name,
        configuration_set_name=facts.configuration_set,
    )
    if facts.is_silent:
        sent = f"{facts.sent_in_a_day():,.0f} emails were sent in 24 hours without any feedback"
        finding = fail(identity.name, f"{message}, and {sent}", command, url=_DEFAULT_SET)
        return replace(finding, is_inferred=True)
    note = "feedback arrives only for email that names a configuration set"
    return ok(identity.name, f"{message}; {note}")


def _needed(facts: Facts) -> tuple[str, ...]:
    """Return the kinds of feedback that an identity must publish."""
    return LANES if facts.deliveries_by == "Topic" else ("Bounce", "Complaint")


def _topic_commands(facts: Facts, identity: Identity, kinds: Iterable[str]) -> list[str]:
    return [
        facts.command(
            "ses",
            "set-identity-notification-topic",
            identity=identity.name,
            notification_type=kind,
            sns_topic=facts.topics[kind],
        )
        for kind in kinds
    ]


def _verification_command(facts: Facts, identity: Identity) -> str:
    if identity.is_domain:
        return facts.command("sesv2", "get-email-identity", email_identity=identity.name, query="DkimAttributes")
    return facts.command("ses", "verify-email-identity", email_address=identity.name)


def _dkim_status(identity: Identity) -> str:
    return str(identity.dkim.get("DkimVerificationStatus", "unknown"))


def _count(identities: list[Identity], state: str) -> str:
    names = ", ".join(identity.name for identity in identities[:3])
    more = f" and {len(identities) - 3} more" if len(identities) > 3 else ""  # noqa: PLR2004 (the names shown)
    return f"{names}{more}: {state}"


def _join(kinds: Iterable[str]) -> str:
    names = {"Bounce": "bounces", "Complaint": "complaints", "Delivery": "deliveries"}
    return " and ".join(names[kind] for kind in kinds)


CHECKS = (check_verification, check_dkim, check_mail_from, check_topics)
