"""Configuration sets: whether those that matter publish to the stack, and may send.

These are the set of the stack, the sets named as streams, and the default sets of the identities.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from feedbackctl.doctor.expected import LANE_EVENT_TYPES, SUPPRESSED_REASONS
from feedbackctl.doctor.facts import Facts
from feedbackctl.doctor.identities import read_default_sets
from feedbackctl.doctor.model import Finding, fail, ok, skipped, warn
from ses_feedback.settings import LANES

_DESTINATIONS = "https://docs.aws.amazon.com/ses/latest/dg/event-publishing-add-event-destination-sns.html"
_SENDING = "https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutConfigurationSetSendingOptions.html"
_LEVEL = "https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list-config-level.html"
_TENANTS = "https://docs.aws.amazon.com/ses/latest/dg/tenants.html"
_LISTS = "https://docs.aws.amazon.com/ses/latest/dg/sending-email-list-management.html"
_REQUIRED = ("BOUNCE", "COMPLAINT", "DELIVERY")


def check_sets(facts: Facts) -> Iterator[Finding]:
    """Check the destinations and options of each set."""
    for name in _sets(facts):
        if facts.configuration_set_facts(name) is None:
            yield _judge_missing(facts, name)
            continue
        yield from _check_sending(facts, name)
        yield from _check_destinations(facts, name)
        yield from _check_suppression(facts, name)


def check_others(facts: Facts) -> Iterator[Finding]:
    """Count the sets that are not checked: each needs two calls, and SES allows one a second."""
    names = facts.reader.read_pages("sesv2", "list_configuration_sets", "ConfigurationSets", PageSize=1000)
    if others := len(set(names) - set(_sets(facts))):
        yield ok("other sets", f"{others} not checked: neither the stack's, nor a stream, nor a default set")


def check_tenants(facts: Facts) -> Iterator[Finding]:
    """Check whether a tenant that uses the set of the stack is disabled."""
    arn = facts.stack.arn("ses", f"configuration-set/{facts.configuration_set}")
    tenants = facts.reader.read_pages("sesv2", "list_resource_tenants", "ResourceTenants", ResourceArn=arn)
    if not tenants:
        yield skipped("tenants", "the configuration set belongs to no tenant")
    for each in tenants:
        tenant = facts.reader.read("sesv2", "get_tenant", TenantName=each["TenantName"])["Tenant"]
        if tenant.get("SendingStatus") == "DISABLED":
            yield _judge_disabled_tenant(facts, tenant)
        else:
            yield ok(f"tenant {tenant['TenantName']}", f"sending is {tenant.get('SendingStatus', 'unknown')}")


def check_contact_lists(facts: Facts) -> Iterator[Finding]:
    """Check whether the topics of an SES contact list (ListManagementOptions) are declared as streams."""
    lists = facts.reader.read("sesv2", "list_contact_lists").get("ContactLists", [])
    for each in lists:
        name = each["ContactListName"]
        topics = facts.reader.read("sesv2", "get_contact_list", ContactListName=name).get("Topics", [])
        undeclared = sorted({topic["TopicName"] for topic in topics} - set(facts.streams))
        if undeclared:
            yield warn(
                name,
                f"the contact list has topics that are not streams of the stack: {', '.join(undeclared)}. An opt-out "
                "from them counts as an opt-out from everything",
                advice=f"Redeploy with Streams={','.join([*facts.streams, *undeclared])}.",
                url=_LISTS,
            )
        else:
            yield ok(name, "its topics are streams of the stack")


def _sets(facts: Facts) -> list[str]:
    """Return the sets to check, without repetition."""
    known = set(facts.reader.read_pages("sesv2", "list_configuration_sets", "ConfigurationSets", PageSize=1000))
    streams = [name for name in facts.streams if name in known]
    return list(dict.fromkeys([facts.configuration_set, *streams, *filter(None, read_default_sets(facts).values())]))


def _judge_missing(facts: Facts, name: str) -> Finding:
    options = {"SuppressedReasons": SUPPRESSED_REASONS} if name == facts.configuration_set else None
    create = facts.command(
        "sesv2", "create-configuration-set", configuration_set_name=name, suppression_options=options
    )
    destinations = [_create_destination(facts, name, lane, _event_types(facts, lane)) for lane in LANES]
    return fail(name, "the configuration set does not exist", create, *destinations, url=_DESTINATIONS)


def _check_sending(facts: Facts, name: str) -> Iterator[Finding]:
    options = (facts.configuration_set_facts(name) or {}).get("SendingOptions", {})
    if options.get("SendingEnabled") is False:
        command = facts.command(
            "sesv2", "put-configuration-set-sending-options", configuration_set_name=name, sending_enabled=True
        )
        advice = "First find out why it was paused."
        yield fail(name, "sending is paused, so SES refuses email with this set", command, advice=advice, url=_SENDING)


def _check_destinations(facts: Facts, name: str) -> Iterator[Finding]:
    missing = [each for each in _REQUIRED if not publishes_to_stack(facts, name, each)]
    if facts.deliveries_by == "None":
        missing = [each for each in missing if each != "DELIVERY"]
    optional = [each for each in LANE_EVENT_TYPES["Delivery"] if not publishes_to_stack(facts, name, each)]
    if not missing and not optional:
        yield ok(name, "it publishes to the topics of this stack")
        return
    if name != facts.configuration_set and not facts.destinations(name):
        message = "it publishes nowhere"
    else:
        message = f"it does not publish {', '.join(missing or optional)} to this stack"
    commands = _destination_commands(facts, name, [*missing, *optional])
    yield (fail if missing else warn)(name, message, *commands, url=_DESTINATIONS)


def publishes_to_stack(facts: Facts, name: str, event_type: str) -> bool:
    """Return True if a configuration set publishes an event type to the stack.

    Raises:
        ReadError: SES cannot be read.

    """
    return any(
        each.get("Enabled") and event_type in each["MatchingEventTypes"] and _lane_of(facts, each)
        for each in facts.destinations(name)
    )


def _lane_of(facts: Facts, destination: Mapping[str, Any]) -> str:
    """Return the lane that a destination publishes to, or an empty string if it is none of the stack's."""
    topic = destination.get("SnsDestination", {}).get("TopicArn")
    if facts.deliveries_by == "Firehose" and "DELIVERY" in destination["MatchingEventTypes"]:
        stream = destination.get("KinesisFirehoseDestination", {}).get("DeliveryStreamArn", "")
        if stream.rpartition("/")[2] == facts.stack.resources.get("DeliveryStream"):
            return "Delivery"
    return next((lane for lane, arn in facts.topics.items() if arn == topic), "")


def _destination_commands(facts: Facts, name: str, missing: list[str]) -> list[str]:
    """Return commands that publish the missing event types: change a destination of the lane, or create one."""
    commands = []
    for lane in LANES:
        types = [each for each in missing if each in _event_types(facts, lane)]
        existing = next((each for each in facts.destinations(name) if _lane_of(facts, each) == lane), None)
        if types and existing and "SnsDestination" in existing:
            commands.append(_update_destination(facts, name, existing, types))
        elif types:
            commands.append(_create_destination(facts, name, lane, types))
    return commands


def _event_types(facts: Facts, lane: str) -> list[str]:
    types = list(LANE_EVENT_TYPES[lane])
    return [*types, "DELIVERY"] if lane == "Delivery" and facts.deliveries_by == "Topic" else types


def _update_destination(facts: Facts, name: str, existing: Mapping[str, Any], types: list[str]) -> str:
    return facts.command(
        "sesv2",
        "update-configuration-set-event-destination",
        configuration_set_name=name,
        event_destination_name=existing["Name"],
        event_destination={
            "Enabled": True,
            "MatchingEventTypes": sorted({*existing["MatchingEventTypes"], *types}),
            "SnsDestination": existing["SnsDestination"],
        },
    )


def _create_destination(facts: Facts, name: str, lane: str, types: list[str]) -> str:
    taken = {each["Name"] for each in facts.destinations(name)}
    names = (f"{facts.stack.name}-{lane.lower()}{suffix}" for suffix in ("", *(f"-{n}" for n in range(2, 20))))
    return facts.command(
        "sesv2",
        "create-configuration-set-event-destination",
        configuration_set_name=name,
        event_destination_name=next(each for each in names if each not in taken),
        event_destination={
            "Enabled": True,
            "MatchingEventTypes": types,
            "SnsDestination": {"TopicArn": facts.topics[lane]},
        },
    )


def _check_suppression(facts: Facts, name: str) -> Iterator[Finding]:
    """Check the suppression options. A set without them uses those of the account."""
    options = (facts.configuration_set_facts(name) or {}).get("SuppressionOptions")
    if options is None or "SuppressedReasons" not in options:
        return
    missing = [reason for reason in SUPPRESSED_REASONS if reason not in options["SuppressedReasons"]]
    if missing:
        command = facts.command(
            "sesv2",
            "put-configuration-set-suppression-options",
            configuration_set_name=name,
            suppressed_reasons=SUPPRESSED_REASONS,
            suppression_scope=options.get("SuppressionScope"),
            validation_options=options.get("ValidationOptions"),
        )
        message = f"list entries with the reason {' and '.join(missing)} do not block email with this set"
        yield (fail if name == facts.configuration_set else warn)(name, message, command, url=_LEVEL)
    if options.get("SuppressionScope") == "TENANT":
        yield warn(name, "it uses the lists of tenants, which this stack neither reads nor writes", url=_LEVEL)


def _judge_disabled_tenant(facts: Facts, tenant: Mapping[str, Any]) -> Finding:
    """Return the finding on a tenant that may not send. SES or the customer disabled it."""
    entity = facts.reader.read(
        "sesv2",
        "get_reputation_entity",
        ReputationEntityType="RESOURCE",
        ReputationEntityReference=tenant["TenantArn"],
    )["ReputationEntity"]
    by_ses = entity.get("AwsSesManagedStatus", {}).get("Status") == "DISABLED"
    command = facts.command(
        "sesv2",
        "update-reputation-entity-customer-managed-status",
        reputation_entity_type="RESOURCE",
        reputation_entity_reference=tenant["TenantArn"],
        sending_status="REINSTATED" if by_ses else "ENABLED",
    )
    advice = "SES disabled it. If the command does not suffice, resolve its reputation findings." if by_ses else ""
    return fail(f"tenant {tenant['TenantName']}", "it may not send", command, advice=advice, url=_TENANTS)


CHECKS = (check_sets, check_tenants, check_contact_lists, check_others)
