"""DNS records that SES does not judge: DMARC, and the SPF record of a custom MAIL FROM domain. Only with `--dns`."""

from collections.abc import Callable, Iterator

from feedbackctl.doctor.aws_reader import UnavailableError
from feedbackctl.doctor.facts import Facts
from feedbackctl.doctor.identities import read_identities
from feedbackctl.doctor.model import Finding, ok, unknown, warn

Lookup = Callable[[str], list[str]]
"""Return the TXT records of a name; none if the name does not exist. Raises `UnavailableError`."""
_DMARC = "https://docs.aws.amazon.com/ses/latest/dg/send-email-authentication-dmarc.html"
_SPF = "https://docs.aws.amazon.com/ses/latest/dg/mail-from.html"
_MAX_LABELS = 8
"""The names that the search for a DMARC policy asks at most: https://www.rfc-editor.org/rfc/rfc9989"""


def create_check(look_up: Lookup) -> Callable[[Facts], Iterator[Finding]]:
    """Return the check of the verified domains, with this resolver."""

    def check_domains(facts: Facts) -> Iterator[Finding]:
        for identity in read_identities(facts):
            if not identity.is_verified:
                continue
            domain = identity.name.rpartition("@")[2]
            yield _guard(_check_dmarc, domain, look_up)
            if mail_from := identity.mail_from.get("MailFromDomain"):
                yield _guard(_check_spf, mail_from, look_up)

    return check_domains


def _guard(check: Callable[[str, Lookup], Finding], name: str, look_up: Lookup) -> Finding:
    try:
        return check(name, look_up)
    except UnavailableError as error:
        return unknown(name, f"its DNS records cannot be read: {error}")


def _check_dmarc(domain: str, look_up: Lookup) -> Finding:
    """Return the finding on the DMARC policy of a domain, which is its own or that of a domain above."""
    labels = domain.split(".")
    names = [".".join(labels[start:]) for start in range(max(0, len(labels) - _MAX_LABELS), len(labels) - 1)]
    for name in names:
        records = [text for text in look_up(f"_dmarc.{name}") if text.replace(" ", "").startswith("v=DMARC1")]
        if len(records) > 1:
            return warn(domain, f"_dmarc.{name} has {len(records)} DMARC records, so none counts", url=_DMARC)
        if records:
            return ok(domain, f"_dmarc.{name} has a DMARC policy")
    advice = f'Publish the TXT record "v=DMARC1; p=none; rua=mailto:dmarc@{domain}" at _dmarc.{domain}.'
    message = "it has no DMARC policy, which Gmail, Yahoo and Microsoft require of senders of bulk email"
    return warn(domain, message, advice=advice, url=_DMARC)


def _check_spf(name: str, look_up: Lookup) -> Finding:
    """Return the finding on the SPF record of a MAIL FROM domain. That of the From domain is irrelevant with SES."""
    records = [text for text in look_up(name) if text.lower().startswith("v=spf1")]
    advice = f'Publish exactly one SPF record at {name}: the TXT record "v=spf1 include:amazonses.com ~all".'
    if len(records) != 1:
        return warn(name, f"the MAIL FROM domain has {len(records)} SPF records", advice=advice, url=_SPF)
    if "include:amazonses.com" not in records[0].lower().split():
        return warn(name, "the SPF record of the MAIL FROM domain does not include SES", advice=advice, url=_SPF)
    return ok(name, "the MAIL FROM domain has an SPF record for SES")
