"""Settings of SES that ministack lacks or does not evaluate: of the account, of identities, of tenants and of lists."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class IdentitySettings:
    """Settings of an identity. Statuses are those of SES v2, such as `SUCCESS`."""

    verification: str = "SUCCESS"
    dkim: str = "SUCCESS"
    signing: bool = True
    mail_from: str = ""
    mail_from_status: str = "SUCCESS"
    on_mx_failure: str = "USE_DEFAULT_VALUE"
    forwarding: bool = True
    configuration_set: str = ""
    topics: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class AccountSettings:
    """Settings of an account in a Region."""

    enforcement: str = "HEALTHY"
    sending: bool = True
    sent: float = 0.0
    identities: defaultdict[str, IdentitySettings] = field(default_factory=lambda: defaultdict(IdentitySettings))
    contact_lists: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    tenant_status: dict[str, str] = field(default_factory=dict)
    """The customer-managed status by the name of the tenant."""
    validation: dict[str, Any] | None = None

    def change(self, changes: dict[str, Any]) -> None:
        """Set what only SES itself changes: `enforcement`, `sent`, and fields of `identities` by their names.

        Raises:
            KeyError: a field does not exist.

        """
        for name, value in changes.items():
            if name == "identities":
                for identity, fields in value.items():
                    _set_fields(self.identities[identity], fields)
            else:
                _set_fields(self, {name: value})


def _set_fields(target: object, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        if not hasattr(target, name):
            raise KeyError(name)
        setattr(target, name, value)
