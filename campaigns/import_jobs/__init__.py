"""The import-jobs campaign: simulated cases in which SES imports a backlog of list entries, and their duration."""
