"""A warm process that functions' processes are forked from: everything is imported, and every client made.

It takes its orders on a socket: `fork` names the way to DynamoDB and the worker, comes with the socket on which the
new process is to be spoken to, and is answered with its number; `reap` waits for a process that was killed. Until then
no other process can have its number.
"""

import contextlib
import gc
import json
import os
import socket
import sys
import traceback
from importlib import import_module
from itertools import product
from typing import Any, NoReturn

from campaigns.fuzz.canaries import find_leaks
from campaigns.simulation.lanes import Handler
from campaigns.simulation.scheduler import Scheduler
from campaigns.wire.clients import Clock, local_clients, retrying_at_once
from campaigns.wire.threaded_functions import Context, Output, compose, described
from ses_feedback.judging.policy import AmbiguousComplaint
from ses_feedback.settings import Settings

BOTOCORE, DIRECTLY = "botocore", "directly"
"""How a process calls DynamoDB."""
_ORDER = 4_096
"""Bytes an order takes at most."""
_leaks: list[str] = []
"""Personal data found in the log lines and metrics that this process printed."""


def serve(orders: socket.socket, url: str) -> None:
    """Take orders until the other end of the socket is closed."""
    scheduler = Scheduler(())
    name: list[str] = [""]
    clients = {way: local_clients(url, lambda: name[0], botocore=way == BOTOCORE) for way in (BOTOCORE, DIRECTLY)}
    for made, service in product(clients.values(), ("dynamodb", "sqs", "events", "sesv2")):
        getattr(made, service)
    gc.freeze()
    while True:
        order, sockets, _, _ = socket.recv_fds(orders, _ORDER, 1)
        if not order:
            return
        kind, _, argument = order.decode().partition(" ")
        if kind == "reap":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(int(argument), 0)
            orders.sendall(b"reaped")
            continue
        child = os.fork()
        if child == 0:
            orders.close()
            way, _, name[0] = argument.partition(" ")
            _live(socket.socket(fileno=sockets[0]), scheduler, clients[way], name[0])
        os.close(sockets[0])
        orders.sendall(str(child).encode())


def _live(spoken: socket.socket, scheduler: Scheduler, clients: Any, worker: str) -> NoReturn:  # noqa: ANN401 (as in functions)
    """Be a function's process, and nothing after that."""
    try:
        _run(spoken, scheduler, clients, worker)
    except BaseException:  # noqa: BLE001 (the traceback is lost otherwise)
        traceback.print_exc()
    finally:
        os._exit(0)


def _run(spoken: socket.socket, scheduler: Scheduler, clients: Any, worker: str) -> None:  # noqa: ANN401 (as in functions)
    """Handle one event after another, until told no more."""
    clock = Clock(scheduler)
    handler: Handler | None = None
    with spoken.makefile("rwb") as lines, retrying_at_once(clock):
        for line in lines:
            told = json.loads(line)
            scheduler.clock = told["clock"]
            handler = handler or compose(worker, _settings(told["settings"]), clients, clock)
            answer = _handled(handler, told["event"], Context(scheduler, told["deadline"]))
            lines.write(json.dumps({**answer, "clock": scheduler.clock, "leaks": _leaks}).encode() + b"\n")
            lines.flush()


def _handled(handler: Handler, event: object, context: Context) -> dict[str, Any]:
    try:
        return {"answer": handler(event, context)}
    except Exception as error:  # noqa: BLE001 (as Lambda does)
        return {"error": described(error)}


def _printed(_where: str, text: str) -> None:
    _leaks.extend(find_leaks(text)[:1])


def _settings(told: dict[str, Any]) -> Settings:
    return Settings(**{**told, "ambiguous_complaint": AmbiguousComplaint(told["ambiguous_complaint"])})


if __name__ == "__main__":
    _, number, url, name = sys.argv
    planted = import_module("campaigns.wire.planted_bugs").named(name).planted() if name else contextlib.nullcontext()
    with planted, contextlib.redirect_stdout(Output(_printed)):
        serve(socket.socket(fileno=int(number)), url)
