"""The demo: mail sent through the deployed stack, and the resulting contacts, list and metrics."""
