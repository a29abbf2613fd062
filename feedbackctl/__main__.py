"""`feedbackctl`, the operator's command line: `feedbackctl --help`."""

import click

from feedbackctl.commands.operate import redrive, reinstate
from feedbackctl.commands.replay import replay
from feedbackctl.commands.smoke import smoke
from localaws.served.commands import demo, local

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=CONTEXT)
@click.version_option(package_name="ses-feedback", message="%(package)s %(version)s")
def main() -> None:
    """See, and put right, what comes of what SES says about your mail."""


main.add_command(replay)
main.add_command(reinstate)
main.add_command(redrive)
main.add_command(local)
main.add_command(demo)
main.add_command(smoke)

if __name__ == "__main__":
    main(prog_name="feedbackctl")
