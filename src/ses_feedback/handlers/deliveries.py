"""Handler of DeliveryFunction if deliveries arrive in files, through Firehose."""

import time
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from ses_feedback.aws.clients import Clients
from ses_feedback.aws.function_clients import FunctionClients
from ses_feedback.aws.objects import DeliveryObjects
from ses_feedback.handlers.deadline import Context, utc_now
from ses_feedback.handlers.feedback import FeedbackHandler, compose_handler, compose_quarantine, pipeline_factory
from ses_feedback.processing.delivery_files import DeliveryFilePipeline
from ses_feedback.settings import Settings, access_from_environment, from_environment


def compose(
    settings: Settings,
    clients: Clients | FunctionClients,
    *,
    now: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> FeedbackHandler:
    """Return the handler."""
    pipeline = DeliveryFilePipeline(
        pipeline_factory(settings, clients, now=now, sleep=sleep),
        compose_quarantine(settings, clients),
        DeliveryObjects(lambda: clients.s3, settings.delivery_bucket),
        now,
    )
    return compose_handler(settings, pipeline, now)


def handle(event: object, context: Context) -> dict[str, Any]:
    """Handle an invocation of DeliveryFunction."""
    return _handler()(event, context)


@cache
def _handler() -> FeedbackHandler:
    return compose(from_environment(), FunctionClients(access_from_environment()))
