"""The fork server: a process with everything imported and every client created, from which functions are forked.

It receives commands on a socket. `fork CLIENT WORKER` comes with the socket of the new process, and is answered with
its process id. `reap PID` waits for a killed process, whose id cannot be reused before.
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
from campaigns.wire.clients import Clock, local_clients, virtual_pauses
from campaigns.wire.threaded_functions import CheckedOutput, LambdaContext, compose, describe_error
from ses_feedback.judging.policy import AmbiguousComplaint
from ses_feedback.settings import Settings

BOTOCORE, DIRECT = "botocore", "direct"
"""The DynamoDB client of a process."""
_MAX_COMMAND = 4_096
"""Bytes."""
_leaks: list[str] = []
"""Personal data that this process has printed."""


def serve(commands: socket.socket, url: str) -> None:
    """Execute commands until the socket is closed."""
    scheduler = Scheduler(())
    name: list[str] = [""]
    clients = {kind: local_clients(url, lambda: name[0], botocore=kind == BOTOCORE) for kind in (BOTOCORE, DIRECT)}
    for one, service in product(clients.values(), ("dynamodb", "sqs", "events", "sesv2")):
        getattr(one, service)
    gc.freeze()
    while True:
        command, sockets, _, _ = socket.recv_fds(commands, _MAX_COMMAND, 1)
        if not command:
            return
        verb, _, argument = command.decode().partition(" ")
        if verb == "reap":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(int(argument), 0)
            commands.sendall(b"reaped")
            continue
        child = os.fork()
        if child == 0:
            commands.close()
            kind, _, name[0] = argument.partition(" ")
            _run_child(socket.socket(fileno=sockets[0]), scheduler, clients[kind], name[0])
        os.close(sockets[0])
        commands.sendall(str(child).encode())


def _run_child(events: socket.socket, scheduler: Scheduler, clients: Any, worker: str) -> NoReturn:  # noqa: ANN401 (as compose)
    """Handle events in a forked process, and end it."""
    try:
        _handle_events(events, scheduler, clients, worker)
    except BaseException:  # noqa: BLE001 (the parent does not see it)
        traceback.print_exc()
    finally:
        os._exit(0)


def _handle_events(events: socket.socket, scheduler: Scheduler, clients: Any, worker: str) -> None:  # noqa: ANN401 (as compose)
    """Handle one event after another until the socket is closed."""
    clock = Clock(scheduler)
    handler: Handler | None = None
    with events.makefile("rwb") as lines, virtual_pauses(clock):
        for line in lines:
            request = json.loads(line)
            scheduler.clock = request["clock"]
            handler = handler or compose(worker, _settings(request["settings"]), clients, clock)
            answer = _handle(handler, request["event"], LambdaContext(scheduler, request["deadline"]))
            lines.write(json.dumps({**answer, "clock": scheduler.clock, "leaks": _leaks}).encode() + b"\n")
            lines.flush()


def _handle(handler: Handler, event: object, context: LambdaContext) -> dict[str, Any]:
    try:
        return {"answer": handler(event, context)}
    except Exception as error:  # noqa: BLE001 (like Lambda)
        return {"error": describe_error(error)}


def _find_leaks(_place: str, text: str) -> None:
    _leaks.extend(find_leaks(text)[:1])


def _settings(values: dict[str, Any]) -> Settings:
    complaint = AmbiguousComplaint(values["ambiguous_complaint"])
    tuples = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Settings(**{**values, **tuples, "ambiguous_complaint": complaint})


if __name__ == "__main__":
    _, descriptor, server_url, bug = sys.argv
    planted = import_module("campaigns.wire.planted_bugs").find_bug(bug).planted() if bug else contextlib.nullcontext()
    with planted, contextlib.redirect_stdout(CheckedOutput(_find_leaks)):
        serve(socket.socket(fileno=int(descriptor)), server_url)
