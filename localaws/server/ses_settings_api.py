"""The operations of SES about settings, in both versions of the API, as far as ministack lacks them.

https://docs.aws.amazon.com/ses/latest/APIReference/Welcome.html (version 1, forms and XML) and
https://docs.aws.amazon.com/ses/latest/APIReference-V2/Welcome.html (version 2, JSON)
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from localaws.server.http_messages import Request, Response
from localaws.server.ses_settings import AccountSettings

_XMLNS = "http://ses.amazonaws.com/doc/2010-12-01/"
_PREFIX = "/v2/email/"
_OK = 200
Form = Mapping[str, str]
Document = dict[str, Any]


class SettingsApi:
    """Responds to requests about the settings of one account, after ministack has authorized and answered them."""

    def __init__(self, settings: AccountSettings, v1_identities: Callable[[], Iterable[str]]) -> None:
        """Serve `settings`. `v1_identities` returns the identities that version 1 of the API created."""
        self._settings = settings
        self._v1_identities = v1_identities

    def respond(self, request: Request, response: Response) -> Response | None:
        """Return the response to a request, or None if ministack's response is the right one."""
        if request.path.startswith(_PREFIX):
            return self._respond_v2(request, response)
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        operation = self._V1.get(form.get("Action", ""))
        return None if operation is None else _xml(form["Action"], operation(self, form))

    def _get_notifications(self, form: Form) -> str:
        def describe(name: str) -> str:
            settings = self._settings.identities[name]
            topics = "".join(_element(f"{kind}Topic", topic) for kind, topic in settings.topics.items() if topic)
            return topics + _element("ForwardingEnabled", settings.forwarding)

        return _map("NotificationAttributes", form, describe)

    def _get_dkim(self, form: Form) -> str:
        def describe(name: str) -> str:
            settings = self._settings.identities[name]
            status = _element("DkimVerificationStatus", _camel(settings.dkim))
            return _element("DkimEnabled", settings.signing) + status + "<DkimTokens/>"

        return _map("DkimAttributes", form, describe)

    def _get_mail_from(self, form: Form) -> str:
        def describe(name: str) -> str:
            settings = self._settings.identities[name]
            return (
                _element("MailFromDomain", settings.mail_from)
                + _element("MailFromDomainStatus", _camel(settings.mail_from_status))
                + _element("BehaviorOnMXFailure", _camel(settings.on_mx_failure))
            )

        return _map("MailFromDomainAttributes", form, describe)

    def _set_mail_from(self, form: Form) -> str:
        settings = self._settings.identities[form["Identity"]]
        settings.mail_from = form.get("MailFromDomain", "")
        behavior = form.get("BehaviorOnMXFailure", "UseDefaultValue")
        settings.on_mx_failure = {"RejectMessage": "REJECT_MESSAGE"}.get(behavior, "USE_DEFAULT_VALUE")
        return ""

    def _set_topic(self, form: Form) -> str:
        topics = self._settings.identities[form["Identity"]].topics
        topics.pop(form["NotificationType"], None)
        if form.get("SnsTopic"):
            topics[form["NotificationType"]] = form["SnsTopic"]
        return ""

    def _set_forwarding(self, form: Form) -> str:
        self._settings.identities[form["Identity"]].forwarding = form["ForwardingEnabled"] == "true"
        return ""

    _V1: ClassVar[dict[str, Callable[..., str]]] = {
        "GetIdentityNotificationAttributes": _get_notifications,
        "GetIdentityDkimAttributes": _get_dkim,
        "GetIdentityMailFromDomainAttributes": _get_mail_from,
        "SetIdentityMailFromDomain": _set_mail_from,
        "SetIdentityNotificationTopic": _set_topic,
        "SetIdentityFeedbackForwardingEnabled": _set_forwarding,
    }

    def _respond_v2(self, request: Request, response: Response) -> Response | None:
        parts = tuple(map(unquote, request.path.removeprefix(_PREFIX).strip("/").split("/")))
        asked = _parse(request.body)
        match (request.method, *parts):
            case ("PUT", "account", "sending"):
                self._settings.sending = bool(asked.get("SendingEnabled"))
                return _json({})
            case ("GET", "identities") | ("POST", "list-identities"):
                return self._list_identities(response)
            case ("GET", "identities", name) if response.status == _OK:
                return self._get_identity(name, response)
            case ("PUT", "identities", name, option):
                return self._put_identity_option(name, option, asked)
            case ("GET" | "PUT", "reputation", "entities", _, reference, *_):
                return self._follow_entity(request.method, reference, asked)
            case ("GET", "tenants", *_) | ("POST", "tenants", "get"):
                return self._with_tenant_status(response)
            case ("GET" | "POST", "contact-lists", *rest):
                return self._follow_contact_lists(request.method, rest, asked)
        return None

    def describe_account(self, document: Document) -> Document:
        """Return the document of GetAccount with these settings."""
        settings = self._settings
        quota = {**document.get("SendQuota", {}), "SentLast24Hours": settings.sent}
        changed = {"EnforcementStatus": settings.enforcement, "SendingEnabled": settings.sending, "SendQuota": quota}
        return {**document, **changed}

    def _list_identities(self, response: Response) -> Response:
        document = _parse(response.body)
        listed = {each["IdentityName"]: each for each in document.get("EmailIdentities", [])}
        for name in self._v1_identities():
            kind = "EMAIL_ADDRESS" if "@" in name else "DOMAIN"
            listed.setdefault(name, {"IdentityName": name, "IdentityType": kind, "SendingEnabled": True})
        for name, each in listed.items():
            each["VerificationStatus"] = self._settings.identities[name].verification
        return _json({**document, "EmailIdentities": list(listed.values())})

    def _get_identity(self, name: str, response: Response) -> Response:
        settings, document = self._settings.identities[name], _parse(response.body)
        document["VerificationStatus"] = settings.verification
        document["FeedbackForwardingStatus"] = settings.forwarding
        document["DkimAttributes"] = {
            **document.get("DkimAttributes", {}),
            "SigningEnabled": settings.signing,
            "Status": settings.dkim,
        }
        if settings.mail_from:
            document["MailFromAttributes"] = {
                "MailFromDomain": settings.mail_from,
                "MailFromDomainStatus": settings.mail_from_status,
                "BehaviorOnMxFailure": settings.on_mx_failure,
            }
        if settings.configuration_set:
            document["ConfigurationSetName"] = settings.configuration_set
        return _json(document)

    def _put_identity_option(self, name: str, option: str, asked: Document) -> Response | None:
        settings = self._settings.identities[name]
        match option:
            case "configuration-set":
                settings.configuration_set = asked.get("ConfigurationSetName") or ""
            case "dkim":
                settings.signing = bool(asked.get("SigningEnabled"))
            case "feedback":
                settings.forwarding = bool(asked.get("EmailForwardingEnabled"))
            case "mail-from":
                settings.mail_from = asked.get("MailFromDomain") or ""
                settings.on_mx_failure = asked.get("BehaviorOnMxFailure") or "USE_DEFAULT_VALUE"
            case _:
                return None
        return _json({})

    def _follow_entity(self, method: str, reference: str, asked: Document) -> Response:
        tenant = reference.split("/")[1] if "/" in reference else reference
        if method == "PUT":
            self._settings.tenant_status[tenant] = asked["SendingStatus"]
            return _json({})
        status = self._settings.tenant_status.get(tenant, "ENABLED")
        entity = {
            "ReputationEntityReference": reference,
            "ReputationEntityType": "RESOURCE",
            "CustomerManagedStatus": {"Status": status},
            "AwsSesManagedStatus": {"Status": "ENABLED"},
            "SendingStatusAggregate": status,
        }
        return _json({"ReputationEntity": entity})

    def _with_tenant_status(self, response: Response) -> Response | None:
        document = _parse(response.body)
        if response.status != _OK or "Tenant" not in document:
            return None
        tenant = document["Tenant"]
        tenant["SendingStatus"] = self._settings.tenant_status.get(tenant["TenantName"], "ENABLED")
        return _json(document)

    def _follow_contact_lists(self, method: str, rest: list[str], asked: Document) -> Response:
        lists = self._settings.contact_lists
        if method == "POST":
            lists[asked["ContactListName"]] = asked.get("Topics", [])
            return _json({})
        if not rest:
            return _json({"ContactLists": [{"ContactListName": name} for name in lists]})
        return _json({"ContactListName": rest[0], "Topics": lists.get(rest[0], [])})


def _parse(body: bytes) -> Document:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _json(document: Document) -> Response:
    return Response(_OK, {"content-type": "application/json"}, json.dumps(document).encode())


def _xml(action: str, result: str) -> Response:
    text = f'<{action}Response xmlns="{_XMLNS}"><{action}Result>{result}</{action}Result></{action}Response>'
    return Response(_OK, {"content-type": "text/xml"}, text.encode())


def _map(name: str, form: Form, describe: Callable[[str], str]) -> str:
    """Return a map of the identities that a form names, in XML."""
    identities = [value for key, value in form.items() if key.startswith("Identities.member.")]
    entries = "".join(f"<entry>{_element('key', each)}<value>{describe(each)}</value></entry>" for each in identities)
    return f"<{name}>{entries}</{name}>"


def _element(name: str, value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else escape(str(value))
    return f"<{name}>{text}</{name}>" if text else ""


def _camel(status: str) -> str:
    """Return a status of version 2, such as `TEMPORARY_FAILURE`, as version 1 writes it."""
    return "".join(word.capitalize() for word in status.split("_"))
