"""The KMS key: whether it is enabled, and whether the services on the path may use it."""

from collections.abc import Iterator

from feedbackctl.doctor.aws_reader import NotFoundError
from feedbackctl.doctor.expected import key_statements
from feedbackctl.doctor.facts import SES, SNS, Facts
from feedbackctl.doctor.model import Finding, fail, ok, skipped, unknown
from feedbackctl.doctor.policy_check import Decision, ServiceRequest, evaluate, statements, with_statement
from ses_feedback.settings import LANES

_STATES = "https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html"
_POLICY = "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html"


def check_state(facts: Facts) -> Iterator[Finding]:
    """Check whether the key is enabled."""
    if not facts.key:
        yield skipped("Key", "the stack has no key of its own (CustomerManagedKey)")
        return
    try:
        state = facts.reader.read("kms", "describe_key", KeyId=facts.key)["KeyMetadata"]["KeyState"]
    except NotFoundError:
        advice = "What it encrypted cannot be read any more. Deploy a new stack, and import the contacts."
        yield fail("Key", "the key does not exist", advice=advice, url=_STATES)
        return
    enable = facts.command("kms", "enable-key", key_id=facts.key)
    if state == "Enabled":
        yield ok("Key", "the key is enabled")
    elif state == "PendingDeletion":
        cancel = facts.command("kms", "cancel-key-deletion", key_id=facts.key)
        yield fail("Key", "the key is about to be deleted", cancel, enable, url=_STATES)
    else:
        yield fail("Key", f"the key is {state}", *([enable] if state == "Disabled" else []), url=_STATES)


def check_policy(facts: Facts) -> Iterator[Finding]:
    """Check whether SES and SNS may use the key, and whether the account's IAM policies count."""
    if not facts.key:
        return
    response = facts.reader.read("kms", "get_key_policy", KeyId=facts.key, PolicyName="default")
    policy: str = response["Policy"]
    if any(each.get("Effect") == "Deny" and "Condition" in each for each in statements(policy)):
        yield unknown("Key policy", "it has a conditional Deny, which is not evaluated here")
    for sid, requests in _needed(facts).items():
        refused = [each for each in requests if evaluate(policy, each) in {Decision.DENIED, Decision.NOT_ALLOWED}]
        if refused:
            fixed = with_statement(policy, key_statements(facts)[sid], refused[0])
            command = facts.command("kms", "put-key-policy", key_id=facts.key, policy_name="default", policy=fixed)
            message = f"it does not let {_actor(refused[0])} use the key ({refused[0].action})"
            yield fail("Key policy", message, command, url=_POLICY)
            return
    yield ok("Key policy", "SES, SNS and the functions may use the key")


def _needed(facts: Facts) -> dict[str, list[ServiceRequest]]:
    """Return the requests that each statement of the key policy must allow."""
    stack, key = facts.stack, facts.key
    both = ("kms:Decrypt", "kms:GenerateDataKey")
    root = f"arn:{stack.partition}:iam::{stack.account}:root"
    via_s3 = {"kms:viaservice": f"s3.{stack.region}.amazonaws.com", "aws:securetransport": "true"}
    source = f"configuration-set/{facts.configuration_set}"
    return {
        "AccountAccessThroughIam": [ServiceRequest(root, action, key, {}) for action in both],
        "SesPublishToTopics": [facts.ses_request(action, key, source) for action in both],
        "SesReadImportObjects": [ServiceRequest(SES, "kms:Decrypt", key, via_s3)],
        "SnsDeliverToQueues": [facts.sns_request(action, key, facts.topics[lane]) for lane in LANES for action in both],
    }


def _actor(request: ServiceRequest) -> str:
    names = {SES: "SES", SNS: "SNS"}
    return names.get(request.service, "the roles of this account")


CHECKS = (check_state, check_policy)
