"""The server process on this machine, and the stack that SAM deploys to it."""
