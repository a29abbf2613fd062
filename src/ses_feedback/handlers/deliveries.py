"""DeliveryFunction where Firehose brings the deliveries: the lane's function, which reads the objects it is told of."""

import time
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from ses_feedback.aws.clients import Clients
from ses_feedback.aws.function_clients import FunctionClients
from ses_feedback.aws.objects import DeliveryObjects
from ses_feedback.handlers.deadline import Context, utc_now
from ses_feedback.handlers.feedback import FeedbackHandler, answering, pipelines, quarantine
from ses_feedback.processing.delivery_files import Deliveries
from ses_feedback.settings import Settings, access_from_environment, from_environment


def compose(
    settings: Settings,
    clients: Clients | FunctionClients,
    *,
    now: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> FeedbackHandler:
    """Put the handler together."""
    deliveries = Deliveries(
        pipelines(settings, clients, now=now, sleep=sleep),
        quarantine(settings, clients),
        DeliveryObjects(lambda: clients.s3, settings.delivery_bucket),
        now,
    )
    return answering(settings, deliveries, now)


def handle(event: object, context: Context) -> dict[str, Any]:
    """Handle what Lambda hands to DeliveryFunction."""
    return _handler()(event, context)


@cache
def _handler() -> FeedbackHandler:
    return compose(from_environment(), FunctionClients(access_from_environment()))
