"""Development tools: package build, generated documents, mutation testing, coverage floors."""
