"""SES's settings of account, identities, tenants and contact lists."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from localaws.server.http_messages import Request, Response
from localaws.server.ses_settings import AccountSettings
from localaws.server.ses_settings_api import SettingsApi

OK = Response(200, {}, b"{}")


def ask_v1(settings: AccountSettings, action: str, **form: str) -> str:
    body = urlencode({"Action": action, **form}).encode()
    response = SettingsApi(settings, list).respond(Request("POST", "/", "", {}, body), OK)
    assert response is not None
    return response.body.decode()


def ask_v2(settings: AccountSettings, method: str, path: str, answer: Any = None, **document: Any) -> Any:  # noqa: ANN401 (JSON)
    request = Request(method, f"/v2/email/{path}", "", {}, json.dumps(document).encode())
    api = SettingsApi(settings, lambda: ["old.example.com"])
    response = api.respond(request, OK._replace(body=json.dumps(answer or {}).encode()))
    return None if response is None else json.loads(response.body)


def test_topics_of_an_identity_are_set_and_cleared() -> None:
    settings = AccountSettings()
    ask_v1(
        settings, "SetIdentityNotificationTopic", Identity="example.com", NotificationType="Bounce", SnsTopic="arn:1"
    )
    asked = {"Identities.member.1": "example.com"}
    assert "<BounceTopic>arn:1</BounceTopic>" in ask_v1(settings, "GetIdentityNotificationAttributes", **asked)
    ask_v1(settings, "SetIdentityNotificationTopic", Identity="example.com", NotificationType="Bounce")
    assert "BounceTopic" not in ask_v1(settings, "GetIdentityNotificationAttributes", **asked)


def test_statuses_are_written_as_version_one_writes_them() -> None:
    settings = AccountSettings()
    settings.change({"identities": {"example.com": {"dkim": "TEMPORARY_FAILURE", "mail_from": "m.example.com"}}})
    asked = {"Identities.member.1": "example.com"}
    assert ">TemporaryFailure<" in ask_v1(settings, "GetIdentityDkimAttributes", **asked)
    answer = ask_v1(settings, "GetIdentityMailFromDomainAttributes", **asked)
    assert "<MailFromDomain>m.example.com</MailFromDomain>" in answer
    assert "<BehaviorOnMXFailure>UseDefaultValue<" in answer


def test_identities_of_both_versions_are_listed_with_their_status() -> None:
    settings = AccountSettings()
    settings.identities["example.com"].verification = "PENDING"
    document = ask_v2(settings, "GET", "identities", {"EmailIdentities": [{"IdentityName": "example.com"}]})
    assert {each["IdentityName"]: each["VerificationStatus"] for each in document["EmailIdentities"]} == {
        "example.com": "PENDING",
        "old.example.com": "SUCCESS",
    }


def test_mail_from_domain_is_returned_with_the_identity() -> None:
    settings = AccountSettings()
    assert "MailFromAttributes" not in ask_v2(settings, "GET", "identities/example.com")
    assert ask_v2(settings, "PUT", "identities/example.com/mail-from", MailFromDomain="m.example.com") == {}
    attributes = ask_v2(settings, "GET", "identities/example.com")["MailFromAttributes"]
    assert (attributes["MailFromDomain"], attributes["BehaviorOnMxFailure"]) == ("m.example.com", "USE_DEFAULT_VALUE")


def test_default_configuration_set_is_returned_with_the_identity() -> None:
    settings = AccountSettings()
    assert ask_v2(settings, "PUT", "identities/example.com/configuration-set", ConfigurationSetName="mail") == {}
    assert ask_v2(settings, "GET", "identities/example.com")["ConfigurationSetName"] == "mail"


def test_disabled_tenant_is_enabled_by_its_customer() -> None:
    settings = AccountSettings(tenant_status={"shop": "DISABLED"})
    tenant = {"Tenant": {"TenantName": "shop"}}
    assert ask_v2(settings, "POST", "tenants/get", tenant)["Tenant"]["SendingStatus"] == "DISABLED"
    entity = "reputation/entities/RESOURCE/arn%3Aaws%3Ases%3Ax%3A1%3Atenant%2Fshop%2Fid"
    assert ask_v2(settings, "PUT", f"{entity}/customer-managed-status", SendingStatus="ENABLED") == {}
    assert ask_v2(settings, "GET", entity)["ReputationEntity"]["SendingStatusAggregate"] == "ENABLED"


def test_contact_list_has_its_topics() -> None:
    settings = AccountSettings()
    ask_v2(settings, "POST", "contact-lists", ContactListName="readers", Topics=[{"TopicName": "offers"}])
    assert ask_v2(settings, "GET", "contact-lists") == {"ContactLists": [{"ContactListName": "readers"}]}
    assert ask_v2(settings, "GET", "contact-lists/readers")["Topics"] == [{"TopicName": "offers"}]


def test_account_has_the_status_that_ses_gave_it() -> None:
    settings = AccountSettings()
    settings.change({"enforcement": "SHUTDOWN", "sent": 3.0})
    assert ask_v2(settings, "PUT", "account/sending", SendingEnabled=False) == {}
    document = SettingsApi(settings, list).describe_account({"SendQuota": {"Max24HourSend": 200.0}})
    assert document["EnforcementStatus"] == "SHUTDOWN"
    assert not document["SendingEnabled"]
    assert document["SendQuota"] == {"Max24HourSend": 200.0, "SentLast24Hours": 3.0}


def test_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(KeyError):
        AccountSettings().change({"colour": "blue"})


def test_other_requests_are_left_to_the_emulator() -> None:
    assert ask_v2(AccountSettings(), "GET", "templates") is None
