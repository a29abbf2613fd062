"""Files as other systems export them, with what they mean."""

from typing import NamedTuple


class Exported(NamedTuple):
    """A file: its name and text, the name of its format, and its entries as `address kind date`."""

    name: str
    text: str
    format: str
    entries: tuple[str, ...]


POSTMARK = Exported(
    "suppressions.json",
    """{"Suppressions": [
  {"EmailAddress": "a@example.com", "SuppressionReason": "HardBounce", "Origin": "Recipient",
   "CreatedAt": "2024-03-01T08:58:33-05:00"},
  {"EmailAddress": "b@example.com", "SuppressionReason": "SpamComplaint", "Origin": "Recipient",
   "CreatedAt": "2024-03-02T00:00:00Z"},
  {"EmailAddress": "c@example.com", "SuppressionReason": "ManualSuppression", "Origin": "Recipient",
   "CreatedAt": "2024-03-03T00:00:00Z"},
  {"EmailAddress": "d@example.com", "SuppressionReason": "ManualSuppression", "Origin": "Customer",
   "CreatedAt": "2024-03-04T00:00:00Z"}]}""",
    "postmark",
    (
        "a@example.com bounce 2024-03-01T13:58:33.000Z",
        "b@example.com complaint 2024-03-02T00:00:00.000Z",
        "c@example.com unsubscribe 2024-03-03T00:00:00.000Z",
        "d@example.com manual 2024-03-04T00:00:00.000Z",
    ),
)
SENDGRID_BOUNCES = Exported(
    "suppression_bounces.csv",
    "status,reason,email,created\n"
    '5.1.1,"550 5.1.1 no such user, ""really""\nsecond line",A@Example.com,1709251200\n'
    "4.2.2,mailbox full,b@example.com,1709251201\n",
    "sendgrid-bounces",
    ("A@example.com bounce 2024-03-01T00:00:00.000Z", "b@example.com soft 2024-03-01T00:00:01.000Z"),
)
SENDGRID_SPAM = Exported(
    "spam.json",
    '[{"created": 1709251200, "email": "a@example.com", "ip": "192.0.2.1"}]',
    "sendgrid-spam",
    ("a@example.com complaint 2024-03-01T00:00:00.000Z",),
)
FILES = (
    POSTMARK,
    Exported(
        "export.csv",
        "EmailAddress,SuppressionReason,Origin,CreatedAt\na@example.com,HardBounce,Recipient,2024-03-01T00:00:00Z\n",
        "postmark",
        ("a@example.com bounce 2024-03-01T00:00:00.000Z",),
    ),
    SENDGRID_BOUNCES,
    Exported(
        "suppression_blocks.csv",
        "status,reason,email,created\n5.7.1,our IP is on a list,a@example.com,1709251200\n",
        "sendgrid-blocks",
        ("a@example.com soft 2024-03-01T00:00:00.000Z",),
    ),
    SENDGRID_SPAM,
    Exported(
        "unsubscribes.csv",
        "email,created\na@example.com,2024-03-01 00:00:00\n",
        "sendgrid-unsubscribes",
        ("a@example.com unsubscribe 2024-03-01T00:00:00.000Z",),
    ),
    Exported(
        "invalid.csv",
        "reason,email,created\nMail domain mentioned in email address is unknown,a@example.com,1709251200\n",
        "sendgrid-invalid",
        ("a@example.com bounce 2024-03-01T00:00:00.000Z",),
    ),
    Exported(
        "groups.json",
        '[{"email": "a@example.com", "group_id": 7, "group_name": "newsletter", "created_at": 1709251200}]',
        "sendgrid-groups",
        ("a@example.com unsubscribe 2024-03-01T00:00:00.000Z newsletter",),
    ),
    Exported(
        "bounces.json",
        '{"items": [{"address": "a@example.com", "code": "550", "error": "No such mailbox {really}",\n'
        ' "created_at": "Fri, 01 Mar 2024 00:00:00 UTC"},\n'
        '{"address": "b@example.com", "code": 421, "error": "", "created_at": "Fri, 01 Mar 2024 01:00:00 +0100"}],\n'
        '"paging": {"first": "https://example.com/?page=first", "next": "https://example.com/]}"}}',
        "mailgun-bounces",
        ("a@example.com bounce 2024-03-01T00:00:00.000Z", "b@example.com soft 2024-03-01T00:00:00.000Z"),
    ),
    Exported(
        "complaints.csv",
        'address,created_at\na@example.com,"Fri, 01 Mar 2024 00:00:00 GMT"\n',
        "mailgun-complaints",
        ("a@example.com complaint 2024-03-01T00:00:00.000Z",),
    ),
    Exported(
        "unsubscribes-of-a-domain.json",
        '{"items": [{"address": "a@example.com", "tags": ["*"], "created_at": "Fri, 01 Mar 2024 00:00:00 UTC"},'
        '{"address": "b@example.com", "tags": ["newsletter"], "created_at": "Fri, 01 Mar 2024 00:00:00 UTC"}]}',
        "mailgun-unsubscribes",
        (
            "a@example.com unsubscribe 2024-03-01T00:00:00.000Z",
            "b@example.com unsubscribe 2024-03-01T00:00:00.000Z newsletter",
        ),
    ),
    Exported(
        "resend.json",
        '{"object": "list", "has_more": false, "data": [{"object": "suppression", "id": "e1", '
        '"email": "a@example.com", "origin": "bounce", "source_id": null, "created_at": "2024-03-01T00:00:00.000Z"},'
        '{"object": "suppression", "id": "e2", "email": "b@example.com", "origin": "manual", "source_id": null,'
        '"created_at": "2024-03-01T00:00:00.000Z"}]}',
        "resend",
        ("a@example.com bounce 2024-03-01T00:00:00.000Z", "b@example.com manual 2024-03-01T00:00:00.000Z"),
    ),
    Exported(
        "brevo.json",
        '{"count": 3, "contacts": [{"email": "a@example.com", "senderEmail": "s@example.com", "blockedAt": '
        '"2024-03-01T00:00:00Z", "reason": {"code": "hardBounce", "message": "Hard bounce"}},'
        '{"email": "b@example.com", "reason": {"code": "contactFlaggedAsSpam"}, "blockedAt": "2024-03-01T00:00:00Z"},'
        '{"email": "c@example.com", "reason": {"code": "unsubscribedViaMA"}, "blockedAt": "2024-03-01T00:00:00Z"}]}',
        "brevo",
        (
            "a@example.com bounce 2024-03-01T00:00:00.000Z",
            "b@example.com complaint 2024-03-01T00:00:00.000Z",
            "c@example.com unsubscribe 2024-03-01T00:00:00.000Z",
        ),
    ),
    Exported(
        "subscribers.csv",
        "uuid,email,name,attributes,status,created_at,updated_at\n"
        'u1,a@example.com,Ann,"{""city"": ""X""}",blocklisted,2023-01-01T00:00:00Z,2024-03-01T00:00:00.123456+05:30\n'
        "u2,b@example.com,Bob,{},enabled,2023-01-01T00:00:00Z,2024-03-01T00:00:00Z\n",
        "listmonk-subscribers",
        ("a@example.com unsubscribe 2024-02-29T18:30:00.123Z", " none "),
    ),
    Exported(
        "listmonk.json",
        '{"data": {"results": [{"id": 1, "type": "hard", "source": "ses", "meta": {"some": "parameter"}, "created_at": '
        '"2024-03-01T00:00:00.851858Z", "email": "a@example.com", "subscriber_uuid": "u1", "subscriber_id": 60,'
        '"campaign": {"id": 1, "name": "x"}}, {"type": "complaint", "email": "b@example.com", "subscriber_uuid": "u2",'
        '"created_at": "2024-03-01T00:00:00Z"}], "query": "", "total": 2, "per_page": 2, "page": 1}}',
        "listmonk-bounces",
        ("a@example.com bounce 2024-03-01T00:00:00.851Z", "b@example.com complaint 2024-03-01T00:00:00.000Z"),
    ),
    Exported(
        "list.json",
        '{\n    "SuppressedDestinationSummaries": [\n        {\n            "EmailAddress": "a@example.com",\n'
        '            "Reason": "BOUNCE",\n            "LastUpdateTime": "2024-03-01T00:00:00+00:00"\n        },\n'
        '        {"EmailAddress": "b@example.com", "Reason": "COMPLAINT", "LastUpdateTime": 1709251200.077}\n    ],\n'
        '    "NextToken": "]}{"\n}\n{"SuppressedDestinationSummaries": [{"EmailAddress": "c@example.com",'
        '"Reason": "BOUNCE", "LastUpdateTime": "2024-03-01T00:00:00Z"}]}',
        "ses",
        (
            "a@example.com bounce 2024-03-01T00:00:00.000Z",
            "b@example.com complaint 2024-03-01T00:00:00.077Z",
            "c@example.com bounce 2024-03-01T00:00:00.000Z",
        ),
    ),
    Exported(
        "import.ndjson",
        '{"emailAddress":"a@example.com","reason":"BOUNCE"}\n{"emailAddress":"b@example.com","reason":"COMPLAINT"}\n',
        "ses",
        ("a@example.com bounce ", "b@example.com complaint "),
    ),
    Exported(
        "import.csv",
        "a@example.com,BOUNCE\nb@example.com,COMPLAINT\n",
        "ses-lines",
        ("a@example.com bounce ", "b@example.com complaint "),
    ),
    Exported(
        "console.csv",
        "Email address,Suppression reason,Last update\na@example.com,Bounce,2024-03-01T00:00:00Z\n",
        "ses-console",
        ("a@example.com bounce 2024-03-01T00:00:00.000Z",),
    ),
)
