"""Build the package that all Lambda functions share: `python -m tools.package_build DIRECTORY`."""

import argparse
import os
import shutil
import sys
from pathlib import Path

from tools.package_build.bytecode import compile_modules, find_compiler
from tools.package_build.dependencies import install_dependencies
from tools.package_build.file_tree import COMPILED, copy_tree, make_readable

CHECKOUT = Path(__file__).resolve().parents[2]
CODE = "ses_feedback"
PYTHON = "3.13"
"""The Python version of the functions: `Runtime` in template.yaml."""
UNCOMPILED = """\
WARNING: The package is not compiled, because this machine has no Python {python}. The functions work, but each cold
start takes about three times as long. Install Python {python} and build again, or build in an image of AWS's:
  docker run --rm -v "$PWD:$PWD" -w "$PWD" public.ecr.aws/sam/build-python{python} sam build
"""
"""`sam build --use-container` does not work: it mounts src/ only, without tools/. The image has Python and the SAM CLI:
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-image-repositories.html"""


def build(directory: Path, source: Path, checkout: Path, python: str, cache: Path | None = None) -> None:
    """Build the package from `source` for Python `python` into `directory`, which is emptied first.

    Installed dependencies are cached in `cache`, by default `.aws-sam/packages` of the checkout.
    """
    compiler = find_compiler(python, checkout)
    if compiler is None:
        # `sam build` shows the standard output only.
        sys.stdout.write(UNCOMPILED.format(python=python))
    shutil.rmtree(directory, ignore_errors=True)
    files = checkout / ".aws-sam"
    dependencies = install_dependencies(
        source / "requirements.txt", python, compiler, files / "wheels", cache or files / "packages"
    )
    copy_tree(dependencies, directory)
    copy_tree(source / CODE, directory / CODE, COMPILED)
    if compiler:
        compile_modules(directory / CODE, directory, compiler)
    make_readable(directory)


def main() -> None:
    """Build the package that the command line describes."""
    parser = argparse.ArgumentParser(prog="package_build", description=__doc__)
    parser.add_argument("directory", type=Path, help="the folder to build into; it is emptied first")
    parser.add_argument(
        "--source", type=Path, default=CHECKOUT / "src", help="the folder with the code and requirements.txt"
    )
    parser.add_argument(
        "--checkout",
        type=Path,
        default=CHECKOUT,
        help="the folder with .venv and .tools; downloaded wheels and installed dependencies are in its .aws-sam",
    )
    parser.add_argument(
        "--cache", type=Path, help="the folder of installed dependencies; with an empty folder, all are installed anew"
    )
    parser.add_argument(
        "--python",
        default=os.environ.get("SES_FEEDBACK_PYTHON", PYTHON),
        help="the Python version of the functions [default: the variable SES_FEEDBACK_PYTHON, or %(default)s]",
    )
    arguments = parser.parse_args()
    cache = arguments.cache.resolve() if arguments.cache else None
    build(
        arguments.directory.resolve(),
        arguments.source.resolve(),
        arguments.checkout.resolve(),
        arguments.python,
        cache,
    )


if __name__ == "__main__":
    main()
