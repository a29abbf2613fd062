"""AWS on one machine, for replay, tests and the demo. Install the extra `local` to use it.

- `in_process`: moto in this process, without a network.
- `server`: ministack behind a loopback port, to which SAM deploys the real template.yaml.
- `deployment`: starts the server and deploys to it. `commands` has the command line: `feedbackctl local`.
- `suppression_list`: the SES suppression list, which both emulators lack.
- `demo`: `feedbackctl demo`.
"""
