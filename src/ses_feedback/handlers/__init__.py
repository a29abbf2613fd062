"""What Lambda calls, and where everything is put together."""
