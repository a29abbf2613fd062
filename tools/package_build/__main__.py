"""Builds the package of a function: `python -m package_build DIRECTORY`."""

import argparse
import os
import shutil
import sys
from pathlib import Path

from tools.package_build.bytecode import compile_under, compiler_for
from tools.package_build.packages import installed
from tools.package_build.tree import COMPILED, copy, open_to_all

CHECKOUT = Path(__file__).resolve().parents[2]
CODE = "ses_feedback"
PYTHON = "3.13"
"""What the functions run on: `Runtime` in template.yaml."""
UNCOMPILED = """\
There is no Python {python} on this machine to compile the package with. It will run, but every cold start will take
about three times as long. Install one and build again, or build in a container: sam build --use-container
"""


def build(directory: Path, source: Path, checkout: Path, python: str) -> None:
    """Build the package from `source` for that version of Python into `directory`, which is emptied first."""
    compiler = compiler_for(python, checkout)
    if compiler is None:
        # `sam build` shows what goes to the standard output only.
        sys.stdout.write(UNCOMPILED.format(python=python))
    shutil.rmtree(directory, ignore_errors=True)
    copy(installed(source / "requirements.txt", python, compiler, checkout), directory)
    copy(source / CODE, directory / CODE, COMPILED)
    if compiler:
        compile_under(directory / CODE, directory, compiler)
    open_to_all(directory)


def main() -> None:
    """Build what the command line says."""
    parser = argparse.ArgumentParser(prog="package_build", description=__doc__)
    parser.add_argument("directory", type=Path, help="where to; emptied first")
    parser.add_argument("--source", type=Path, default=CHECKOUT / "src", help="the folder with the code and its pins")
    parser.add_argument(
        "--checkout",
        type=Path,
        default=CHECKOUT,
        help="where .aws-sam, .venv and .tools are: what is built is kept there for the next time",
    )
    parser.add_argument(
        "--python",
        default=os.environ.get("SES_FEEDBACK_PYTHON", PYTHON),
        help="the version of Python the functions run on; SES_FEEDBACK_PYTHON says it too",
    )
    arguments = parser.parse_args()
    build(arguments.directory.resolve(), arguments.source.resolve(), arguments.checkout.resolve(), arguments.python)


if __name__ == "__main__":
    main()
