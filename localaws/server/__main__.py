"""The server process that `feedbackctl local up` starts.

`python -m localaws.server PORT [ADDRESS]` listens on the port on the loopback interface and, if given, on the address.
"""

import asyncio
import os
import resource
import sys
from importlib import import_module

from localaws.server.asgi_app import AsgiApp
from localaws.server.iam_enforcement import iam_patches
from localaws.server.ministack_internals import Emulator
from localaws.server.ministack_patches import behavior_patches
from localaws.server.monkey_patch import apply_patches

ACCESS_KEY, SECRET_KEY = "local", "local"
ACCOUNT, REGION = "123456789012", "us-east-1"


def main() -> None:
    """Serve until the process is terminated."""
    port, *addresses = sys.argv[1:]
    _configure_ministack(port)
    emulator = Emulator()
    app = AsgiApp(emulator)
    apply_patches([*behavior_patches(emulator, app.ses.publish_destination_notice), *iam_patches(emulator)])
    # The functions inherit the environment. They must import this project from their own package only, and log at the
    # level in the template (Powertools reads LOG_LEVEL too).
    for name in ("PYTHONPATH", "LOG_LEVEL"):
        os.environ.pop(name, None)
    config = import_module("hypercorn.config").Config()
    config.bind = [f"{address}:{port}" for address in ("127.0.0.1", *addresses)]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    asyncio.run(import_module("hypercorn.asyncio").serve(app, config))


def _configure_ministack(port: str) -> None:
    """Set ministack's options, and remove the AWS settings of the caller's shell.

    ministack reads the environment when `Emulator` imports it.
    """
    enforce_iam = os.environ.get("AUTH", "true")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        {
            "AUTH": enforce_iam,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": port,
            "LAMBDA_EXECUTOR": "local",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
        }
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
