"""Static analysis of the AWS calls that a handler can make.

The analysis starts with the handler. Every function, class and constant mentioned in reachable code is reachable. Names
are resolved through imports. The class of a value is unknown, so an attribute stands for all methods and properties of
that name of all reachable classes. The result may contain too many calls, never too few. It is exact as long as
adapters are created only where they are needed.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from botocore import xform_name
from botocore.session import get_session

SRC = Path(__file__).parents[2] / "src"

PREFIXES = {"dynamodb": "dynamodb", "events": "events", "s3": "s3", "sesv2": "ses", "sqs": "sqs"}
"""Service name in botocore → prefix of its IAM actions."""
RENAMED = {
    "sqs:ChangeMessageVisibilityBatch": {"sqs:ChangeMessageVisibility"},
    "sqs:SendMessageBatch": {"sqs:SendMessage"},
    "dynamodb:BatchExecuteStatement": {"dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"},
}
"""Operations without an IAM action of the same name → the actions that they need.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
"""

Definition = tuple[str, str]
"""A module, and a name defined at its top level or `Class.method`."""


@cache
def actions() -> dict[str, set[str]]:
    """Return the IAM actions of each client method."""
    models = {prefix: get_session().get_service_model(service) for service, prefix in PREFIXES.items()}
    known = {
        xform_name(operation): f"{prefix}:{operation}"
        for prefix, model in models.items()
        for operation in model.operation_names
    }
    return {method: RENAMED.get(action, {action}) for method, action in known.items()}


def client_calls(tree: ast.AST) -> Iterator[str]:
    """Yield the method of each call on an object whose name ends in `client`."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=receiver) | ast.Attribute(attr=receiver), attr=method):
                if receiver.endswith("client") and method != "meta":  # an attribute of botocore clients
                    yield method
            case _:
                pass


class Code:
    """Source code of the package: definitions and imports of each module."""

    def __init__(self, root: Path = SRC) -> None:
        """Parse all modules under `root`."""
        files = {".".join(path.relative_to(root).with_suffix("").parts): path for path in root.rglob("*.py")}
        self.modules = {name.removesuffix(".__init__"): ast.parse(path.read_text()) for name, path in files.items()}
        self.definitions: dict[Definition, list[ast.AST]] = {}
        self.imports: dict[Definition, Definition] = {}
        for module, tree in self.modules.items():
            for statement in tree.body:
                self._add(module, statement)

    def _add(self, module: str, statement: ast.stmt) -> None:
        match statement:
            case ast.ClassDef(name=name, body=body):
                # A class that is mentioned may be instantiated: its class body and its special methods are reachable.
                always_run = [
                    node for node in body if not isinstance(node, ast.FunctionDef) or node.name.startswith("__")
                ]
                self.definitions[module, name] = [*always_run, *statement.bases, *statement.decorator_list]
                for method in body:
                    if isinstance(method, ast.FunctionDef):
                        self.definitions[module, f"{name}.{method.name}"] = [method]
            case ast.FunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                self.definitions[module, name] = [statement]
            case ast.Assign(targets=[ast.Name(id=name)]):
                self.definitions[module, name] = [statement.value]
            case ast.ImportFrom(module=str(origin), names=aliases):
                for alias in aliases:
                    self.imports[module, alias.asname or alias.name] = (origin, alias.name)
            case _:
                pass

    def reached(self, module: str, name: str) -> set[Definition]:
        """Return all definitions that are reachable from the function `name` of `module`."""
        reached: set[Definition] = set()
        attributes: set[str] = set()
        waiting = [(module, name)]
        while waiting:
            definition = self._origin(waiting.pop())
            if definition in self.definitions and definition not in reached:
                reached.add(definition)
                for node in _mentioned(*self.definitions[definition]):
                    waiting.append(self._named(definition[0], node))
                    if isinstance(node, ast.Attribute):
                        attributes.add(node.attr)
            if not waiting:
                waiting = [member for member in self._members(reached) if member[1].split(".")[1] in attributes]
                waiting = [member for member in waiting if member not in reached]
        return reached

    def _members(self, reached: set[Definition]) -> Iterator[Definition]:
        """Yield the methods and properties of the classes `reached`."""
        for module, name in self.definitions:
            owner, dot, _ = name.partition(".")
            if dot and (module, owner) in reached:
                yield module, name

    def _named(self, module: str, node: ast.Name | ast.Attribute) -> Definition:
        """Return the definition that `node` in `module` refers to. Attributes of imported modules are resolved."""
        match node:
            case ast.Name(id=name):
                return module, name
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if (module, name) in self.imports:
                return ".".join(self.imports[module, name]), attribute
        return "", ""

    def _origin(self, definition: Definition) -> Definition:
        while definition in self.imports:
            definition = self.imports[definition]
        return definition

    def attributes(self, module: str, name: str) -> set[str]:
        """Return all attributes used in code that is reachable from the function `name` of `module`."""
        return {
            node.attr
            for definition in self.reached(module, name)
            for node in _mentioned(*self.definitions[definition])
            if isinstance(node, ast.Attribute)
        }

    def actions_of(self, handler: str) -> set[str]:
        """Return the IAM actions of all AWS calls that `handler`, a dotted name, can make."""
        module, _, name = handler.rpartition(".")
        return {
            action
            for definition in self.reached(module, name)
            for node in self.definitions[definition]
            for method in client_calls(node)
            for action in actions()[method]
        }


def _mentioned(*nodes: ast.AST) -> Iterator[ast.Name | ast.Attribute]:
    """Yield the names and attributes in `nodes`, except those in annotations."""
    for node in nodes:
        if isinstance(node, ast.Name | ast.Attribute):
            yield node
        for field, value in ast.iter_fields(node):
            if field not in {"annotation", "returns"}:
                children = value if isinstance(value, list) else [value]
                yield from _mentioned(*(child for child in children if isinstance(child, ast.AST)))
