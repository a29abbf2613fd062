"""`feedbackctl quarantine`, `dead-letters` and `undelivered`: messages that wait for an operator."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from feedbackctl.commands.redrive import redrive_queue, require_own_queues, show_queues, unpacked_text
from feedbackctl.errors import OperatorError
from feedbackctl.operator_options import Target, json_option, row_options, stack_options, yes_option
from feedbackctl.printable import printable, printable_lines
from feedbackctl.queues import LANES, STORED, QueueReader, reason_of
from feedbackctl.terminal.confirmation import confirm
from feedbackctl.terminal.output import Format, print_document, print_in_format

_COLUMNS = {"id": "Message", "sent_at": "Stored", "reason": "Reason", "size": "Bytes", "source": "Source"}
JSON_FIELDS = {
    "messages": "`list`, `show`: the messages, each with `id`, `reason`, `source`, `sent_at` and `size`; with `show` "
    "also `text` (null: the message is damaged)",
    "reasons": "`list`: number of messages by reason",
    "moved": "`redrive`: number of messages that were moved",
    "left": "`redrive`: number of chosen messages that stay, because SQS cannot carry them in their original form",
}


@click.group
def quarantine() -> None:
    """Inspect and redrive messages that could not be read."""


@click.group("dead-letters")
def dead_letters() -> None:
    """Inspect and redrive messages that a lane could not process in five days."""


@click.group
def undelivered() -> None:
    """Inspect and redrive messages that SNS could not deliver to a lane."""


def _list_command(name: str) -> click.Command:
    @click.command("list", help=f"List the messages in {name}, without their contents. They stay where they are.")
    @click.option("--reason", default="", metavar="TEXT", help="Only messages whose reason contains this.")
    @row_options
    @stack_options
    def list_messages(target: Target, reason: str, output_format: Format) -> None:
        reasons: Counter[str] = Counter()
        with QueueReader.of(target.find_stack(), name) as reader:

            def rows() -> Iterator[dict[str, Any]]:
                for message in reader.messages():
                    if reason.casefold() in message.reason.casefold():
                        reasons[message.reason or "(none)"] += 1
                        yield message.describe()

            found = print_in_format(output_format, "messages", _COLUMNS, rows(), {"reasons": reasons})
        if output_format is Format.TABLE:
            for text, number in reasons.most_common():
                click.echo(printable(f"{number:>7}  {text}"), err=True)
            if not found:
                click.echo("There are no messages.", err=True)

    return list_messages


@click.command
@click.argument("ids", nargs=-1, required=True, metavar="MESSAGE...")
@json_option
@stack_options
def show(target: Target, ids: tuple[str, ...], output_format: Format) -> None:
    """Print the contents of messages, unpacked. They contain addresses."""
    with QueueReader.of(target.find_stack(), "quarantine") as reader:
        found = {message.id: message for message in reader.messages() if message.id in ids}
    messages = [found[one].describe() | {"text": unpacked_text(found[one].received)} for one in ids if one in found]
    if output_format is Format.JSON:
        print_document({"messages": messages})
    else:
        for message in messages:
            click.echo(printable(f"# {message['id']}, {message['sent_at']}, {message['reason']}"))
            click.echo(printable_lines(message["text"] or "(the message is damaged)"))
    missing = [one for one in ids if one not in found]
    if missing:
        raise OperatorError(
            f"Not in the queue: {', '.join(missing)}. `feedbackctl quarantine list` lists its messages."
        )


def _redrive_command(name: str) -> click.Command:
    @click.command("redrive", help=_REDRIVE_HELP.format(name=name))
    @click.argument("ids", nargs=-1, metavar="[MESSAGE]...")
    @click.option("--reason", default="", metavar="TEXT", help="Messages whose reason contains this.")
    @click.option("--all", "every", is_flag=True, help="All messages.")
    @click.option(
        "--to", "lane", type=click.Choice(list(LANES)), default="complaint", show_default=True, help="The lane."
    )
    @yes_option
    @json_option
    @stack_options
    def redrive_messages(
        target: Target, ids: tuple[str, ...], *, reason: str, every: bool, lane: str, output_format: Format, yes: bool
    ) -> None:
        if sum((bool(ids), bool(reason), every)) != 1:
            raise click.UsageError("Give messages, or --reason, or --all.")
        stack = target.find_stack()
        queues = stack.output(STORED[name]), stack.output(LANES[lane])
        require_own_queues(stack.aws.caller.account, *queues)
        show_queues(*queues)
        confirm(f"Move {_describe_choice(ids, reason)} of {name} to the {lane} lane?", yes=yes)

        def is_chosen(message: dict[str, Any]) -> bool:
            has_reason = bool(reason) and reason.casefold() in reason_of(message).casefold()
            return every or has_reason or message["MessageId"] in ids

        result = redrive_queue(stack.aws.client("sqs"), *queues, is_chosen)
        if output_format is Format.JSON:
            print_document({"moved": result.moved, "left": result.unsendable})
        else:
            click.echo(f"Moved {result.moved}, left {result.unsendable} that SQS cannot carry in their original form.")
        if result.newer:
            click.echo(f"Left {result.newer} more that arrived during the run.", err=True)

    return redrive_messages


_REDRIVE_HELP = """Move messages of {name} to a lane, in their original form.

Choose them by id, by reason, or all. Only the complaint lane accepts every message. A message
that contains others, such as a Lambda event, is moved as the messages inside. Feedback that was
applied before changes nothing."""


def _describe_choice(ids: tuple[str, ...], reason: str) -> str:
    if ids:
        return f"{len(ids)} messages"
    return f"the messages with the reason {printable(reason)}" if reason else "all messages"


quarantine.add_command(_list_command("quarantine"))
quarantine.add_command(show)
quarantine.add_command(_redrive_command("quarantine"))
dead_letters.add_command(_list_command("dead-letters"))
dead_letters.add_command(_redrive_command("dead-letters"))
undelivered.add_command(_list_command("undelivered"))
undelivered.add_command(_redrive_command("undelivered"))
