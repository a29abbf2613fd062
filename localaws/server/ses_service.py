"""The parts of SES that ministack lacks: the suppression list, the sandbox, and feedback on sent emails."""

import json
import threading
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from localaws.server.event_publishing import Outbox, Publication
from localaws.server.feedback_messages import to_event, to_notification
from localaws.server.http_messages import Response
from localaws.server.mailbox_simulator import Email, Feedback, create_feedback, parse_recipient
from localaws.server.ses_settings import AccountSettings
from localaws.server.ses_settings_api import SettingsApi
from localaws.suppression_list.account_list import AccountSuppressionList
from localaws.suppression_list.entries import SuppressionReason
from localaws.suppression_list.rest_api import SuppressionListApi

if TYPE_CHECKING:
    from localaws.server.http_messages import Request
    from localaws.server.ministack_internals import Emulator, Scope
    from localaws.server.send_requests import SentEmail

_IMPORT_DURATION = timedelta(seconds=2)
_DESTINATION_NOTICE = "Successfully validated SNS topic for Amazon SES event publishing."
_EVENT_SUBJECT = "Amazon SES Email Event Notification"
# Values of MatchingEventTypes, where they are not the upper-case event type:
# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_EventDestinationDefinition.html
_MATCHING_TYPES = {"Rendering Failure": "RENDERING_FAILURE", "DeliveryDelay": "DELIVERY_DELAY"}


class SesService:
    """SES, with a suppression list for each account and Region. `sent` is the number of accepted emails."""

    def __init__(self, emulator: "Emulator") -> None:
        """Publish to the topics and streams of `emulator`, and import from its objects."""
        self._emulator = emulator
        self._sending = threading.Lock()
        self._sandbox = False
        self._apis: dict[Scope, SuppressionListApi] = {}
        self.sent = 0
        self.settings: defaultdict[Scope, AccountSettings] = defaultdict(AccountSettings)
        self.outbox = Outbox(emulator.publish)
        self.lists: dict[Scope, AccountSuppressionList] = defaultdict(
            lambda: AccountSuppressionList(
                _now, sandbox=self._sandbox, read_object=emulator.read_object, import_duration=_IMPORT_DURATION
            )
        )

    def set_sandbox(self, *, sandbox: bool) -> None:
        """Put the account into the SES sandbox, or take it out."""
        self._sandbox = sandbox
        for suppression_list in self.lists.values():
            suppression_list.sandbox = sandbox

    def list_api(self) -> SuppressionListApi:
        """Return the API of the suppression list for the current request."""
        scope = self._emulator.scope()
        if scope not in self._apis:
            self._apis[scope] = SuppressionListApi(self.lists[scope])
        return self._apis[scope]

    def settings_api(self) -> SettingsApi:
        """Return the API of the settings for the current request."""
        return SettingsApi(self.settings[self._emulator.scope()], self._emulator.v1_identities)

    def complete_account(self, request: "Request", response: Response) -> Response:
        """Return the response to GetAccount with the settings of the account, and any other response unchanged."""
        if (request.method, request.path, response.status) != ("GET", "/v2/email/account", 200):
            return response
        document = self.settings_api().describe_account(json.loads(response.body))
        return response._replace(body=json.dumps(document).encode())

    def publish_destination_notice(self, configuration_set: str, topic: str) -> None:
        """Publish the plain-text notice that SES sends to a new event destination."""
        account, region = self._emulator.scope()
        arn = f"arn:aws:ses:{region}:{account}:configuration-set/{configuration_set}"
        self.outbox.add([Publication(topic, _DESTINATION_NOTICE, "", arn)])

    def publish_feedback(self, sent: "SentEmail") -> None:
        """Publish the feedback on an email, and add its recipients to the suppression list if SES would."""
        with self._sending:
            self.sent += 1
            identity, topics = self._emulator.find_identity(sent.source)
            settings = self.settings[self._emulator.scope()]
            settings.sent += len(sent.recipients)
            topics = {**topics, **settings.identities[identity].topics}
            # https://docs.aws.amazon.com/ses/latest/dg/managing-configuration-sets.html
            default_set = sent.configuration_set or settings.identities[identity].configuration_set
            self._emulator.record_sends(len(sent.recipients), default_set)
            email = _to_email(sent._replace(configuration_set=default_set), identity, self._emulator.scope())
            publications: list[Publication] = []
            for feedback in create_feedback(email, self._find_listed(email)):
                publications += self._to_destinations(email, feedback)
                notification, topic = to_notification(email, feedback), topics.get(feedback.kind)
                if notification and topic:
                    arn = f"arn:aws:ses:{email.region}:{email.account}:identity/{identity}"
                    publications.append(Publication(topic, notification, "", arn))
                if feedback.is_hard_bounce or feedback.is_first_hand_complaint:
                    self._add_to_list(email, feedback)
            self.outbox.add(publications)

    def _to_destinations(self, email: Email, feedback: Feedback) -> list[Publication]:
        event_type = _MATCHING_TYPES.get(feedback.kind, feedback.kind.upper())
        event = to_event(email, feedback)
        arn = f"arn:aws:ses:{email.region}:{email.account}:configuration-set/{email.configuration_set}"
        return [
            Publication(destination.target, event, _EVENT_SUBJECT, arn, destination.role)
            for destination in self._emulator.destinations(email.configuration_set)
            if event_type in destination.event_types
        ]

    def _find_listed(self, email: Email) -> dict[str, SuppressionReason]:
        """Return the recipients that SES does not deliver to, with the reasons."""
        reasons = self._emulator.suppressed_reasons(email.configuration_set)
        blocked = {
            address: self._current_list().blocking_reason(address, suppressed_reasons=reasons)
            for address in map(parse_recipient, email.recipients)
        }
        return {address: reason for address, reason in blocked.items() if reason}

    def _add_to_list(self, email: Email, feedback: Feedback) -> None:
        reason = SuppressionReason(feedback.kind.upper())
        for recipient in feedback.recipients:
            self._current_list().add_from_feedback(
                recipient, reason, message_id=email.message_id, feedback_id=feedback.detail["feedbackId"]
            )

    def _current_list(self) -> AccountSuppressionList:
        return self.lists[self._emulator.scope()]


def _to_email(sent: "SentEmail", identity: str, scope: "Scope") -> Email:
    return Email(
        message_id=sent.message_id,
        source=sent.source,
        recipients=sent.recipients,
        sent_at=_now(),
        account=scope.account,
        region=scope.region,
        identity=identity,
        subject=sent.subject,
        configuration_set=sent.configuration_set,
        operation=sent.operation,
        tags=sent.tags,
    )


def _now() -> datetime:
    return datetime.now(UTC)
