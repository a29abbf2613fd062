"""The process behind `feedbackctl local up`, in ministack's environment.

`python -m localaws.served.server PORT [ADDRESS]` listens on the port on the loopback interface and at that address.
"""

import asyncio
import os
import resource
import sys
from importlib import import_module

ACCESS_KEY, SECRET_KEY = "local", "local"
ACCOUNT, REGION = "123456789012", "us-east-1"


def main() -> None:
    """Serve until terminated."""
    port, *addresses = sys.argv[1:]
    _prepare(port)
    # Only now: what they import reads the environment.
    from localaws.served import asgi_wrapper, ministack_fixes, ministack_internals  # noqa: PLC0415

    aws = ministack_internals.Emulator()
    app = asgi_wrapper.Wrapper(aws)
    ministack_fixes.fill(aws, app.announce_destination)
    # Functions inherit what is left: they are to import this project from their own package alone, and to log as the
    # template says (Powertools heeds LOG_LEVEL too).
    for name in ("PYTHONPATH", "LOG_LEVEL"):
        os.environ.pop(name, None)
    config = import_module("hypercorn.config").Config()
    config.bind = [f"{address}:{port}" for address in ("127.0.0.1", *addresses)]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    asyncio.run(import_module("hypercorn.asyncio").serve(app, config))


def _prepare(port: str) -> None:
    """Tell ministack how to behave, and nothing of what the caller's shell has to say about AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        {
            "AUTH": os.environ.get("AUTH", "true"),
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
