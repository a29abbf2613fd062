"""The dashboard of the stack: its body is written here and inserted into template.yaml.

    python -m tools.dashboard

A test fails if the template differs, if CloudWatch would refuse the body, or if a metric does not exist.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ses_feedback.judging.providers import PROVIDERS
from ses_feedback.settings import LANES

TEMPLATE = Path(__file__).parent.parent / "template.yaml"
FUNCTIONS = (*LANES, "Suppression")
ALARMS = (
    *("AccountRestricted", "AccountUnknown", "BounceRate", "ComplaintRate", "FeedbackSilent"),
    *("BounceRateOfHour", "BounceRateOfDay", "ComplaintRateOfHour", "ComplaintRateOfDay"),
    *("ContactsSuppressed", "ProvidersReject", "RecipientsUnmatched", "RenderingFails"),
    *("QuarantineNotEmpty", "DeadLettersNotEmpty", "UndeliveredNotEmpty", "RetriesStuck", "FunctionsThrottled"),
    *(f"{lane}LaneWaits" for lane in LANES),
    *(f"{name}FunctionFails" for name in FUNCTIONS),
    *("StreamStalls", "SuppressionLags"),
)
"""The alarms of every monitored stack."""
HOUR, DAY = 3_600, 86_400
HEIGHT = 6
"""The height of each row of widgets."""
REVIEW, WARNING = "#d62728", "#ff7f0e"
OWN, STACK = "${Set}", "${AWS::StackName}"
Widget = dict[str, Any]


def body() -> dict[str, Any]:
    """Return the body, with placeholders of `Fn::Sub`."""
    widgets: list[Widget] = []
    for number, row in enumerate((_verdict(), _rates(), _events(), _lanes(), _list(), _costs())):
        left = 0
        for widget in row:
            place = {"x": left, "y": number * HEIGHT, "width": widget["width"], "height": HEIGHT}
            widgets.append({"type": widget["type"], **place, "properties": widget["properties"]})
            left += widget["width"]
    return {"start": "-P1D", "periodOverride": "inherit", "widgets": widgets}


def _verdict() -> list[Widget]:
    return [
        _metric(
            4,
            "Account restricted (0 = no)",
            [_ours("AccountRestricted", "Stack", STACK, label="restricted")],
            view="singleValue",
            sparkline=True,
            stat="Maximum",
        ),
        {
            "type": "alarm",
            "width": 8,
            "properties": {"title": "Alarms", "alarms": [f"${{{name}.Arn}}" for name in ALARMS]},
        },
        _metric(
            6,
            "Bounce rate of the account, by SES",
            [["AWS/SES", "Reputation.BounceRate", {"label": "bounce rate"}]],
            period=HOUR,
            stat="Maximum",
            annotations=_thresholds((0.04, "alarm"), (0.05, "review"), (0.1, "pause")),
        ),
        _metric(
            6,
            "Complaint rate of the account, by SES",
            [["AWS/SES", "Reputation.ComplaintRate", {"label": "complaint rate"}]],
            period=HOUR,
            stat="Maximum",
            annotations=_thresholds((0.0008, "alarm"), (0.001, "review"), (0.005, "pause")),
        ),
    ]


def _rates() -> list[Widget]:
    return [
        _rate("Our bounce rate of the set (not SES's)", "PermanentBounce", 0.05, 0.04),
        _rate("Our complaint rate of the set (not SES's)", "Complaint", 0.005, 0.001),
        _metric(
            8,
            "Silence: emails without feedback",
            [
                ["AWS/SES", "Send", "ses:configuration-set", OWN, {"label": "emails", "stat": "Sum"}],
                _ours(
                    "FeedbackLag",
                    "ConfigurationSet",
                    OWN,
                    label="batches of feedback",
                    stat="SampleCount",
                    yAxis="right",
                ),
            ],
            period=HOUR,
        ),
    ]


def _rate(title: str, numerator: str, hour: float, day: float) -> Widget:
    """Return the rates of the last hour and day, with the floors of the alarms left out: this shows low volumes too."""
    metrics: list[Any] = []
    for name, period in (("hour", HOUR), ("day", DAY)):
        prefix, hidden = name[0], {"period": period, "stat": "Sum", "visible": False}
        attempted = f"(FILL({prefix}Sends, 0) - FILL({prefix}Echoes, 0))"
        metrics += [
            ["AWS/SES", "Send", "ses:configuration-set", OWN, {**hidden, "id": f"{prefix}Sends"}],
            _ours("SuppressionEcho", "ConfigurationSet", OWN, **hidden, id=f"{prefix}Echoes"),
            _ours(numerator, "ConfigurationSet", OWN, **hidden, id=f"{prefix}Events"),
            [
                {
                    "expression": f"FILL({prefix}Events, 0) / {attempted}",
                    "label": f"by {name}",
                    "id": name,
                    "period": period,
                }
            ],
        ]
    annotations = _thresholds((day, "alarm of the day"), (hour, "alarm of the hour"))
    return _metric(8, title, metrics, annotations=annotations)


def _events() -> list[Widget]:
    names = ("Delivery", "PermanentBounce", "TransientBounce", "Complaint", "SuppressionEcho")
    return [
        _metric(
            8, "SES events of the set", [_ours(name, "ConfigurationSet", OWN, label=name) for name in names], stat="Sum"
        ),
        _metric(
            8,
            "Bounces and complaints of all sets",
            [
                [
                    {
                        "expression": "SEARCH('{SesFeedback,ConfigurationSet} "
                        'MetricName=("PermanentBounce" OR "Complaint")\', \'Sum\', 3600)',
                        "id": "sets",
                        "period": HOUR,
                    }
                ]
            ],
        ),
        _metric(
            8,
            "Providers that reject the sender",
            [_ours("ProviderRejection", "Provider", name, label=name) for name in PROVIDERS],
            stat="Sum",
            stacked=True,
        ),
    ]


def _lanes() -> list[Widget]:
    return [
        _metric(
            6,
            "Oldest message of a lane (s)",
            [_of_queue("ApproximateAgeOfOldestMessage", f"{lane}Queue", label=lane) for lane in LANES],
            stat="Maximum",
            annotations=_thresholds((900, "alarm")),
        ),
        _metric(
            6,
            "Retries, and age of the oldest (ms)",
            [
                *(_of_lane("Retried", lane, label=f"{lane}: retried", stat="Sum") for lane in LANES),
                *(
                    _of_lane("OldestRetryAge", lane, label=f"{lane}: oldest", stat="Maximum", yAxis="right")
                    for lane in LANES
                ),
            ],
        ),
        _metric(6, "Errors", [_of_function("Errors", name, label=name) for name in FUNCTIONS], stat="Sum"),
        _metric(
            6,
            "Messages that need attention",
            [
                _of_queue("ApproximateNumberOfMessagesVisible", queue, label=label)
                for queue, label in (
                    ("QuarantineQueue", "quarantine"),
                    ("DeadLetterQueue", "dead letters"),
                    ("UndeliveredQueue", "undelivered"),
                )
            ],
            stat="Maximum",
        ),
    ]


def _list() -> list[Widget]:
    return [
        _metric(
            6,
            "List: oldest pending change (ms)",
            [
                _ours("SuppressionLag", "ConfigurationSet", "none", label="pending"),
                _of_function("IteratorAge", "Suppression", label="stream"),
            ],
            stat="Maximum",
            annotations=_thresholds((3_600_000, "alarm")),
        ),
        _log(
            6,
            "List: calls, and pending changes",
            "stats sum(put) + sum(deleted) as calls, max(still_pending) as pending by bin(1h)",
            view="timeSeries",
        ),
        _metric(
            6,
            "Suppressed and released contacts",
            [
                _ours("ContactSuppressed", "Stack", STACK, label="suppressed"),
                _ours("ContactReleased", "ConfigurationSet", OWN, label="released (of the set)"),
            ],
            stat="Sum",
            period=HOUR,
        ),
        _metric(
            6,
            "Streams: opt-outs, emails stopped",
            [
                _ours("Subscription", "ConfigurationSet", OWN, label="changes"),
                _ours("UnsubscribedRecipient", "ConfigurationSet", OWN, label="not sent"),
            ],
            stat="Sum",
            period=HOUR,
        ),
    ]


def _costs() -> list[Widget]:
    return [
        _metric(
            12,
            "Cost drivers: invocations",
            [_of_function("Invocations", name, label=name) for name in FUNCTIONS],
            stat="Sum",
            period=HOUR,
        ),
        _metric(
            12,
            "Cost drivers: request units of the table",
            [
                [
                    "AWS/DynamoDB",
                    f"Consumed{kind}CapacityUnits",
                    "TableName",
                    "${ContactsTable}",
                    {"label": kind.lower()},
                ]
                for kind in ("Write", "Read")
            ],
            stat="Sum",
            period=HOUR,
        ),
    ]


def _ours(name: str, dimension: str, value: str, **rendering: object) -> list[Any]:
    return ["SesFeedback", name, dimension, value, rendering]


def _of_lane(name: str, lane: str, **rendering: object) -> list[Any]:
    return ["SesFeedback", name, "Stack", STACK, "Lane", lane, rendering]


def _of_function(metric: str, name: str, **rendering: object) -> list[Any]:
    return ["AWS/Lambda", metric, "FunctionName", f"${{{name}Function}}", rendering]


def _of_queue(metric: str, queue: str, **rendering: object) -> list[Any]:
    return ["AWS/SQS", metric, "QueueName", f"${{{queue}.QueueName}}", rendering]


def _metric(width: int, title: str, metrics: Sequence[Any], **properties: object) -> Widget:
    defaults = {"title": title, "region": "${AWS::Region}", "view": "timeSeries", "period": 300}
    return {"type": "metric", "width": width, "properties": {**defaults, **properties, "metrics": list(metrics)}}


def _log(width: int, title: str, query: str, **properties: object) -> Widget:
    source = f"SOURCE '${{SuppressionLog}}' | {query}"
    properties = {"title": title, "region": "${AWS::Region}", **properties, "query": source}
    return {"type": "log", "width": width, "properties": properties}


def _thresholds(*lines: tuple[float, str]) -> dict[str, Any]:
    horizontal = [
        {"value": value, "label": label, "color": WARNING if label.startswith("alarm") else REVIEW}
        for value, label in lines
    ]
    return {"horizontal": horizontal}


def resource() -> str:
    """Return the resource for template.yaml: one line for each widget."""
    made = body()
    widgets = ",\n".join(f"            {json.dumps(widget)}" for widget in made["widgets"])
    head = json.dumps({name: value for name, value in made.items() if name != "widgets"})[:-1]
    return f"""\
  # Generated by `python -m tools.dashboard`. Do not edit the body here.
  Dashboard:
    Type: AWS::CloudWatch::Dashboard
    Condition: Monitored
    Properties:
      DashboardBody: !Sub
        - |
          {head}, "widgets": [
{widgets}
          ]}}
        - Set: !If [OwnConfigurationSet, !Ref ConfigurationSet, !Ref ExistingConfigurationSet]
"""


def insert(template: str) -> str:
    """Return a template with the current resource."""
    pattern = re.compile(r"(?:  # Generated by[^\n]*\n)?  Dashboard:\n.*?(?=\n(?:  \S|\S))", re.DOTALL)
    replaced, number = pattern.subn(lambda _: resource(), template, count=1)
    if number != 1:
        raise ValueError("template.yaml has no resource Dashboard")
    return replaced


def main() -> None:
    """Write the resource into template.yaml."""
    TEMPLATE.write_text(insert(TEMPLATE.read_text()))


if __name__ == "__main__":
    main()
