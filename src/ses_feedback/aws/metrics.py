"""CloudWatch metrics in the embedded metric format (EMF), through Powertools.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.judging.recipients import SIMULATOR

NAMESPACE = "SesFeedback"
DIMENSION = "ConfigurationSet"
PROVIDER_DIMENSION = "Provider"
STACK_DIMENSION = "Stack"
LANE_DIMENSION = "Lane"
MAX_CONFIGURATION_SETS = 40
"""Configuration sets with a dimension value of their own. CloudWatch bills each combination of dimensions as a metric:
https://aws.amazon.com/cloudwatch/pricing/"""
OTHER = "other"
NONE = "none"
_ALWAYS_OWN = frozenset({SIMULATOR})

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "PermanentBounce": "Hard bounces, per recipient.",
        "TransientBounce": "Soft bounces and auto-replies, per recipient.",
        "UndeterminedBounce": "Bounces with too little information to act on, per recipient.",
        "Complaint": "Complaints: one per report, however many recipients it names.",
        "Delivery": "Deliveries, per recipient.",
        "Send": "Emails that SES accepted, per recipient (with TrackSends).",
        "Reject": "Emails that SES did not send because of a virus.",
        "RenderingFailure": "Emails whose template could not be rendered.",
        "DeliveryDelay": "Temporary failures that SES retries; also by provider.",
        "ProviderRejection": "Bounces in which a provider rejects the sender, not the mailbox (status x.7.z or a block "
        "list), by provider only.",
        "UnmatchedRecipient": "Recipients in bounces that the email was not sent to: forwarded email, or forged.",
        "UnsubscribedRecipient": "Emails that SES did not send because the recipient opted out of their topic.",
        "Open": "Opens.",
        "Click": "Clicks.",
        "Subscription": "Changes of preference on an SES contact list.",
        "OptOut": "Opt-outs that applications sent, by stream as configuration set.",
        "OptIn": "Opt-ins that applications sent, by stream as configuration set.",
        "SuppressionEcho": "Emails that SES did not send, per recipient, because the address is on a list or invalid "
        "to SES. If it rises, an application sends without asking may_send.",
        "ContactSuppressed": "Contacts that may no longer receive bulk email.",
        "ContactReleased": "Contacts that may receive bulk email again.",
        "Retried": "Records that a lane returned to be delivered again, because DynamoDB or another service failed.",
        "OldestRetryAge": "Milliseconds since the oldest of these records was first sent to its queue. SQS's own "
        "metric leaves out messages that were received three times or more.",
        "AccountRestricted": "1 if SES reviews the account, has paused it, or sending is disabled; 0 if not; no value "
        "if SES did not say. The sweep asks every five minutes.",
        "IgnoredMessage": "Messages that are not feedback: set-up notices, inbound email, account events.",
        "UnrecognizedFeedback": 'Feedback with a type or sub type that SES does not document. The row "any other" '
        "applies.",
        "MisroutedFeedback": "Feedback that arrived in the lane of another kind. It is processed.",
        "Quarantined": "Messages put in quarantine.",
        "SuppressionImported": "Contacts whose suppression-list entries an import job wrote.",
        "FeedbackLag": "Milliseconds from an event to its processing, the longest of a batch.",
        "SuppressionLag": "Milliseconds from a contact's change to the list call, the longest of a batch. The sweep "
        "reports the age of the oldest pending change, except entries that SES refused.",
    },
)
"""Every metric and its meaning. The table in docs/operate/metrics.md is generated from this."""

PROVIDER_METRICS = frozenset({"DeliveryDelay", "ProviderRejection"})
"""Metrics with a value for each mailbox provider, under the dimension `Provider`."""
STACK_TOTALS = frozenset(
    {
        "RenderingFailure",
        "ProviderRejection",
        "UnmatchedRecipient",
        "ContactSuppressed",
        "Retried",
        "OldestRetryAge",
        "AccountRestricted",
    }
)
"""Metrics with a value for the stack as a whole, under the dimension `Stack`. An alarm can sum at most ten metrics, and
senders choose the number of configuration sets. Email to the mailbox simulator is left out."""
LANE_METRICS = frozenset({"Retried", "OldestRetryAge"})
"""Metrics of `STACK_TOTALS` that are also published by lane, under the dimensions `Stack` and `Lane`."""

_MILLISECONDS = frozenset({"FeedbackLag", "SuppressionLag", "OldestRetryAge"})


class Metrics:
    """Prints one EMF line per configuration set and batch. CloudWatch Logs extracts the metrics from it."""

    def __init__(self, configuration_sets: Collection[str] = (), stack: str = "", lane: str = "") -> None:
        """Use the names of `configuration_sets` as dimension values, `other` for other sets, and `none` for no set.

        Without a `stack`, there are no values for the stack as a whole.

        Raises:
            ValueError: there are more than `MAX_CONFIGURATION_SETS`.

        """
        if len(configuration_sets) > MAX_CONFIGURATION_SETS:
            raise ValueError(f"at most {MAX_CONFIGURATION_SETS} configuration sets can have metrics of their own")
        self._own = frozenset(configuration_sets) | _ALWAYS_OWN
        self._stack = stack
        self._lane = lane

    def emit(self, metric_counts: MetricCounts) -> None:
        """Print the counts and delays in `metric_counts`."""
        by_dimension: dict[str, MetricCounts] = {}
        for (configuration_set, name), number in metric_counts.counts.items():
            by_dimension.setdefault(self.dimension(configuration_set), MetricCounts()).count("", name, number)
        for (configuration_set, name), longest in metric_counts.longest.items():
            by_dimension.setdefault(self.dimension(configuration_set), MetricCounts()).delay("", name, longest)
        for dimension, part in by_dimension.items():
            _print_line({DIMENSION: dimension}, {name: value for _, name, value in part})
        by_provider: dict[str, dict[str, int]] = {}
        for (provider, name), number in metric_counts.by_provider.items():
            by_provider.setdefault(provider, {})[name] = number
        for provider, numbers in by_provider.items():
            _print_line({PROVIDER_DIMENSION: provider}, numbers)
        if self._stack:
            self._emit_stack_totals(metric_counts)

    def _emit_stack_totals(self, metric_counts: MetricCounts) -> None:
        totals = stack_totals(metric_counts)
        if totals:
            _print_line({STACK_DIMENSION: self._stack}, totals)
        by_lane = {name: number for name, number in totals.items() if name in LANE_METRICS}
        if by_lane and self._lane:
            _print_line({STACK_DIMENSION: self._stack, LANE_DIMENSION: self._lane}, by_lane)

    def dimension(self, configuration_set: str) -> str:
        """Return the dimension value for a configuration set."""
        if not configuration_set:
            return NONE
        return configuration_set if configuration_set in self._own else OTHER


def stack_totals(metric_counts: MetricCounts) -> dict[str, int]:
    """Return the metrics of `STACK_TOTALS` in `metric_counts`, without email to the mailbox simulator."""
    totals: Counter[str] = Counter()
    for (configuration_set, name), number in metric_counts.counts.items():
        if name in STACK_TOTALS and configuration_set != SIMULATOR:
            totals[name] += number
    for (_, name), number in metric_counts.by_provider.items():
        if name in STACK_TOTALS:
            totals[name] += number
    return {**totals, **metric_counts.stack_counts, **metric_counts.stack_longest}


def _print_line(dimensions: Mapping[str, str], numbers: Mapping[str, int]) -> None:
    """Print one EMF line with one set of dimensions."""
    line = EphemeralMetrics(namespace=NAMESPACE)
    line.service = ""  # otherwise the environment variable POWERTOOLS_SERVICE_NAME becomes a dimension
    for dimension, value in dimensions.items():
        line.add_dimension(dimension, value)
    for name, number in numbers.items():
        line.add_metric(name, MetricUnit.Milliseconds if name in _MILLISECONDS else MetricUnit.Count, number)
    line.flush_metrics()
