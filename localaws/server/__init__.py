"""AWS served on a loopback port (ministack), to which template.yaml is deployed.

The server runs in ministack's own virtual environment (`.tools/local`). So its modules import only the standard
library, ministack, each other, and the modules of `localaws` that the others share.
"""
