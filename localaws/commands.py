"""`feedbackctl local` and `feedbackctl demo`: AWS on this machine, with the real template.yaml deployed to it."""

import shlex
from pathlib import Path

import click

from localaws.deployment.running_server import RunningServer
from localaws.deployment.server_process import LocalAws


# Click keeps the help option of the first call, also of a call that does not come through `feedbackctl`.
@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def local() -> None:
    """Run an AWS emulator on this machine, and deploy the template to it."""


@local.command()
@click.option("--port", type=int, help="The port on 127.0.0.1. [default: 14566, or any free one]")
@click.option("--iam/--no-iam", default=True, help="Enforce IAM policies.", show_default=True)
@click.option("--also-on", metavar="ADDRESS", help="A second address: Docker's bridge on Linux, for sam local invoke.")
def up(port: int | None, also_on: str | None, *, iam: bool) -> None:
    """Start the local AWS in the background. It keeps its data until it is stopped."""
    _show_server(LocalAws().start(port, iam=iam, also_on=also_on))
    click.echo('To use it with other tools: eval "$(feedbackctl local env)"')


@local.command()
def down() -> None:
    """Stop the local AWS. Its data is deleted."""
    click.echo("The local AWS has stopped." if LocalAws().stop() else "The local AWS was not running.")


@local.command()
def status() -> None:
    """Show the address of the local AWS and its stacks."""
    from localaws.deployment.deployed_stack import create_client  # noqa: PLC0415 (slow to import)

    server = LocalAws().require_server()
    state = server.call("state")
    _show_server(server)
    click.echo(f"  {state['emails']} emails sent, {state['suppressed']} addresses on the suppression list")
    stacks = create_client(server, "cloudformation").describe_stacks()["Stacks"]
    for stack in stacks:
        click.echo(f"  stack {stack['StackName']}: {stack['StackStatus']}")
    if not stacks:
        click.echo("  no stacks; deploy with: feedbackctl local deploy")


@local.command()
def reset() -> None:
    """Delete all data: stacks, emails and the suppression list."""
    LocalAws().reset()
    click.echo('The local AWS is empty. It has a new access key: eval "$(feedbackctl local env)"')


@local.command()
def env() -> None:
    """Print the variables that make other tools use the local AWS, as commands for a shell."""
    for name, value in LocalAws().require_server().environment.items():
        click.echo(f"export {name}={shlex.quote(value)}")


@local.command()
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
def deploy(parameters: tuple[str, ...]) -> None:
    """Build and deploy the template, with the parameters in samconfig.toml (stage `local`) and PARAMETERS.

    The domain example.com is verified, so SES accepts email from it.
    """
    from localaws.deployment import sam_cli  # noqa: PLC0415 (slow to import)

    local_aws = LocalAws()
    sam_cli.deploy(local_aws, local_aws.require_server(), parameters=parameters, log=click.echo).verify_sender()


@click.command(short_help="Show the whole stack on this machine.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write the output as an SVG image too.")
def demo(svg: Path | None) -> None:
    """Deploy the template to an AWS on this machine, send emails through it, and show the results."""
    from localaws.demo.run import run_demo  # noqa: PLC0415 (slow to import)

    run_demo(LocalAws(), svg)


def _show_server(server: RunningServer) -> None:
    click.echo(f"The local AWS runs at {server.url} (process {server.pid}).")
