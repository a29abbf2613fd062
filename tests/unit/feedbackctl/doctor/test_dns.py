"""The checks of DNS records."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from feedbackctl.doctor import dns_resolver
from feedbackctl.doctor.aws_reader import UnavailableError
from feedbackctl.doctor.hops import dns
from feedbackctl.doctor.model import Finding, State
from feedbackctl.errors import OperatorError
from tests.support.doctor_aws import DoctorAws

SPF = "v=spf1 include:amazonses.com ~all"


def check(records: dict[str, list[str]], domain: str = "news.example.com") -> list[Finding]:
    aws = DoctorAws()
    aws.identities = {domain: {"mail_from": {"MailFromDomain": f"mail.{domain}"}}}
    return list(dns.create_check(lambda name: records.get(name, []))(aws.read_again()))


@pytest.mark.parametrize("name", ["_dmarc.news.example.com", "_dmarc.example.com"])
def test_dmarc_policy_of_the_domain_or_of_one_above_it_is_enough(name: str) -> None:
    found = check({name: ["v=DMARC1; p=none"], "mail.news.example.com": [SPF, "other"]})
    assert [finding.state for finding in found] == [State.OK, State.OK]


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ({}, "no DMARC policy"),
        ({"_dmarc.example.com": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, "2 DMARC records"),
        ({"_dmarc.example.com": ["v=DMARC1; p=none"]}, "0 SPF records"),
        ({"_dmarc.example.com": ["v=DMARC1; p=none"], "mail.news.example.com": ["v=spf1 -all"]}, "does not include"),
        ({"_dmarc.example.com": ["v=DMARC1; p=none"], "mail.news.example.com": [SPF, SPF]}, "2 SPF records"),
    ],
)
def test_missing_or_ambiguous_record_is_a_warning(records: dict[str, list[str]], words: str) -> None:
    warnings = [finding.message for finding in check(records) if finding.state is State.WARN]
    assert words in " ".join(warnings)


def test_name_server_that_does_not_answer_is_unknown() -> None:
    def look_up(_name: str) -> list[str]:
        raise UnavailableError("LifetimeTimeout")

    aws = DoctorAws()
    found = list(dns.create_check(look_up)(aws.read_again()))
    assert [finding.state for finding in found] == [State.UNKNOWN]


class ResolverError(Exception):
    """An error of dnspython."""


def install(monkeypatch: pytest.MonkeyPatch, resolve: Callable[..., object]) -> None:
    """Replace dnspython."""
    modules = {
        "dns.resolver": SimpleNamespace(resolve=resolve, NXDOMAIN=KeyError, NoAnswer=IndexError),
        "dns.exception": SimpleNamespace(DNSException=ResolverError),
    }
    monkeypatch.setattr(dns_resolver, "import_module", modules.__getitem__)


def test_strings_of_a_record_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lambda *_, **__: [SimpleNamespace(strings=[b"v=spf1 ", b"-all"])])
    assert dns_resolver.look_up_txt("example.com") == ["v=spf1 -all"]


@pytest.mark.parametrize("error", [KeyError, IndexError])
def test_name_without_records_has_none(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def resolve(*_: object, **__: object) -> None:
        raise error

    install(monkeypatch, resolve)
    assert dns_resolver.look_up_txt("example.com") == []


def test_resolver_without_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> None:
        raise ResolverError

    install(monkeypatch, resolve)
    with pytest.raises(UnavailableError, match="ResolverError"):
        dns_resolver.look_up_txt("example.com")


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def import_module(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(dns_resolver, "import_module", import_module)
    with pytest.raises(OperatorError, match="extra `dns`"):
        dns_resolver.look_up_txt("example.com")
