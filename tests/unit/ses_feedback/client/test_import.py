"""Importing the client costs a sending application nothing but the standard library."""

import subprocess
import sys

ALLOWED = {"ses_feedback", "ses_feedback.address_syntax", "ses_feedback.timestamps"}
PRINT_NEW_MODULES = """
import sys
before = set(sys.modules)
import ses_feedback.client
print(*sorted(set(sys.modules) - before), sep="\\n")
"""
ASK_WITHOUT_DEPENDENCIES = """
import sys
for name in ("idna", "msgspec", "pydantic", "aws_lambda_powertools", "boto3"):
    sys.modules[name] = None
from ses_feedback.client import Contacts

class Client:
    def get_item(self, **request):
        print(request["Key"]["address"]["S"])
        return {}

assert Contacts("Contacts", client=Client()).may_send("Ada <Ada@B\\u00dcCHER.example.>")
"""


def run(code: str) -> list[str]:
    """Run code in a new interpreter, and return the lines that it prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()  # noqa: S603


def test_importing_the_client_imports_the_standard_library_and_two_modules_of_the_package_only() -> None:
    imported = run(PRINT_NEW_MODULES)
    own = {name for name in imported if name.partition(".")[0] == "ses_feedback"}
    assert {name for name in own if not name.startswith("ses_feedback.client")} <= ALLOWED
    assert "ses_feedback.client.contacts" in own
    others = {name.partition(".")[0] for name in imported} - {"ses_feedback"}
    assert others <= sys.stdlib_module_names


def test_the_client_asks_without_any_dependency_of_the_stack_and_with_another_boto3_client() -> None:
    assert run(ASK_WITHOUT_DEPENDENCIES) == ["ada@xn--bcher-kva.example"]
