"""ministack's internal state, as far as its API does not offer it. Only this module and the patches depend on it."""

import base64
import json
import logging
from collections.abc import Collection, Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from localaws.embedded_metrics import MetricValue
from localaws.server.event_publishing import Publication
from localaws.server.http_messages import App
from localaws.server.kms_keys import ResourceKeys
from localaws.server.policy_evaluation import PolicyEvaluator
from localaws.suppression_list.entries import SuppressionReason

_SES = "ses.amazonaws.com"
_log = logging.getLogger("localaws.server")


class Destination(NamedTuple):
    """An event destination of a configuration set: a topic or, with `role`, a Firehose stream."""

    target: str
    event_types: frozenset[str]
    role: str = ""


class Scope(NamedTuple):
    """The account and the Region of a request."""

    account: str
    region: str


class Emulator:
    """ministack, in this process."""

    app: App

    def __init__(self) -> None:
        """Import ministack, which reads the environment."""
        self.app = import_module("ministack.app").app
        self._evaluator = import_module("ministack.core.iam_evaluator")
        self._responses = import_module("ministack.core.responses")
        self.runtime = import_module("ministack.core.lambda_runtime")
        self._cloudwatch = self.service("cloudwatch")
        self._ses = self.service("ses")
        self._ses_v2 = self.service("ses_v2")
        self._sns = self.service("sns")
        self.keys = ResourceKeys()
        self.policies = PolicyEvaluator(self.keys)

    @staticmethod
    def service(name: str) -> Any:  # noqa: ANN401 (a module without types)
        """Return ministack's module of a service."""
        return import_module(f"ministack.services.{name}")

    def scope(self) -> Scope:
        """Return the account and the Region of the last request in this task."""
        return Scope(self._responses.get_account_id(), self._responses.get_region())

    def has_configuration_set(self, name: str) -> bool:
        """Return True if the configuration set exists."""
        return name in self._ses_v2._config_sets or name in self._ses._configuration_sets  # noqa: SLF001

    def destinations(self, configuration_set: str) -> list[Destination]:
        """Return the enabled SNS and Firehose event destinations of a configuration set."""
        record = self._ses_v2._config_sets.get(configuration_set) or {}  # noqa: SLF001
        destinations = []
        for definition in (record.get("EventDestinations") or {}).values():
            event_types = frozenset(definition["MatchingEventTypes"])
            if definition.get("Enabled") and "SnsDestination" in definition:
                destinations.append(Destination(definition["SnsDestination"]["TopicArn"], event_types))
            elif definition.get("Enabled") and "KinesisFirehoseDestination" in definition:
                stream = definition["KinesisFirehoseDestination"]
                destinations.append(Destination(stream["DeliveryStreamArn"], event_types, stream["IamRoleArn"]))
        return destinations

    def suppressed_reasons(self, configuration_set: str) -> Collection[SuppressionReason] | None:
        """Return the suppression reasons of a configuration set, or None if the account's apply."""
        record = self._ses_v2._config_sets.get(configuration_set) or {}  # noqa: SLF001
        options = record.get("SuppressionOptions")
        if options is None:
            return None
        return [SuppressionReason(reason) for reason in options.get("SuppressedReasons", ())]

    def find_identity(self, source: str) -> tuple[str, Mapping[str, str]]:
        """Return the identity that an email is sent as, and its notification topics by notification type."""
        found = self._ses._notification_identity(source)  # noqa: SLF001
        if found:
            return found[0], found[1].get("NotificationTopics", {})
        domain = source.rpartition("@")[2].rstrip(">")
        identities = self._ses_v2._identities  # noqa: SLF001
        return (domain if domain in identities else source), {}

    def v1_identities(self) -> list[str]:
        """Return the identities that version 1 of the SES API created."""
        return list(self._ses._identities)  # noqa: SLF001

    def record_sends(self, recipients: int, configuration_set: str) -> None:
        """Count emails in SES's own metric: of the account, and of each CloudWatch event destination of the set.

        https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-cloudwatch.html
        """
        self._cloudwatch.record_metric("AWS/SES", "Send", recipients, "Count", {})
        record = self._ses_v2._config_sets.get(configuration_set) or {}  # noqa: SLF001
        for definition in (record.get("EventDestinations") or {}).values():
            cloudwatch = definition.get("CloudWatchDestination")
            if cloudwatch and definition.get("Enabled") and "SEND" in definition["MatchingEventTypes"]:
                dimensions = {
                    # The default value is the name of the set, as for its auto-tag. Tags of the email are not read.
                    dimension["DimensionName"]: dimension["DefaultDimensionValue"]
                    for dimension in cloudwatch["DimensionConfigurations"]
                }
                self._cloudwatch.record_metric("AWS/SES", "Send", recipients, "Count", dimensions)

    def publish(self, publication: Publication) -> None:
        """Publish as SES: if the topic's policy or the role allows it; otherwise nothing happens.

        https://docs.aws.amazon.com/ses/latest/dg/configure-sns-notifications.html
        """
        _, _, _, region, account, _ = publication.source_arn.split(":", 5)
        # A held publication belongs to no current request. SES publishes it, over TLS.
        self._responses.set_request_account_id(account)
        self._responses.set_request_region(region)
        self._evaluator.pin_request_origin("127.0.0.1", secure_transport=True)
        if publication.role:
            self._put_to_stream(publication, account, region)
            return
        if not self._sns.topic_policy_allows(publication.target, _SES, publication.source_arn, account):
            _log.warning("SES cannot publish to %s: the topic's policy does not allow it", publication.target)
            return
        self._sns.publish_internal(publication.target, publication.message, publication.subject)

    def _put_to_stream(self, publication: Publication, account: str, region: str) -> None:
        """Put a record into a Firehose stream. ministack writes each record as an object.

        SES assumes the role, so the role must trust SES and allow PutRecordBatch:
        https://docs.aws.amazon.com/ses/latest/dg/event-publishing-add-event-destination-firehose.html
        """
        stream, role = publication.target, publication.role
        document = self.service("iam")._roles[role.rpartition("/")[2]]["AssumeRolePolicyDocument"]  # noqa: SLF001
        trust = json.loads(document) if isinstance(document, str) else document
        # The evaluator requires a resource, which a trust policy does not have.
        trust = json.dumps({"Statement": [{**statement, "Resource": "*"} for statement in trust["Statement"]]})
        context = {"aws:sourceaccount": account, "aws:sourcearn": publication.source_arn}
        policies = self.policies
        trusts_ses = policies.resource_policy_allows(
            trust, _SES, "sts:AssumeRole", role, region=region, context=context
        )
        if not (trusts_ses and policies.role_allows(role, "firehose:PutRecordBatch", stream, region)):
            _log.warning("SES cannot publish to %s: the role does not allow it", stream)
            return
        record = {"Data": base64.b64encode(publication.message.encode()).decode()}
        request = {"DeliveryStreamName": stream.rpartition("/")[2], "Records": [record]}
        self.service("firehose")._put_record_batch(request)  # noqa: SLF001

    def read_object(self, url: str) -> bytes:
        """Return an object that SES reads, if the policies of the bucket and of its key allow it.

        https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html

        Raises:
            FileNotFoundError: a policy does not allow it, or there is no such object.

        """
        arn = url.replace("s3://", "arn:aws:s3:::", 1)
        bucket, _, name = url.removeprefix("s3://").partition("/")
        account, region = self.scope()
        context = {"aws:sourceaccount": account, "aws:referer": account, "kms:viaservice": f"s3.{region}.amazonaws.com"}
        s3 = self.service("s3")
        policy, _ = s3.bucket_policy_for_arn(arn) or ("", "")
        allowed = self.policies.resource_policy_allows(
            policy, _SES, "s3:GetObject", arn, region=region, context=context
        )
        data = s3._get_object_data(bucket, name)  # noqa: SLF001
        key_allows = self.policies.key_policy_allows(_SES, "kms:Decrypt", arn, region=region, context=context)
        if data is None or not (allowed and key_allows):
            raise FileNotFoundError(url)
        return bytes(data)

    def find_function(self, access_key: str) -> str:
        """Return the name of the function with this access key, or an empty string."""
        session = self.policies.find_session(access_key)
        return "" if session is None else str(session["Arn"].split("/")[-1])

    def has_access_key(self, access_key: str) -> bool:
        """Return True for the access key of an assumed role or an IAM user. ministack created it at random."""
        if self.policies.find_session(access_key) is not None:
            return True
        return any(key == access_key for _, key in self.service("iam")._access_keys.to_dict())  # noqa: SLF001

    def record_metric(self, metric: MetricValue) -> None:
        """Add a value to a CloudWatch metric."""
        self._cloudwatch.record_metric(metric.namespace, metric.name, metric.value, metric.unit, metric.dimensions)

    def record_service_metric(self, namespace: str, name: str, value: float, **dimensions: str) -> None:
        """Add a value to a CloudWatch metric that AWS publishes about a resource."""
        self._cloudwatch.record_metric(namespace, name, value, "None", dimensions)

    def enter_scopes(self) -> Iterator[Scope]:
        """Make each account and Region that has queues or alarms the current one, and yield it."""
        stores = (self.service("sqs")._queues, self._cloudwatch._alarms)  # noqa: SLF001
        for account, region in sorted({key[:2] for store in stores for key in list(store._data)}):  # noqa: SLF001
            self._responses.set_request_account_id(account)
            self._responses.set_request_region(region)
            yield Scope(account, region)

    def queues(self) -> dict[str, list[Mapping[str, Any]]]:
        """Return the messages of each queue of the current account and Region, by URL."""
        queues = self.service("sqs")._queues  # noqa: SLF001
        return {url: list(queue["messages"]) for url, queue in queues.items()}

    def evaluate_alarms(self) -> None:
        """Evaluate the alarms of the current account and Region."""
        self._cloudwatch._evaluate_all_alarms()  # noqa: SLF001

    def function_processes(self) -> dict[str, list[int]]:
        """Return the process ids of the running functions, by function name."""
        running: dict[str, list[int]] = {}
        for workers in list(self.runtime._workers.values()):  # noqa: SLF001
            for worker in workers:
                process = worker._proc  # noqa: SLF001
                if process is not None and process.poll() is None:
                    running.setdefault(worker.func_name, []).append(process.pid)
        return running

    def fire_schedules(self) -> None:
        """Run every schedule now."""
        scheduler = self.service("scheduler")
        for key in list(scheduler._schedules._data):  # noqa: SLF001
            scheduler._schedule_last_fired[key] = 0  # noqa: SLF001
