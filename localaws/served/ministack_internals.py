"""ministack from within: what its API does not tell or do. Everything that knows its insides is here or in `gaps`."""

import base64
import json
import logging
from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from localaws.served.embedded_metrics import Datum
from localaws.served.event_publishing import Publication
from localaws.served.http_requests import App
from localaws.served.kms_keys import Keys, needed
from localaws.ses_list.suppression_list import SuppressionReason

_log = logging.getLogger("localaws.served")


class Destination(NamedTuple):
    """An event destination of a configuration set that publishes to a topic, or in a `role` to a Firehose stream."""

    topic: str
    kinds: frozenset[str]
    role: str = ""


class Scope(NamedTuple):
    """The account and Region the request under way is about."""

    account: str
    region: str


class Emulator:
    """ministack, running in this process."""

    app: App

    def __init__(self) -> None:
        """Import it; it reads the environment while being imported."""
        self.app = import_module("ministack.app").app
        self._evaluator = import_module("ministack.core.iam_evaluator")
        self._cloudwatch = self.service("cloudwatch")
        self._ses = self.service("ses")
        self._ses_v2 = self.service("ses_v2")
        self._sns = self.service("sns")
        self._responses = import_module("ministack.core.responses")
        self._keys = self.service("kms")
        self.keys = Keys()
        self.asked: set[tuple[str, str, str, bool]] = set()

    @staticmethod
    def service(name: str) -> Any:  # noqa: ANN401 (a module without types)
        """Return the module of a service."""
        return import_module(f"ministack.services.{name}")

    def scope(self) -> Scope:
        """Return account and Region of the request that was answered last in this task."""
        return Scope(self._responses.get_account_id(), self._responses.get_region())

    def knows_configuration_set(self, name: str) -> bool:
        """Say whether there is such a configuration set."""
        return name in self._ses_v2._config_sets or name in self._ses._configuration_sets  # noqa: SLF001

    def destinations(self, configuration_set: str) -> list[Destination]:
        """Return the enabled event destinations that publish to SNS and to Firehose."""
        record = self._ses_v2._config_sets.get(configuration_set) or {}  # noqa: SLF001
        found = []
        for one in (record.get("EventDestinations") or {}).values():
            kinds = frozenset(one["MatchingEventTypes"])
            if one.get("Enabled") and "SnsDestination" in one:
                found.append(Destination(one["SnsDestination"]["TopicArn"], kinds))
            elif one.get("Enabled") and "KinesisFirehoseDestination" in one:
                stream = one["KinesisFirehoseDestination"]
                found.append(Destination(stream["DeliveryStreamArn"], kinds, stream["IamRoleArn"]))
        return found

    def suppressed_reasons(self, configuration_set: str) -> Collection[SuppressionReason] | None:
        """Return for which reasons a configuration set holds mail back; None when it leaves that to the account."""
        record = self._ses_v2._config_sets.get(configuration_set) or {}  # noqa: SLF001
        options = record.get("SuppressionOptions")
        return None if options is None else [SuppressionReason(one) for one in options.get("SuppressedReasons", ())]

    def identity(self, source: str) -> tuple[str, Mapping[str, str]]:
        """Return the identity a mail is sent as and the topics of its notifications by their type."""
        found = self._ses._notification_identity(source)  # noqa: SLF001
        if found:
            return found[0], found[1].get("NotificationTopics", {})
        domain = source.rpartition("@")[2].rstrip(">")
        known = self._ses_v2._identities  # noqa: SLF001
        return (domain if domain in known else source), {}

    def publish(self, publication: Publication) -> None:
        """Publish as SES does: when the topic's policy or the role admits it, and silently not when it does not."""
        _, _, _, region, account, _ = publication.source_arn.split(":", 5)
        # What is published may have been held back: it is nobody's request any more, but it is SES's, over TLS.
        self._responses.set_request_account_id(account)
        self._responses.set_request_region(region)
        self._evaluator.pin_request_origin("127.0.0.1", secure_transport=True)
        if publication.role:
            self._put(publication, account, region)
            return
        allowed = self._sns.topic_policy_allows(publication.topic, "ses.amazonaws.com", publication.source_arn, account)
        if not allowed:
            _log.warning("SES may not publish to %s: its policy does not admit it", publication.topic)
            return
        self._sns.publish_internal(publication.topic, publication.message, publication.subject)

    def _put(self, publication: Publication, account: str, region: str) -> None:
        """Put a record to a Firehose stream, in a role that trusts SES and may; ministack writes each as an object."""
        stream, role = publication.topic, publication.role
        trust = self.service("iam")._roles[role.rpartition("/")[2]]["AssumeRolePolicyDocument"]  # noqa: SLF001
        trusting = json.loads(trust) if isinstance(trust, str) else trust
        anywhere = {"Statement": [{**one, "Resource": "*"} for one in trusting["Statement"]]}
        context = {"aws:sourceaccount": account, "aws:sourcearn": publication.source_arn}
        if not self._admits(json.dumps(anywhere), "ses.amazonaws.com", "sts:AssumeRole", role, context) or not self.may(
            role, "firehose:PutRecordBatch", stream, region
        ):
            _log.warning("SES may not publish to %s: the role does not admit it", stream)
            return
        record = {"Data": base64.b64encode(publication.message.encode()).decode()}
        asked = {"DeliveryStreamName": stream.rpartition("/")[2], "Records": [record]}
        self.service("firehose")._put_record_batch(asked)  # noqa: SLF001

    def may(self, role_arn: str, action: str, resource: str, region: str) -> bool:
        """Say whether a role's policies allow what Lambda and the scheduler do in its name, and the use of the key."""
        key = self.keys.of(resource)
        uses = [(use, key) for use in needed(action)] if key else []
        return all(self._allows(role_arn, *one, region) for one in [(action, resource), *uses])

    def _allows(self, role_arn: str, action: str, resource: str, region: str) -> bool:
        account, role = role_arn.split(":")[4], role_arn.rpartition("/")[2]
        context = self._evaluator.EvalContext(
            principal_arn=role_arn,
            principal_type="AssumedRole",
            principal_account=account,
            action=action,
            resource_arn=resource,
            region=region,
        )
        result = self._evaluator.evaluate(context, self._evaluator._gather_role_policies(role, account))  # noqa: SLF001
        if action.startswith("kms:"):
            policy = self._keys.key_policy_for_arn(resource) or ("", account)
            result = self._evaluator.combine_resource_policy(result, context, *policy, required=True)
        allowed: bool = result.decision == "Allow"
        self.asked.add((role, action, resource, allowed))
        return allowed

    def key_admits(self, service: str, use: str, resource: str, context: Mapping[str, str]) -> bool:
        """Say whether the policy of the key that encrypts a resource, if one does, lets an AWS service use it."""
        key = self.keys.of(resource)
        if key is None:
            return True
        policy, _ = self._keys.key_policy_for_arn(key) or ("", "")
        return self._admits(policy, service, use, key, context)

    def _admits(self, policy: str, service: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Say whether a resource's own policy lets an AWS service do something to it."""
        asked = self._evaluator.EvalContext(
            principal_arn="*",
            principal_type="Service",
            principal_account="",
            action=action,
            resource_arn=resource,
            region=self.scope().region,
            service_context=dict(context),
        )
        decision: str = self._evaluator.evaluate_resource_policy(policy, asked, service=service).decision
        return decision == "Allow"

    def read_object(self, url: str) -> bytes:
        """Read an object for SES, when the bucket's policy and its key's admit it.

        Raises:
            FileNotFoundError: they do not, or there is no such object.

        """
        arn = url.replace("s3://", "arn:aws:s3:::", 1)
        bucket, _, name = url.removeprefix("s3://").partition("/")
        account, region = self.scope()
        context = {"aws:sourceaccount": account, "aws:referer": account, "kms:viaservice": f"s3.{region}.amazonaws.com"}
        s3 = self.service("s3")
        policy, _ = s3.bucket_policy_for_arn(arn) or ("", "")
        admitted = self._admits(policy, "ses.amazonaws.com", "s3:GetObject", arn, context)
        data = s3._get_object_data(bucket, name)  # noqa: SLF001
        if data is None or not admitted or not self.key_admits("ses.amazonaws.com", "kms:Decrypt", arn, context):
            raise FileNotFoundError(url)
        return bytes(data)

    def function_of(self, access_key: str) -> str:
        """Return the name of the function that has a key, nothing when no function has it."""
        session = self.service("sts")._sessions.get(access_key)  # noqa: SLF001
        return "" if session is None else str(session["Arn"].split("/")[-1])

    def remember(self, access_key: str, action: str, resource: str, *, allowed: bool) -> None:
        """Remember what a function asked for, and whether its role allowed it."""
        session = self.service("sts")._sessions.get(access_key)  # noqa: SLF001
        if session is not None:
            self.asked.add((session["Arn"].split("/")[1], action, resource, allowed))

    def record(self, datum: Datum) -> None:
        """Add a value to a CloudWatch metric."""
        self._cloudwatch.record_metric(datum.namespace, datum.name, datum.value, datum.unit, datum.dimensions)

    def workers(self) -> dict[str, list[int]]:
        """Return the process ids of running functions, by function name."""
        running: dict[str, list[int]] = {}
        for entries in list(import_module("ministack.core.lambda_runtime")._workers.values()):  # noqa: SLF001
            for worker in entries:
                process = worker._proc  # noqa: SLF001
                if process is not None and process.poll() is None:
                    running.setdefault(worker.func_name, []).append(process.pid)
        return running

    def fire_schedules(self) -> None:
        """Make every schedule due now."""
        scheduler = self.service("scheduler")
        for key in list(scheduler._schedules._data):  # noqa: SLF001
            scheduler._schedule_last_fired[key] = 0  # noqa: SLF001
