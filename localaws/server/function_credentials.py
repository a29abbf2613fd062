"""Credentials of the functions.

ministack computes them from the function's name, so every process of the machine could compute them too. These contain
a random part. They stay the same while the server runs.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from localaws.server.ministack_internals import Emulator
from localaws.server.monkey_patch import Patch


def credential_patches(emulator: Emulator, *, iam: bool) -> Iterator[Patch]:
    """Yield the patches. Without `iam` the functions have the credentials of the root user."""
    seed = secrets.token_bytes(32)

    def create_credentials(config: Mapping[str, Any]) -> dict[str, str]:
        if not iam:
            return {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        return _register_credentials(emulator, config, seed)

    # One module imports the function from the other by name.
    for module in (emulator.runtime, emulator.service("lambda_svc")):
        yield Patch(module, "execution_credentials", lambda _: create_credentials)


def _register_credentials(emulator: Emulator, config: Mapping[str, Any], seed: bytes) -> dict[str, str]:
    """Return the credentials of a session of the function's role, which ministack's STS knows."""
    name, role = config["FunctionName"], config["Role"]
    account, role_name = role.split(":")[4], role.rpartition("/")[2]

    def derive(part: str) -> str:
        return hmac.new(seed, f"{part}:{config['FunctionArn']}:{role}".encode(), hashlib.sha256).hexdigest()

    key, secret, token = f"ASIA{derive('key')[:32].upper()}", derive("secret"), derive("token")
    session = {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name}/{name[:64]}",
        "UserId": f"{role_name}:{name[:64]}",
        "SecretAccessKey": secret,
        "SessionToken": token,
    }
    emulator.service("sts").register_session(key, session)
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}
