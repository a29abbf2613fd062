"""An AWS on this machine that the very template.yaml is deployed to: `feedbackctl local`.

It is ministack (a web application that answers as AWS does) with what it lacks for this project wrapped around it.
`command` is the command line and `server` what it starts. The server runs in ministack's own virtual environment, so
the modules it imports need nothing but that and the standard library: `wrapper`, `control`, `faults`, `publishing`,
`mail`, `requests`, `emf`, `emulator`, `gaps`, `permissions`, `keys` and `localaws.ses_list.suppression_list`.
"""
