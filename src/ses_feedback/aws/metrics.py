"""CloudWatch metrics in the embedded metric format (EMF), through Powertools.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from ses_feedback.aws.metric_counts import MetricCounts
from ses_feedback.judging.recipients import SIMULATOR

NAMESPACE = "SesFeedback"
DIMENSION = "ConfigurationSet"
PROVIDER_DIMENSION = "Provider"
MAX_CONFIGURATION_SETS = 40
"""Configuration sets with a dimension value of their own. CloudWatch bills each combination of dimensions as a metric:
https://aws.amazon.com/cloudwatch/pricing/"""
OTHER = "other"
NONE = "none"
_ALWAYS_OWN = frozenset({SIMULATOR})

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "PermanentBounce": "Hard bounces, per recipient. Divided by Delivery, close to the bounce rate of the account.",
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
        "SuppressionEcho": "Emails that SES did not send, per recipient, because the address is on a list or invalid "
        "to SES. If it rises, an application sends without asking may_send.",
        "ContactSuppressed": "Contacts that may no longer receive bulk email.",
        "ContactReleased": "Contacts that may receive bulk email again.",
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

_MILLISECONDS = frozenset({"FeedbackLag", "SuppressionLag"})


class Metrics:
    """Prints one EMF line per configuration set and batch. CloudWatch Logs extracts the metrics from it."""

    def __init__(self, configuration_sets: Collection[str] = ()) -> None:
        """Use the names of `configuration_sets` as dimension values, `other` for other sets, and `none` for no set.

        Raises:
            ValueError: there are more than `MAX_CONFIGURATION_SETS`.

        """
        if len(configuration_sets) > MAX_CONFIGURATION_SETS:
            raise ValueError(f"at most {MAX_CONFIGURATION_SETS} configuration sets can have metrics of their own")
        self._own = frozenset(configuration_sets) | _ALWAYS_OWN

    def emit(self, metric_counts: MetricCounts) -> None:
        """Print the counts and delays in `metric_counts`."""
        by_dimension: dict[str, MetricCounts] = {}
        for (configuration_set, name), number in metric_counts.counts.items():
            by_dimension.setdefault(self.dimension(configuration_set), MetricCounts()).count("", name, number)
        for (configuration_set, name), longest in metric_counts.longest.items():
            by_dimension.setdefault(self.dimension(configuration_set), MetricCounts()).delay("", name, longest)
        for dimension, part in by_dimension.items():
            _print_line(DIMENSION, dimension, {name: value for _, name, value in part})
        by_provider: dict[str, dict[str, int]] = {}
        for (provider, name), number in metric_counts.by_provider.items():
            by_provider.setdefault(provider, {})[name] = number
        for provider, numbers in by_provider.items():
            _print_line(PROVIDER_DIMENSION, provider, numbers)

    def dimension(self, configuration_set: str) -> str:
        """Return the dimension value for a configuration set."""
        if not configuration_set:
            return NONE
        return configuration_set if configuration_set in self._own else OTHER


def _print_line(dimension: str, value: str, numbers: Mapping[str, int]) -> None:
    """Print one EMF line with one dimension."""
    line = EphemeralMetrics(namespace=NAMESPACE)
    line.service = ""  # otherwise the environment variable POWERTOOLS_SERVICE_NAME becomes a dimension
    line.add_dimension(dimension, value)
    for name, number in numbers.items():
        line.add_metric(name, MetricUnit.Milliseconds if name in _MILLISECONDS else MetricUnit.Count, number)
    line.flush_metrics()
