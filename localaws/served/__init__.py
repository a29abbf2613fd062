"""AWS served on a loopback port (ministack), to which template.yaml is deployed."""
