"""The policy table, row by row, and the judgements of whole documents."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from ses_feedback.address import Address
from ses_feedback.immutable import Struct, replace
from ses_feedback.judging import policy, providers
from ses_feedback.judging.facts import EventDetails, Fact, Judgement, ListReason, ProviderCount, Register, Verdict
from ses_feedback.judging.judge import judge
from ses_feedback.judging.policy import KNOWN_TYPES, POLICY, AmbiguousComplaint, PolicyOptions, Rule, Trait, find_rule
from ses_feedback.judging.preferences import judge_preference
from ses_feedback.message_order import number_message
from ses_feedback.reading.envelope import Notice
from ses_feedback.reading.preference_messages import is_preference, parse_preference
from ses_feedback.reading.ses_events import parse_feedback
from ses_feedback.timestamps import format_timestamp
from tests.support.builders import (
    AT,
    CONFIGURATION_SET,
    FEEDBACK_ID,
    MESSAGE_ID,
    NOTIFICATION,
    OTHER_RECIPIENT,
    RECIPIENT,
    START,
    VOCABULARIES,
    Json,
    a_bounce,
    a_bounced_recipient,
    a_click,
    a_complaint,
    a_delivery,
    a_delivery_delay,
    a_mail,
    a_preference,
    a_reject,
    a_rendering_failure,
    a_send,
    a_subscription,
    an_auto_reply_recipient,
    an_open,
)
from tools import generated_documents

# --- The table ------------------------------------------------------------------------------------------------------


class Row(Struct, frozen=True):
    """Expected result of a document, written by hand from the design and SES's documentation, not from `POLICY`."""

    rule: str
    verdict: Verdict
    metric: str
    register: Register = Register.NONE
    unrecognized: bool = False
    names: int = 1
    """Contacts that get a fact."""
    counts: int = 1


SUPPRESS = Row("bounce-permanent", Verdict.SUPPRESS, "PermanentBounce", Register.BOUNCED)
ON_GLOBAL_LIST = Row(
    "bounce-on-global-suppression-list", Verdict.SUPPRESS, "PermanentBounce", Register.GLOBALLY_SUPPRESSED
)
OPTED_OUT = Row("bounce-unsubscribed-recipient", Verdict.NOTE, "UnsubscribedRecipient")
ON_LIST = Row("bounce-on-account-suppression-list", Verdict.ECHO, "SuppressionEcho", Register.LISTED_BOUNCE)
NOT_ATTEMPTED = Row("bounce-not-attempted", Verdict.NOTE, "SuppressionEcho")
SOFT_BOUNCE = Row("bounce-transient", Verdict.SOFT_BOUNCE, "TransientBounce", Register.SOFT_BOUNCES)
NAMELESS = Row("bounce-nameless", Verdict.SOFT_BOUNCE, "PermanentBounce", Register.NAMELESS)
DID_NOT_FAIL = Row("bounce-recipient-did-not-fail", Verdict.NOTE, "TransientBounce")
MESSAGES_FAULT = Row("bounce-message-refused", Verdict.NOTE, "TransientBounce")
AUTO_REPLY = Row("bounce-auto-reply", Verdict.NOTE, "TransientBounce")
UNDETERMINED = Row("bounce-undetermined", Verdict.NOTE, "UndeterminedBounce")
UNKNOWN_TYPE = Row("bounce-of-unknown-type", Verdict.NOTE, "UndeterminedBounce", unrecognized=True)
COMPLAIN = Row("complaint", Verdict.COMPLAIN, "Complaint", Register.COMPLAINED)
NO_COMPLAINER = Row("complaint-without-complainer", Verdict.NOTE, "")
COMPLAINT_ON_LIST = Row(
    "complaint-on-account-suppression-list", Verdict.ECHO, "SuppressionEcho", Register.LISTED_COMPLAINT
)
COMPLAINT_ON_TENANT_LIST = Row("complaint-on-tenant-suppression-list", Verdict.NOTE, "SuppressionEcho")
FORWARDED = Row("bounce-forwarded", Verdict.SOFT_BOUNCE, "UnmatchedRecipient", Register.SOFT_BOUNCES)
MEMBER_GONE = Row("bounce-member-gone", Verdict.NOTE, "UnmatchedRecipient")
OPT_OUT = Row("subscription-opt-out", Verdict.UNSUBSCRIBE, "Subscription", Register.UNSUBSCRIBED_FROM)
OPT_IN = Row("subscription-opt-in", Verdict.SUBSCRIBE, "Subscription", Register.OPTED_INTO)
PREFERENCE_UNSUBSCRIBE = Row("preference-unsubscribe", Verdict.UNSUBSCRIBE, "OptOut", Register.UNSUBSCRIBED)
PREFERENCE_SUBSCRIBE = Row("preference-subscribe", Verdict.SUBSCRIBE, "OptIn", Register.OPTED_INTO)
SUBSCRIBE_ALL = Row("subscription-subscribe-all", Verdict.SUBSCRIBE, "Subscription", Register.OPTED_INTO)


def a_change(topics: dict[str, tuple[str, str]], unsubscribe_all: tuple[bool, bool] = (False, False)) -> Json:
    """Return a subscription event in which each topic changes from one status to another."""

    def preferences(number: int) -> Json:
        return {
            "unsubscribeAll": unsubscribe_all[number],
            "topicSubscriptionStatus": [
                {"topicName": name, "subscriptionStatus": change[number]} for name, change in topics.items()
            ],
        }

    return a_subscription(oldTopicPreferences=preferences(0), newTopicPreferences=preferences(1))


def unrecognized(row: Row) -> Row:
    """Return `row` for a name that SES does not document."""
    return replace(row, unrecognized=True)


def of_two(row: Row, counts: int = 1) -> Row:
    """Return `row` for a document that names two recipients."""
    return replace(row, names=2, counts=counts)


def counted(rule: str, metric: str, number: int = 1) -> Row:
    """Return the row of a document that changes no contact."""
    return Row(rule, Verdict.COUNT, metric, names=0, counts=number)


BOUNCES: Mapping[tuple[str | None, str | None], Row] = {
    ("Permanent", "General"): SUPPRESS,
    ("Permanent", "NoEmail"): SUPPRESS,
    ("Permanent", "Suppressed"): ON_GLOBAL_LIST,
    ("Permanent", "FullMoon"): unrecognized(SUPPRESS),
    ("Permanent", ""): SUPPRESS,
    ("Permanent", None): SUPPRESS,
    # Names of the other type's sub types mean nothing here.
    ("Permanent", "MailboxFull"): unrecognized(SUPPRESS),
    ("Permanent", "ContentRejected"): unrecognized(SUPPRESS),
    ("Permanent", "OnAccountSuppressionList"): ON_LIST,
    ("Permanent", "OnTenantSuppressionList"): NOT_ATTEMPTED,
    ("Permanent", "EmailValidationSuppressed"): NOT_ATTEMPTED,
    ("Permanent", "UnsubscribedRecipient"): OPTED_OUT,
    ("Transient", "General"): SOFT_BOUNCE,
    ("Transient", "MailboxFull"): SOFT_BOUNCE,
    ("Transient", "FullMoon"): unrecognized(SOFT_BOUNCE),
    ("Transient", None): SOFT_BOUNCE,
    ("Transient", "OnAccountSuppressionList"): unrecognized(SOFT_BOUNCE),
    ("Transient", "OnTenantSuppressionList"): unrecognized(SOFT_BOUNCE),
    ("Transient", "UnsubscribedRecipient"): unrecognized(SOFT_BOUNCE),
    ("Transient", "Suppressed"): unrecognized(SOFT_BOUNCE),
    ("Transient", "MessageTooLarge"): MESSAGES_FAULT,
    ("Transient", "ContentRejected"): MESSAGES_FAULT,
    ("Transient", "AttachmentRejected"): MESSAGES_FAULT,
    ("Transient", "CustomTimeoutExceeded"): MESSAGES_FAULT,
    ("Undetermined", "Undetermined"): UNDETERMINED,
    ("Undetermined", None): UNDETERMINED,
    ("Undetermined", "General"): unrecognized(UNDETERMINED),
    ("Undetermined", "MessageTooLarge"): unrecognized(UNDETERMINED),
    ("Lunar", "General"): UNKNOWN_TYPE,
    ("Lunar", None): UNKNOWN_TYPE,
    ("", "OnAccountSuppressionList"): UNKNOWN_TYPE,
    (None, None): UNKNOWN_TYPE,
}

COMPLAINTS: Mapping[tuple[str | None, str | None], Row] = {
    (None, "abuse"): COMPLAIN,
    (None, "fraud"): COMPLAIN,
    (None, "other"): COMPLAIN,
    (None, "virus"): COMPLAIN,
    (None, None): COMPLAIN,
    ("", ""): COMPLAIN,
    (None, "boredom"): unrecognized(COMPLAIN),
    ("Shouted", "abuse"): unrecognized(COMPLAIN),
    (None, "not-spam"): NO_COMPLAINER,
    (None, "auth-failure"): NO_COMPLAINER,
    ("Shouted", "not-spam"): unrecognized(NO_COMPLAINER),
    ("OnAccountSuppressionList", None): COMPLAINT_ON_LIST,
    ("OnAccountSuppressionList", "not-spam"): COMPLAINT_ON_LIST,
    ("OnTenantSuppressionList", None): COMPLAINT_ON_TENANT_LIST,
    ("OnTenantSuppressionList", "abuse"): COMPLAINT_ON_TENANT_LIST,
}

SEVERAL = [RECIPIENT, OTHER_RECIPIENT]
TO_ONE = a_mail(destination=[RECIPIENT])


def a_dsn(action: str, status: str) -> Json:
    """Return a bounced recipient with the fields of a DSN."""
    return a_bounced_recipient() | {"action": action, "status": status}


REST: Mapping[str, tuple[Json, Row]] = {
    "an auto-reply": (a_bounce("Transient", "General", recipients=[an_auto_reply_recipient()]), AUTO_REPLY),
    "no DSN, mailbox full": (a_bounce("Transient", "MailboxFull", recipients=[an_auto_reply_recipient()]), SOFT_BOUNCE),
    "no DSN, no sub type": (a_bounce("Transient", None, recipients=[an_auto_reply_recipient()]), SOFT_BOUNCE),
    "no DSN, permanent": (a_bounce("Permanent", "General", recipients=[an_auto_reply_recipient()]), SUPPRESS),
    "no DSN, undetermined": (
        a_bounce("Undetermined", "General", recipients=[an_auto_reply_recipient()]),
        unrecognized(UNDETERMINED),
    ),
    "complaint of several": (
        a_complaint(recipients=SEVERAL),
        of_two(Row("complaint-several-recipients", Verdict.UNSUBSCRIBE, "Complaint", Register.UNSUBSCRIBED)),
    ),
    "several, not spam": (a_complaint("not-spam", recipients=SEVERAL), of_two(NO_COMPLAINER)),
    "several, on a tenant's list": (
        a_complaint(None, "OnTenantSuppressionList", recipients=SEVERAL),
        of_two(COMPLAINT_ON_TENANT_LIST),
    ),
    "several, on the account's list": (
        a_complaint(None, "OnAccountSuppressionList", recipients=SEVERAL),
        of_two(COMPLAINT_ON_LIST),
    ),
    "bounce of several": (a_bounce(recipients=SEVERAL), of_two(SUPPRESS, counts=2)),
    "bounce of no recipient": (a_bounce(recipients=[]), replace(SUPPRESS, names=0)),
    "bounce of no recipient, sent to one": (a_bounce(recipients=[], mail=TO_ONE), NAMELESS),
    "bounce of an unusable recipient, sent to one": (a_bounce(recipients=["no address"], mail=TO_ONE), NAMELESS),
    "soft bounce of no recipient, sent to one": (
        a_bounce("Transient", "MailboxFull", recipients=[], mail=TO_ONE),
        SOFT_BOUNCE,
    ),
    "auto-reply of no recipient, sent to one": (
        a_bounce("Transient", "General", recipients=[], mail=TO_ONE),
        AUTO_REPLY,
    ),
    "undetermined bounce of no recipient, sent to one": (
        a_bounce("Undetermined", "Undetermined", recipients=[], mail=TO_ONE),
        UNDETERMINED,
    ),
    "complaint of no recipient, sent to one": (a_complaint(recipients=[], mail=TO_ONE), COMPLAIN),
    **{
        f"DSN action {action}, {type_}": (a_bounce(type_, sub_type, recipients=[a_dsn(action, "4.4.1")]), DID_NOT_FAIL)
        for action in ("delayed", "relayed", "delivered", "expanded", "Delayed ")
        for type_, sub_type in (("Permanent", "General"), ("Transient", "General"), ("Undetermined", "Undetermined"))
    },
    "DSN action delayed without status": (a_bounce(recipients=[a_dsn("delayed", "")]), DID_NOT_FAIL),
    "DSN action delayed, status 5.1.1": (a_bounce(recipients=[a_dsn("delayed", "5.1.1")]), SUPPRESS),
    "DSN action failed, status 4.4.1": (a_bounce(recipients=[a_dsn("failed", "4.4.1")]), SUPPRESS),
    "DSN action delayed, echo": (
        a_bounce("Permanent", "OnAccountSuppressionList", recipients=[a_dsn("delayed", "4.4.1")]),
        ON_LIST,
    ),
    "text without action and status": (
        a_bounce("Transient", "General", recipients=[an_auto_reply_recipient() | {"diagnosticCode": "I am away"}]),
        AUTO_REPLY,
    ),
    "delivery": (a_delivery(), Row("delivery", Verdict.DELIVERED, "Delivery", Register.DELIVERED)),
    "delivery to two": (
        a_delivery(recipients=SEVERAL),
        of_two(Row("delivery", Verdict.DELIVERED, "Delivery", Register.DELIVERED), counts=2),
    ),
    "unsubscription": (
        a_subscription(),
        Row("subscription-unsubscribe-all", Verdict.UNSUBSCRIBE, "Subscription", Register.UNSUBSCRIBED),
    ),
    "subscription": (a_subscription(unsubscribe_all=False), counted("subscription", "Subscription")),
    "send to two": (a_send(), counted("send", "Send", 2)),
    "send without recipients": (a_send(destination=[]), counted("send", "Send")),
    "reject": (a_reject(), counted("reject", "Reject")),
    "rendering failure": (a_rendering_failure(), counted("rendering-failure", "RenderingFailure")),
    "delivery delay": (a_delivery_delay(), counted("delivery-delay", "DeliveryDelay")),
    "open": (an_open(), counted("open", "Open")),
    "click": (a_click(), counted("click", "Click")),
}

TABLE: dict[str, tuple[Json, Row]] = {
    **{f"bounce {type_}/{sub_type}": (a_bounce(type_, sub_type), row) for (type_, sub_type), row in BOUNCES.items()},
    **{f"complaint {sub}/{type_}": (a_complaint(type_, sub), row) for (sub, type_), row in COMPLAINTS.items()},
    **REST,
}


STREAM_TABLE: dict[str, tuple[Json, Row]] = {
    "UnsubscribedRecipient of a declared stream": (
        a_bounce("Permanent", "UnsubscribedRecipient"),
        Row(
            "bounce-unsubscribed-from-stream", Verdict.UNSUBSCRIBE, "UnsubscribedRecipient", Register.UNSUBSCRIBED_FROM
        ),
    ),
    "hard bounce of a declared stream": (a_bounce("Permanent", "General"), SUPPRESS),
    "soft bounce of a declared stream": (a_bounce("Transient", "UnsubscribedRecipient"), unrecognized(SOFT_BOUNCE)),
    "opt-out of a declared stream": (a_change({CONFIGURATION_SET: ("OptIn", "OptOut")}), OPT_OUT),
    "opt-in to a declared stream": (a_change({CONFIGURATION_SET: ("OptOut", "OptIn")}), OPT_IN),
    "opt-in to all email": (
        a_change({CONFIGURATION_SET: ("OptIn", "OptIn")}, unsubscribe_all=(True, False)),
        SUBSCRIBE_ALL,
    ),
    "unchanged topic": (a_change({CONFIGURATION_SET: ("OptOut", "OptOut")}), counted("subscription", "Subscription")),
    "opt-in to all email and to a stream": (
        a_preference("subscribe"),
        replace(PREFERENCE_SUBSCRIBE, names=2),
    ),
    "preference of a declared stream": (
        a_preference("unsubscribe", CONFIGURATION_SET),
        Row("preference-opt-out", Verdict.UNSUBSCRIBE, "OptOut", Register.UNSUBSCRIBED_FROM),
    ),
    "opt-in of a preference message": (
        a_preference("subscribe", CONFIGURATION_SET),
        Row("preference-opt-in", Verdict.SUBSCRIBE, "OptIn", Register.OPTED_INTO),
    ),
    "preference of all email": (a_preference("unsubscribe"), PREFERENCE_UNSUBSCRIBE),
    "preference of an undeclared stream": (a_preference("unsubscribe", "another"), PREFERENCE_UNSUBSCRIBE),
    "topic that is no declared stream": (
        a_change({"another": ("OptIn", "OptOut")}),
        counted("subscription", "Subscription"),
    ),
}
"""Documents judged with one declared stream, named like the configuration set."""

UNMATCHED = ["forged@example.org"]
UNMATCHED_TABLE: dict[str, tuple[Json, Row]] = {
    "forwarded": (a_bounce(recipients=UNMATCHED, mail=TO_ONE), FORWARDED),
    "forwarded, mailbox full": (a_bounce("Transient", "MailboxFull", recipients=UNMATCHED, mail=TO_ONE), FORWARDED),
    "member gone": (a_bounce(recipients=["old@example.com"], mail=TO_ONE), MEMBER_GONE),
}
"""Bounces that name an address the email was not sent to; they count the bounce too."""


def result_of(document: Json, streams: frozenset[str] = frozenset()) -> Row:
    """Return the result for `document` as a row; ValueError if it is no single row of the table."""
    options = PolicyOptions(streams=streams)
    if is_preference(document):
        judgement = judge_preference(parse_preference(document), AT, options)
    else:
        judgement = judge(parse_feedback(document), options=options)
    rules = {rule.name: rule for rule in policy.POLICY}
    rule = rules[judgement.rule]
    of_facts = {(fact.rule, fact.verdict, fact.register) for fact in judgement.facts}
    ((name, verdict, register),) = of_facts or {(rule.name, rule.verdict, rule.register)}
    counts = dict(judgement.counts)
    unrecognized = counts.pop("UnrecognizedFeedback", 0)
    if "UnmatchedRecipient" in counts:
        counts.pop(rule.metric)
    ((metric, number),) = counts.items() or {("", 1)}
    if metric != rules[name].metric:
        raise ValueError("the message is counted as another metric than its row of the table shows")
    return Row(name, verdict, metric, register, bool(unrecognized), len(judgement.facts), number)


def test_the_policy_page_shows_every_row() -> None:
    page = Path(__file__).parents[4] / "docs/explain/policy.md"
    assert generated_documents.policy_table() in page.read_text()


@pytest.mark.parametrize(("document", "row"), [pytest.param(*case, id=name) for name, case in STREAM_TABLE.items()])
def test_judge_gives_documents_about_streams_the_result_of_their_row(document: Json, row: Row) -> None:
    assert row == result_of(document, frozenset({CONFIGURATION_SET}))


@pytest.mark.parametrize(("document", "row"), [pytest.param(*case, id=name) for name, case in UNMATCHED_TABLE.items()])
def test_judge_gives_unmatched_recipients_the_result_of_their_row(document: Json, row: Row) -> None:
    assert row == result_of(document)


@pytest.mark.parametrize(("document", "row"), [pytest.param(*case, id=name) for name, case in TABLE.items()])
def test_judge_gives_each_document_the_result_of_its_row(document: Json, row: Row) -> None:
    assert row == result_of(document)


def in_other_cases(name: str | None) -> Iterator[str | None]:
    """Yield other forms of a name; SES or its documentation uses each of them somewhere."""
    if not name:
        yield name
        return
    yield from (name.upper(), name.lower(), name.swapcase(), f" {name} ")
    yield "".join(f"_{c}" if c.isupper() else c.upper() for c in name).lstrip("_")
    yield name.replace("-", "_")


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_judge_ignores_case_blanks_hyphens_and_underscores_in_type_names(vocabulary: str) -> None:
    for (type_, sub_type), row in BOUNCES.items():
        for types in ((other, sub_type) for other in in_other_cases(type_)):
            assert row == result_of(a_bounce(*types, vocabulary=vocabulary))
        for types in ((type_, other) for other in in_other_cases(sub_type)):
            assert row == result_of(a_bounce(*types, vocabulary=vocabulary))
    for (sub_type, type_), row in COMPLAINTS.items():
        for types in ((other, sub_type) for other in in_other_cases(type_)):
            assert row == result_of(a_complaint(*types, vocabulary=vocabulary))
        for types in ((type_, other) for other in in_other_cases(sub_type)):
            assert row == result_of(a_complaint(*types, vocabulary=vocabulary))


def test_every_type_name_that_ses_documents_has_a_row_in_this_table() -> None:
    documented: set[tuple[str, str | None, str | None]] = {
        ("Bounce", type_, sub) for type_, subs in KNOWN_TYPES["Bounce"].items() for sub in subs
    }
    documented |= {
        ("Complaint", type_ or None, sub) for type_, subs in KNOWN_TYPES["Complaint"].items() for sub in subs
    }
    documented |= {("Complaint", type_, None) for type_ in KNOWN_TYPES["Complaint"] if type_}
    tested = {("Bounce", *types) for types in BOUNCES} | {("Complaint", *types) for types in COMPLAINTS}
    assert set() == documented - tested


def documented(table: Mapping[tuple[str | None, str | None], Row]) -> list[tuple[str | None, str | None]]:
    """Return the types and sub types of `table` that SES documents."""
    return [types for types, row in table.items() if not row.unrecognized]


def test_a_reason_uses_the_names_that_ses_documents_in_any_case() -> None:
    bounces = {
        f"{type_}/{sub_type or 'unspecified'}": reasons(a_bounce((type_ or "").upper(), (sub_type or "").upper()))
        for type_, sub_type in documented(BOUNCES)
        if type_
    }
    complaints = {
        f"Complaint/{sub_type or type_ or 'unspecified'}": reasons(
            a_complaint((type_ or "").upper(), (sub_type or "").upper())
        )
        for sub_type, type_ in documented(COMPLAINTS)
    }
    assert all({reason} == found for reason, found in (bounces | complaints).items())


def reasons(document: Json) -> set[str]:
    """Return the reasons of the facts in `document`."""
    return {fact.reason for fact in judge(parse_feedback(document)).facts}


def test_list_reasons_are_bounce_and_complaint() -> None:
    """See https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutSuppressedDestination.html."""
    assert [reason.value for reason in ListReason] == ["BOUNCE", "COMPLAINT"]


def test_a_notice_is_ignored_and_counted() -> None:
    expected = Judgement("Notice", "notice", counts=(("IgnoredMessage", 1),))
    assert expected == judge(Notice("set-up notice"))
    assert find_rule("Notice").verdict is Verdict.IGNORE


# --- Every row is tested ---------------------------------------------------------------------------------------------


def policy_gives_expected_results() -> bool:
    """True if the policy gives every document of the tables, and a notice, the expected result."""
    try:
        notice = find_rule("Notice")
        if replace(notice, effect="") != Rule("notice", "Notice", Verdict.IGNORE, "", "IgnoredMessage"):
            return False
        # A message has one of two preferences, so no document shows whether a rule applies to any other.
        if any(rule.applies("Preference", "another", "", frozenset({Trait.NAMED_STREAM})) for rule in policy.POLICY):
            return False
        tables = [*TABLE.values(), *UNMATCHED_TABLE.values()]
        streams = frozenset({CONFIGURATION_SET})
        return [row for _, row in tables] == [result_of(document) for document, _ in tables] and [
            row for _, row in STREAM_TABLE.values()
        ] == [result_of(document, streams) for document, _ in STREAM_TABLE.values()]
    except (StopIteration, ValueError):  # no rule fits, or the facts of one message disagree
        return False


def mutations(rule: Rule) -> Iterator[tuple[Rule, ...]]:
    """Yield replacements for `rule`: none, or the rule with one part changed."""
    yield ()
    yield (replace(rule, name="wrong"),)
    yield (replace(rule, metric="Wrong"),)
    yield from ((replace(rule, verdict=verdict),) for verdict in Verdict if verdict is not rule.verdict)
    yield from ((replace(rule, register=register),) for register in Register if register is not rule.register)
    yield from ((replace(rule, types=types),) for types in wrong_names(rule.types))
    yield from ((replace(rule, sub_types=sub_types),) for sub_types in wrong_names(rule.sub_types))
    if rule.trait:
        yield (replace(rule, trait=None),)


def wrong_names(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield `names` without each of them, and no names, which match any name."""
    for dropped in names:
        yield tuple(name for name in names if name != dropped) or ("Nothing",)
    if names:
        yield ()


@pytest.fixture
def _fresh_rules() -> Iterator[None]:
    find_rule.cache_clear()
    yield
    find_rule.cache_clear()


@pytest.mark.usefixtures("_fresh_rules")
@pytest.mark.parametrize("rule", POLICY, ids=lambda rule: rule.name)
def test_every_change_of_a_policy_row_changes_an_expected_result(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    assert policy_gives_expected_results()
    index = POLICY.index(rule)
    for mutation in mutations(rule):
        monkeypatch.setattr(policy, "POLICY", (*POLICY[:index], *mutation, *POLICY[index + 1 :]))
        find_rule.cache_clear()
        assert not policy_gives_expected_results(), f"no expected result changed for {mutation}"


def test_rule_names_are_unique() -> None:
    """History records and logs identify a rule by its name."""
    assert len(POLICY) == len({rule.name for rule in POLICY})


# --- Recipients -----------------------------------------------------------------------------------------------------


def judged(document: Json, **options: Any) -> Judgement:  # noqa: ANN401 (the options of `judge`)
    """Return the judgement of `document`."""
    return judge(parse_feedback(document), **options)


def contacts_of(document: Json) -> list[str]:
    """Return the keys of the contacts that get a fact from `document`."""
    return [fact.address.key for fact in judged(document).facts]


@pytest.mark.parametrize("build", [a_bounce, a_complaint, a_delivery])
def test_only_named_recipients_get_facts(build: Callable[..., Json]) -> None:
    assert contacts_of(build()) == [RECIPIENT]
    assert contacts_of(build(recipients=[])) == []


@pytest.mark.parametrize("build", [a_complaint, a_delivery])
def test_recipients_that_ses_itself_names_are_judged_as_named(build: Callable[..., Json]) -> None:
    (fact,) = judged(build(recipients=["Elsewhere@example.com"])).facts
    assert fact.address == Address("elsewhere@example.com", "")


@pytest.mark.parametrize(
    "sub_type",
    ["OnAccountSuppressionList", "OnTenantSuppressionList", "Suppressed", "EmailValidationSuppressed"],
)
def test_recipients_in_ses_own_text_are_judged_as_named(sub_type: str) -> None:
    assert contacts_of(a_bounce("Permanent", sub_type, recipients=["elsewhere@example.com"])) == [
        "elsewhere@example.com"
    ]


def test_a_recipient_of_an_email_to_several_that_it_was_not_sent_to_gets_no_fact() -> None:
    judgement = judged(a_bounce(recipients=["elsewhere@example.com", RECIPIENT], mail=a_mail()))
    assert [fact.address.key for fact in judgement.facts] == [RECIPIENT]
    assert judgement.counts == (("UnmatchedRecipient", 1), ("PermanentBounce", 1))
    only_forged = judged(a_bounce(recipients=["elsewhere@example.com"], mail=a_mail()))
    assert (only_forged.facts, only_forged.problem) == ((), "")
    assert only_forged.counts == (("UnmatchedRecipient", 1), ("PermanentBounce", 1))


@pytest.mark.parametrize(
    ("named", "destination", "key"),
    [
        ("reader@example.com", ["Reader+news@example.com", OTHER_RECIPIENT], "reader+news@example.com"),
        ("reader+x@example.com", ["reader@example.com", OTHER_RECIPIENT], "reader@example.com"),
        ("reader+b@example.com", ["reader+a@example.com", "reader+b@example.com"], "reader+b@example.com"),
        ("reader@example.com", ["reader+a@example.com", "reader+b@example.com"], None),
        ("reader@example.org", ["reader@example.com", OTHER_RECIPIENT], None),
    ],
)
def test_tags_are_ignored_if_exactly_one_recipient_matches_without(
    named: str, destination: list[str], key: str | None
) -> None:
    document = a_bounce(recipients=[named], mail=a_mail(destination=destination))
    assert contacts_of(document) == ([key] if key else [])


def test_the_address_as_mailed_is_judged() -> None:
    document = a_bounce(recipients=[RECIPIENT], mail=a_mail(destination=["Recipient@EXAMPLE.com"]))
    (fact,) = judged(document).facts
    assert fact.address == Address(RECIPIENT, "Recipient@example.com")


def test_without_the_emails_recipients_a_bounce_is_judged_as_named() -> None:
    (fact,) = judged(a_bounce(recipients=[RECIPIENT.upper()], mail=a_mail(destination=None))).facts
    assert fact.address == Address(RECIPIENT, "")


@pytest.mark.parametrize(
    ("sub_type", "verdict", "reason"),
    [
        ("General", Verdict.NOTE, "Transient/General"),
        ("MessageTooLarge", Verdict.NOTE, "Transient/MessageTooLarge"),
        ("MailboxFull", Verdict.SOFT_BOUNCE, "Transient/MailboxFull (forwarded)"),
    ],
)
def test_a_forwarded_bounce_follows_the_row_of_its_type(sub_type: str, verdict: Verdict, reason: str) -> None:
    recipient = an_auto_reply_recipient() | {"emailAddress": "forwarded@example.org"}
    (fact,) = judged(a_bounce("Transient", sub_type, recipients=[recipient], mail=TO_ONE)).facts
    assert (fact.address.key, fact.verdict, fact.reason) == (RECIPIENT, verdict, reason)


def test_a_thousand_forged_recipients_give_one_fact_about_the_only_recipient_and_cost_little() -> None:
    forged = [f"victim-{number}@b\u00fccher-{number}.example" for number in range(1_000)]
    feedback = parse_feedback(a_bounce(recipients=forged, mail=TO_ONE))
    started = process_time()
    judgement = judge(feedback, AT)
    assert process_time() - started < 0.05
    assert [fact.address.key for fact in judgement.facts] == [RECIPIENT]
    assert dict(judgement.counts) == {"UnmatchedRecipient": 1_000, "PermanentBounce": 1}


@pytest.mark.parametrize("build", [a_bounce, a_complaint, a_delivery])
def test_email_to_the_mailbox_simulator_is_counted_apart(build: Callable[..., Json]) -> None:
    simulator = "bounce@simulator.amazonses.com"
    judgement = judged(build(recipients=[simulator], mail=a_mail(destination=[f"<{simulator}>"])))
    assert (judgement.counted_under, [fact.address.key for fact in judgement.facts]) == ("simulator", [simulator])


@pytest.mark.parametrize(
    ("diagnostic_code", "status", "reason", "provider"),
    [
        ("smtp; 550-5.7.26 Unauthenticated email gsmtp", "5.7.26", "authentication 5.7.26", "gmail"),
        ("smtp; 550 5.7.27 SPF did not pass - gsmtp", "5.7.27", "authentication 5.7.27", "gmail"),
        ("smtp; 550 5.7.515 Access denied", "5.7.515", "authentication 5.7.515", "other"),
        ("smtp; 554 listed by zen.spamhaus.org", "5.0.0", "block list", "other"),
        ("smtp; 550 5.7.1 Relaying denied", "5.7.1", "", "other"),
    ],
)
def test_a_provider_rejection_is_counted_and_marked_if_the_sender_is_at_fault(
    diagnostic_code: str, status: str, reason: str, provider: str
) -> None:
    recipient = a_bounced_recipient(diagnosticCode=diagnostic_code, status=status)
    judgement = judged(a_bounce(recipients=[recipient]))
    (fact,) = judgement.facts
    assert fact.reason == "Permanent/General" + (f" (sender: {reason})" if reason else "")
    assert fact.verdict is Verdict.SUPPRESS
    assert judgement.provider_counts == (ProviderCount(provider, "ProviderRejection", 1),)


@pytest.mark.parametrize(
    "text",
    [
        *("via SPAMHAUS", "bl.spamcop.net", "barracudacentral", "sorbs", "dnsbl", "rbl", "proofpoint", "cloudmark"),
        *("senderscore", "blocklist", "Blocked-List", "block list", "black list", "blacklist"),
        *(
            "mail is blocked using a list",
            "blocked using x",
            "listed at x",
            "listed by x",
            "listed in x",
            "listed on x",
        ),
        *("poor reputation", "low IP reputation"),
    ],
)
def test_each_text_of_a_block_list_is_a_provider_rejection(text: str) -> None:
    assert providers.is_provider_rejection("5.0.0", f"smtp; 554 {text}")


def test_an_ordinary_bounce_is_no_provider_rejection() -> None:
    assert judged(a_bounce()).provider_counts == ()


def test_delivery_delays_are_counted_by_provider() -> None:
    document = a_delivery_delay()
    delayed = document["deliveryDelay"]["delayedRecipients"]
    assert [one.number for one in judged(document).provider_counts] == [len(delayed)]


def test_the_senders_tags_are_kept_and_ses_own_are_not() -> None:
    tags = {**TAGS, "campaign": ["september"], "user": ["u-42", "second"], "broken": [1]}
    (fact,) = judged(a_bounce(mail=a_mail(tags=tags))).facts
    assert fact.details.tags == (("campaign", "september"), ("user", "u-42"))


def test_at_most_ten_tags_of_512_bytes_are_kept() -> None:
    many = {f"tag-{number:02d}": ["x"] for number in range(20)}
    (fact,) = judged(a_bounce(mail=a_mail(tags=many))).facts
    assert len(fact.details.tags) == 10
    (fact,) = judged(a_bounce(mail=a_mail(tags={"a": ["x" * 300], "b": ["x" * 300]}))).facts
    assert [name for name, _ in fact.details.tags] == ["a"]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Attribute 'name' is not present in the rendering data.", "missing-attribute"),
        ("Template Welcome does not exist", "missing-template"),
        ("Invalid JSON", "malformed-template"),
        ("secret@example.com", "other"),
        (None, "other"),
    ],
)
def test_a_rendering_failure_is_described_without_values_of_the_email(message: str | None, kind: str) -> None:
    document = a_rendering_failure() | {"failure": {"templateName": "Welcome", "errorMessage": message}}
    judgement = judged(document)
    assert (judgement.template, judgement.error_kind) == ("Welcome", kind)
    hidden = judged(document | {"failure": {"templateName": "a@example.com", "errorMessage": message}})
    assert hidden.template == ""


def test_the_fact_of_a_bounce_has_every_detail_of_the_event() -> None:
    mail = a_mail(tags=TAGS, destination=["Recipient@EXAMPLE.com"])
    document = a_bounce("PERMANENT", "NoEmail", mail=mail, recipients=["Recipient@EXAMPLE.com"])
    details = EventDetails(
        "Bounce",
        "PERMANENT",
        "NoEmail",
        MESSAGE_ID,
        FEEDBACK_ID,
        "failed",
        "5.1.1",
        "smtp; 550 5.1.1 user unknown",
        "shop",
    )
    address = Address(RECIPIENT, "Recipient@example.com")
    fact = Fact(
        address,
        Verdict.SUPPRESS,
        AT,
        number_message(START, MESSAGE_ID),
        "bounce-permanent",
        "Permanent/NoEmail",
        details,
        CONFIGURATION_SET,
        Register.BOUNCED,
    )
    counts = (("PermanentBounce", 1),)
    expected = Judgement("Bounce", "bounce-permanent", (fact,), counts, "", AT, MESSAGE_ID, CONFIGURATION_SET)
    assert expected == judged(document)


TAGS = {"ses:configuration-set": [CONFIGURATION_SET], "ses:tenant-name": ["shop"]}


def test_the_fact_of_a_complaint_has_every_detail_of_the_event() -> None:
    """Its type is the complaintSubType, its sub type the complaintFeedbackType."""
    (fact,) = judged(a_complaint("fraud", "Shouted", mail=a_mail(tags=TAGS))).facts
    assert EventDetails("Complaint", "Shouted", "fraud", MESSAGE_ID, FEEDBACK_ID, tenant="shop") == fact.details


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (a_bounce("PERMANENT", "no_email"), "Permanent/NoEmail"),
        (a_bounce("Permanent", None), "Permanent/unspecified"),
        (a_bounce("Permanent", "secret@example.com"), "Permanent/unrecognized"),
        (a_bounce("secret@example.com", "General"), "unrecognized/unrecognized"),
        (a_bounce(None, None), "unspecified/unspecified"),
        (a_complaint("Not-Spam"), "Complaint/not-spam"),
        (a_complaint(None), "Complaint/unspecified"),
        (a_complaint("secret@example.com"), "Complaint/unrecognized"),
        (a_complaint(None, "onaccountsuppressionlist"), "Complaint/OnAccountSuppressionList"),
        (a_complaint("abuse", "OnTenantSuppressionList"), "Complaint/OnTenantSuppressionList"),
        (a_complaint("abuse", "secret@example.com"), "Complaint/abuse"),
        (a_delivery(), "Delivery"),
        (a_subscription(), "Subscription/UnsubscribeAll"),
    ],
)
def test_a_reason_has_only_documented_names(document: Json, reason: str) -> None:
    """Reasons are logged and published; an undocumented name may be personal data."""
    assert [reason] == [fact.reason for fact in judged(document).facts]


def test_the_fact_of_a_delivery_has_no_details_but_its_kind() -> None:
    (fact,) = judged(a_delivery(mail=a_mail(tags=TAGS))).facts
    assert EventDetails("Delivery", "", "", "", "") == fact.details


def test_the_fact_of_an_unsubscription_has_the_message_id_and_the_tenant() -> None:
    (fact,) = judged(a_subscription() | {"mail": a_mail(destination=[RECIPIENT], tags=TAGS)}).facts
    assert EventDetails("Subscription", message_id=MESSAGE_ID, tenant="shop") == fact.details


def test_each_recipient_of_a_bounce_is_judged_by_itself() -> None:
    facts = judged(a_bounce("Transient", "General", recipients=[an_auto_reply_recipient(), OTHER_RECIPIENT])).facts
    assert [(fact.address.key, fact.verdict) for fact in facts] == [
        (RECIPIENT, Verdict.NOTE),
        (OTHER_RECIPIENT, Verdict.SOFT_BOUNCE),
    ]


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({}, Verdict.NOTE),
        ({"action": None, "status": "", "diagnosticCode": " \n"}, Verdict.NOTE),
        ({"action": " ", "status": "\t", "diagnosticCode": "\n"}, Verdict.NOTE),
        ({"action": "failed"}, Verdict.SOFT_BOUNCE),
        ({"status": "4.0.0"}, Verdict.SOFT_BOUNCE),
        ({"diagnosticCode": "smtp; 421"}, Verdict.NOTE),
    ],
)
def test_a_transient_bounce_with_an_action_or_a_status_is_a_soft_bounce(fields: Json, verdict: Verdict) -> None:
    """Without either, the bounced recipient is an auto-reply."""
    (fact,) = judged(a_bounce("Transient", recipients=[an_auto_reply_recipient() | fields])).facts
    assert fact.verdict is verdict


def test_a_recipient_named_twice_gets_one_fact() -> None:
    document = a_bounce(recipients=[RECIPIENT, RECIPIENT.upper(), f"<{RECIPIENT}>"])
    assert [fact.address.variant for fact in judged(document).facts] == [RECIPIENT]


@pytest.mark.parametrize(
    "raw", ["", None, "no-domain", "a@example.com, b@example.com", "\ud800@example.com", "x" * 9_999]
)
def test_a_recipient_without_a_valid_address_is_a_problem_and_the_others_get_facts(raw: str | None) -> None:
    for document in (
        a_bounce(recipients=[a_bounced_recipient() | {"emailAddress": raw}, RECIPIENT]),
        a_complaint("not-spam", recipients=[{"emailAddress": raw}, RECIPIENT]),
        a_delivery(recipients=[raw, RECIPIENT]),
    ):
        judgement = judged(document)
        assert ([fact.address.key for fact in judgement.facts], judgement.problem) == (
            [RECIPIENT],
            "unusable-recipient",
        )


def test_a_recipient_without_the_address_field_is_a_problem() -> None:
    assert judged(a_bounce(recipients=[{"action": "failed"}])).problem == "unusable-recipient"


def test_a_recipient_named_twice_gets_one_fact_for_each_rule() -> None:
    """An auto-reply does not cancel a soft bounce of the same recipient."""
    facts = judged(a_bounce("Transient", recipients=[an_auto_reply_recipient(), RECIPIENT])).facts
    assert [(fact.address.key, fact.verdict) for fact in facts] == [
        (RECIPIENT, Verdict.NOTE),
        (RECIPIENT, Verdict.SOFT_BOUNCE),
    ]


# --- Counts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "metric"),
    [
        (a_bounce("Permanent", "FullMoon", recipients=SEVERAL), ("PermanentBounce", 2)),
        (a_bounce("Lunar", None, recipients=SEVERAL), ("UndeterminedBounce", 2)),
        (a_complaint("boredom", recipients=SEVERAL), ("Complaint", 1)),
    ],
)
def test_a_message_with_an_undocumented_name_is_counted_once_for_all_recipients(
    document: Json, metric: tuple[str, int]
) -> None:
    assert (metric, ("UnrecognizedFeedback", 1)) == judged(document).counts


def test_a_not_spam_report_is_not_counted() -> None:
    assert judged(a_complaint("not-spam")).counts == ()


# --- Complaints about several -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ambiguous", "verdict"), [("unsubscribe", Verdict.UNSUBSCRIBE), ("note", Verdict.NOTE)])
def test_a_complaint_about_several_recipients_gets_the_configured_verdict(ambiguous: str, verdict: Verdict) -> None:
    """SES does not say which of them complained."""
    judgement = judged(a_complaint(recipients=SEVERAL), options=PolicyOptions(AmbiguousComplaint(ambiguous)))
    assert [verdict] * 2 == [fact.verdict for fact in judgement.facts]
    assert (judgement.rule, judgement.counts) == ("complaint-several-recipients", (("Complaint", 1),))


def test_the_verdict_for_ambiguous_complaints_does_not_apply_to_a_single_recipient() -> None:
    (fact,) = judged(a_complaint(), options=PolicyOptions(AmbiguousComplaint.NOTE)).facts
    assert fact.verdict is Verdict.COMPLAIN


@pytest.mark.parametrize("recipients", [[RECIPIENT, RECIPIENT], [RECIPIENT, f"R <{RECIPIENT.upper()}>"]])
def test_a_complaint_about_several_variants_of_one_address_is_unambiguous(recipients: list[str]) -> None:
    assert {Verdict.COMPLAIN} == {fact.verdict for fact in judged(a_complaint(recipients=recipients)).facts}


def test_an_unusable_recipient_makes_a_complaint_ambiguous() -> None:
    """The unusable recipient may be the one that complained."""
    judgement = judged(a_complaint(recipients=[RECIPIENT, "no-domain"]))
    assert [fact.verdict for fact in judgement.facts] == [Verdict.UNSUBSCRIBE]
    assert judgement.problem == "unusable-recipient"


def test_a_complaint_without_recipients_is_counted_and_gives_no_facts() -> None:
    judgement = judged(a_complaint(recipients=[]))
    assert (judgement.facts, judgement.counts, judgement.problem) == ((), (("Complaint", 1),), "")


# --- Subscriptions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("destination", [[], [RECIPIENT, OTHER_RECIPIENT]])
def test_an_unsubscription_from_an_email_without_exactly_one_recipient_is_a_problem(destination: list[str]) -> None:
    """The event itself names no recipient, so only a single mail.destination identifies it."""
    judgement = judged(a_subscription(destination=destination))
    assert (judgement.facts, judgement.problem, judgement.counts) == ((), "unusable-recipient", (("Subscription", 1),))


def test_an_unsubscription_without_a_mail_object_is_a_problem() -> None:
    assert judged(a_subscription() | {"mail": None}).problem == "unusable-recipient"


def test_an_unsubscription_applies_to_the_only_recipient_of_the_email() -> None:
    assert contacts_of(a_subscription(destination=[f"R <{RECIPIENT}>"])) == [RECIPIENT]


@pytest.mark.parametrize("preferences", [None, {}, {"unsubscribeAll": None}, {"unsubscribeAll": "false"}])
def test_a_subscription_event_without_a_status_change_is_counted_only(preferences: object) -> None:
    judgement = judged(a_subscription(newTopicPreferences=preferences))
    assert (judgement.rule, judgement.facts, judgement.counts) == ("subscription", (), (("Subscription", 1),))


def changes_of(document: Json) -> list[tuple[str, str]]:
    """Return verdict and stream of each fact of a subscription event, with two declared streams."""
    streams = frozenset({"news", "offers"})
    return [
        (fact.verdict.value, fact.stream) for fact in judged(document, options=PolicyOptions(streams=streams)).facts
    ]


def test_an_opt_in_to_all_email_also_opts_into_topics_that_changed_to_opt_in() -> None:
    """A topic that is not OptIn is opted out of; an unchanged one changes nothing."""
    document = a_change({"news": ("OptOut", "OptIn"), "offers": ("OptOut", "OptOut")}, unsubscribe_all=(True, False))
    assert changes_of(document) == [("SUBSCRIBE", ""), ("SUBSCRIBE", "news"), ("UNSUBSCRIBE", "offers")]
    document = a_change({"news": ("OptIn", "OptIn")}, unsubscribe_all=(True, False))
    assert changes_of(document) == [("SUBSCRIBE", ""), ("UNSUBSCRIBE", "offers")]


def test_each_topic_that_changed_is_judged_by_itself() -> None:
    topics = {"news": ("OptIn", "OptOut"), "offers": ("OptOut", "OptIn"), "another": ("OptIn", "OptOut")}
    assert changes_of(a_change(topics)) == [("SUBSCRIBE", "offers"), ("UNSUBSCRIBE", "news")]


# --- Times ----------------------------------------------------------------------------------------------------------

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("build", [a_bounce, a_complaint, a_delivery, a_subscription])
def test_a_fact_has_the_time_of_its_event(build: Callable[..., Json]) -> None:
    """The time of the email, of the carrier and of the invocation do not matter."""
    (fact,) = judged(build(), sent_at=AT + SECOND).facts
    assert fact.at == AT


@pytest.mark.parametrize("build", [a_bounce, a_complaint, a_delivery, a_subscription, an_open])
def test_a_time_after_the_carriers_becomes_the_emails(build: Callable[..., Json]) -> None:
    judgement = judged(build(at=AT + timedelta(days=365)), sent_at=AT)
    assert {START} == {judgement.at, *(fact.at for fact in judgement.facts)}


@pytest.mark.parametrize("build", [a_bounce, a_complaint, a_delivery, a_subscription, an_open])
def test_a_time_before_the_emails_becomes_the_emails(build: Callable[..., Json]) -> None:
    judgement = judged(build(at=START - timedelta(days=365)), sent_at=AT)
    assert {START} == {judgement.at, *(fact.at for fact in judgement.facts)}


@pytest.mark.parametrize("build", [a_bounce, a_complaint, a_delivery])
def test_an_email_time_after_the_carriers_is_ignored(build: Callable[..., Json]) -> None:
    mail = a_mail(timestamp=format_timestamp(AT + SECOND))
    assert judged(build(mail=mail, at=AT), sent_at=AT).at == AT


def test_a_complaint_dated_by_a_slow_clock_is_not_earlier_than_its_email() -> None:
    (fact,) = judged(a_complaint(at=START - timedelta(days=3)), sent_at=AT).facts
    assert fact.at == START


@pytest.mark.parametrize("mail", [a_mail(timestamp=format_timestamp(AT + SECOND)), {}])
def test_a_soft_bounce_that_only_its_carrier_dates_is_kept_in_quarantine(mail: Json) -> None:
    judgement = judged(a_bounce("Transient", "MailboxFull", at=AT + timedelta(days=365), mail=mail), sent_at=AT)
    assert (judgement.facts, judgement.problem) == ((), "no-timestamp")


def test_a_soft_bounce_belongs_to_the_day_of_its_email() -> None:
    late = judged(a_bounce("Transient", "MailboxFull", at=START + timedelta(days=5)))
    assert [fact.message for fact in late.facts] == [number_message(START, MESSAGE_ID)]


def test_feedback_without_any_own_time_gets_the_carriers_time() -> None:
    """The carrier's time is the upper bound."""
    assert [fact.at for fact in judged(a_bounce(mail={}, timestamp=None), sent_at=AT).facts] == [AT]


def test_feedback_without_an_event_time_gets_the_emails_time() -> None:
    """The email's time is the lower bound."""
    assert [fact.at for fact in judged(a_bounce(timestamp=None), sent_at=AT).facts] == [START]


def test_feedback_without_any_time_gives_no_facts() -> None:
    """The time of the invocation would differ in each redelivery."""
    judgement = judged(a_bounce(mail={}, timestamp=None))
    assert (judgement.facts, judgement.problem, judgement.at) == ((), "no-timestamp", None)


# --- Bounds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "not a name", "secret@example.com", "x" * 65, "r\u00e9", "receipts\n"])
def test_an_invalid_configuration_set_name_becomes_an_empty_one(name: str) -> None:
    """The name comes from a tag that any sender can set, and becomes the dimension of a metric."""
    judgement = judged(a_bounce(mail=a_mail(configuration_set=name)))
    assert (judgement.counted_under, [fact.configuration_set for fact in judgement.facts]) == ("", [""])


@pytest.mark.parametrize("name", ["r", "Receipts_2-EU", "x" * 64])
def test_a_valid_configuration_set_name_is_kept(name: str) -> None:
    """See https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_CreateConfigurationSet.html."""
    assert judged(a_bounce(mail=a_mail(configuration_set=name))).counted_under == name


def test_a_notification_has_no_configuration_set_and_no_tenant() -> None:
    judgement = judged(a_bounce(vocabulary=NOTIFICATION))
    assert (judgement.counted_under, [fact.details.tenant for fact in judgement.facts]) == ("", [""])


def test_details_of_a_fact_are_truncated() -> None:
    """Items stay small, however long a mail server's diagnostic code is."""
    long = "\U0001f4ee" * 100_000
    recipient = a_bounced_recipient(action=long, status=long, diagnosticCode=long)
    mail = a_mail(tags={"ses:tenant-name": [long]}, messageId=long)
    (fact,) = judged(a_bounce(long, long, recipients=[recipient], mail=mail, feedbackId=long)).facts
    short = long[:128]
    diagnostic_code = long[:1_000]
    assert EventDetails("Bounce", short, short, short, short, short, short, diagnostic_code, short) == fact.details
    (fact,) = judged(a_complaint(long, long, mail=mail, feedbackId=long)).facts
    assert EventDetails("Complaint", short, short, short, short, tenant=short) == fact.details
    (fact,) = judged(a_subscription() | {"mail": {**mail, "destination": [RECIPIENT]}}).facts
    assert EventDetails("Subscription", message_id=short, tenant=short) == fact.details


@pytest.mark.parametrize("field", ["action", "status", "diagnosticCode"])
def test_dsn_fields_with_a_lone_surrogate_become_valid_utf8(field: str) -> None:
    """DynamoDB rejects a lone surrogate, which Python's JSON decoder produces."""
    (fact,) = judged(a_bounce(recipients=[a_bounced_recipient(**{field: "550 \ud800"})])).facts
    for name in ("action", "status", "diagnostic_code"):
        assert getattr(fact.details, name).encode() is not None


@pytest.mark.parametrize("fields", [{"messageId": "\ud800"}, {"tags": {"ses:tenant-name": ["\ud800"]}}])
def test_a_message_id_and_a_tenant_with_a_lone_surrogate_become_valid_utf8(fields: Json) -> None:
    for document in (a_bounce(mail=a_mail() | fields), a_complaint(mail=a_mail() | fields)):
        (fact,) = judged(document).facts
        assert fact.details.message_id.encode() is not None
        assert fact.details.tenant.encode() is not None


def test_the_cache_of_rules_is_bounded() -> None:
    for number in range(1_000):
        judged(a_bounce(f"Type{number}", f"SubType{number}"))
    cached = find_rule.cache_info()
    assert cached.maxsize
    assert cached.currsize <= cached.maxsize
