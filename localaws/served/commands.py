"""`feedbackctl local`: an AWS on this machine that the very template.yaml is deployed to."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from localaws.served import stack
from localaws.served.process import Local, LocalError

_P = ParamSpec("_P")
_T = TypeVar("_T")


def told(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Tell what a LocalError says instead of showing where it was raised."""

    @wraps(function)
    def replaced(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return function(*args, **kwargs)
        except LocalError as error:
            raise click.ClickException(str(error)) from error

    return replaced


@click.group()
def local() -> None:
    """Run an AWS on this machine, and deploy the template to it."""


@local.command()
@click.option("--port", type=int, help="Where to listen on 127.0.0.1. [default: 14566, or any free one]")
@click.option("--iam/--no-iam", default=True, help="Whether policies are enforced.", show_default=True)
@click.option("--also-on", metavar="ADDRESS", help="Listen there too: Docker's bridge on Linux, for sam local invoke.")
@told
def up(port: int | None, also_on: str | None, *, iam: bool) -> None:
    """Start it. It runs in the background and keeps its state until it is brought down."""
    running = Local().up(port, iam=iam, also_on=also_on)
    click.echo(f"The local AWS runs at {running.url} (process {running.pid}).")
    click.echo('For other tools: eval "$(feedbackctl local env)"')


@local.command()
@told
def down() -> None:
    """End it. Everything in it is gone."""
    click.echo("The local AWS has ended." if Local().down() else "The local AWS was not running.")


@local.command()
@told
def status() -> None:
    """Say whether it runs, and what is in it."""
    running = Local().require()
    state = running.ask("state")
    click.echo(f"The local AWS runs at {running.url} (process {running.pid}).")
    click.echo(f"  {state['mails']} mails sent, {state['suppressed']} addresses on the suppression list")
    stacks = stack.client(running, "cloudformation").describe_stacks()["Stacks"]
    for one in stacks:
        click.echo(f"  stack {one['StackName']}: {one['StackStatus']}")
    if not stacks:
        click.echo("  no stacks; deploy with: feedbackctl local deploy")


@local.command()
@told
def reset() -> None:
    """Empty it: no stacks, no mail, no suppression list."""
    Local().reset()
    click.echo("The local AWS is empty.")


@local.command()
@told
def env() -> None:
    """Print the variables that make other tools talk to it, to be evaluated by a shell."""
    for name, value in Local().require().environment.items():
        click.echo(f"export {name}={value}")


@local.command()
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
@told
def deploy(parameters: tuple[str, ...]) -> None:
    """Build what has changed and deploy it, with the parameters of samconfig.toml's stage `local` and those given.

    Mail can be sent as anybody at example.com afterwards.
    """
    here = Local()
    stack.deploy(here, here.require(), parameters=parameters, tell=click.echo).verify_sender()


@click.command(short_help="Show the whole stack on this machine.")
@told
def demo() -> None:
    """Deploy the template to an AWS on this machine, send mail through it, and show what becomes of it."""
    from rich.console import Console  # noqa: PLC0415 (slow to import, and needed by this command alone)

    from localaws.demo.demo import Demo, prepare  # noqa: PLC0415

    console = Console()
    Demo(prepare(Local(), console), console).run()
    console.print(
        "  It runs on: [bold]feedbackctl local status[/bold] looks, [bold]feedbackctl local down[/bold] ends it."
    )
