"""The server process that `feedbackctl local up` starts.

`python -m localaws.server PORT [ADDRESS]` listens on the port on the loopback interface and, if given, on the address.
The variable LOCAL_AWS_ACCESS_KEY has the access key that requests need.
"""

import asyncio
import os
import resource
import sys
from importlib import import_module
from typing import Any

from localaws.listen_address import check_listen_address
from localaws.server.alarm_states import alarm_patches
from localaws.server.asgi_app import AsgiApp
from localaws.server.cloudwatch_patches import cloudwatch_patches
from localaws.server.function_credentials import credential_patches
from localaws.server.iam_enforcement import iam_patches
from localaws.server.ministack_internals import Emulator
from localaws.server.ministack_patches import behavior_patches
from localaws.server.monkey_patch import apply_patches
from localaws.server.request_guard import RequestGuard
from localaws.server.service_metrics import metric_patches, sample_forever
from localaws.server.topic_redrive import redrive_patches

ACCOUNT, REGION = "123456789012", "us-east-1"


def main() -> None:
    """Serve until the process is terminated."""
    port, *addresses = sys.argv[1:]
    for address in addresses:
        check_listen_address(address)
    access_key = os.environ.pop("LOCAL_AWS_ACCESS_KEY")
    _configure_ministack(port, access_key)
    emulator = Emulator()
    app = AsgiApp(emulator, RequestGuard(access_key, addresses, emulator.has_access_key))
    iam = os.environ["AUTH"] == "true"
    apply_patches([*behavior_patches(emulator, app.ses.publish_destination_notice), *cloudwatch_patches()])
    apply_patches([*alarm_patches(), *metric_patches(emulator), *redrive_patches(emulator)])
    apply_patches([*iam_patches(emulator), *credential_patches(emulator, iam=iam)])
    # The functions inherit the environment. They must import this project from their own package only, and log at the
    # level in the template (Powertools reads LOG_LEVEL too).
    for name in ("PYTHONPATH", "LOG_LEVEL"):
        os.environ.pop(name, None)
    listening = ("127.0.0.1", *addresses)
    config = import_module("hypercorn.config").Config()
    config.bind = [f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address in listening]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    asyncio.run(_serve(emulator, app, config))


async def _serve(emulator: Emulator, app: AsgiApp, config: Any) -> None:  # noqa: ANN401 (a class without types)
    """Serve, and publish the metrics of AWS's own services meanwhile."""
    sampling = asyncio.create_task(sample_forever(emulator))
    await import_module("hypercorn.asyncio").serve(app, config)
    sampling.cancel()


def _configure_ministack(port: str, access_key: str) -> None:
    """Set ministack's options, and remove the AWS settings of the caller's shell.

    ministack reads the environment when `Emulator` imports it.
    """
    enforce_iam = os.environ.get("AUTH", "true")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        {
            "AUTH": enforce_iam,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": access_key,
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
