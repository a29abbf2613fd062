"""Evaluation of IAM, resource and key policies by ministack, for requests that ministack itself does not check."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from localaws.server.kms_keys import ResourceKeys, name_service, needed_key_actions


class PolicyEvaluator:
    """Evaluates policies. `decisions` are the requests of roles: role, action, resource and whether it was allowed."""

    def __init__(self, keys: ResourceKeys) -> None:
        """Import ministack's evaluator. `keys` are the keys of the encrypted resources."""
        self._keys = keys
        self._evaluator = import_module("ministack.core.iam_evaluator")
        self._kms = import_module("ministack.services.kms")
        self._sts = import_module("ministack.services.sts")
        self.decisions: set[tuple[str, str, str, bool]] = set()

    def role_allows(self, role_arn: str, action: str, resource: str, region: str) -> bool:
        """Return True if a role allows an action, and the use of the resource's key.

        Lambda and EventBridge Scheduler act in the role of a function or a schedule.
        """
        key = self._keys.find(resource)
        via = {"kms:viaservice": name_service(action, region)}
        uses = [(use, key) for use in needed_key_actions(action)] if key else []
        return self._role_allows(role_arn, action, resource, region, {}) and all(
            self._role_allows(role_arn, use, used_key, region, via) for use, used_key in uses
        )

    def _role_allows(
        self, role_arn: str, action: str, resource: str, region: str, service_context: Mapping[str, str]
    ) -> bool:
        account, role = role_arn.split(":")[4], role_arn.rpartition("/")[2]
        context = self._evaluator.EvalContext(
            principal_arn=role_arn,
            principal_type="AssumedRole",
            principal_account=account,
            action=action,
            resource_arn=resource,
            region=region,
            service_context=dict(service_context),
        )
        result = self._evaluator.evaluate(context, self._evaluator._gather_role_policies(role, account))  # noqa: SLF001
        if action.startswith("kms:"):
            # The key policy must allow the use too: https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
            policy = self._kms.key_policy_for_arn(resource) or ("", account)
            result = self._evaluator.combine_resource_policy(result, context, *policy, required=True)
        allowed: bool = result.decision == "Allow"
        self.decisions.add((role, action, resource, allowed))
        return allowed

    def key_policy_allows(
        self, service: str, use: str, resource: str, *, region: str, context: Mapping[str, str]
    ) -> bool:
        """Return True if an AWS service may use the key of a resource, or if the resource has no key."""
        key = self._keys.find(resource)
        if key is None:
            return True
        policy, _ = self._kms.key_policy_for_arn(key) or ("", "")
        return self.resource_policy_allows(policy, service, use, key, region=region, context=context)

    def resource_policy_allows(
        self, policy: str, service: str, action: str, resource: str, *, region: str, context: Mapping[str, str]
    ) -> bool:
        """Return True if the policy of a resource allows an action to an AWS service."""
        request = self._evaluator.EvalContext(
            principal_arn="*",
            principal_type="Service",
            principal_account="",
            action=action,
            resource_arn=resource,
            region=region,
            service_context=dict(context),
        )
        decision: str = self._evaluator.evaluate_resource_policy(policy, request, service=service).decision
        return decision == "Allow"

    def record_request(self, access_key: str, action: str, resource: str, *, allowed: bool) -> None:
        """Record a request of a function, and whether its role allowed it. Requests of other callers are ignored."""
        session = self.find_session(access_key)
        if session is not None:
            self.decisions.add((session["Arn"].split("/")[1], action, resource, allowed))

    def find_session(self, access_key: str) -> Any:  # noqa: ANN401 (ministack's own record)
        """Return the session of an assumed role with this access key, or None."""
        return self._sts._sessions.get(access_key)  # noqa: SLF001
