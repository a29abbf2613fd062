"""Which AWS calls a handler can come to make, read off the source without running it.

From the handler on, every function, class and constant that reached code mentions is reached too. A name is looked up
where it is written or imported; an attribute stands for every method and property so called of every class reached,
for what class a value has is not known. That is never too little, and exact enough as long as adapters are made only
where they are needed.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from botocore import xform_name
from botocore.session import get_session

SRC = Path(__file__).parents[2] / "src"
PACKAGE = "ses_feedback"

PREFIXES = {"dynamodb": "dynamodb", "events": "events", "s3": "s3", "sesv2": "ses", "sqs": "sqs"}
"""botocore's name of each service used → the prefix of its actions in IAM."""
RENAMED = {
    "sqs:SendMessageBatch": {"sqs:SendMessage"},
    "dynamodb:BatchExecuteStatement": {"dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"},
}
"""Operations that IAM has no action of the same name for, and the actions it has for them."""

Definition = tuple[str, str]
"""A module and a name defined at its top level, or `Class.method`."""


@cache
def actions() -> dict[str, set[str]]:
    """Return the IAM actions of every method of the clients used."""
    models = {prefix: get_session().get_service_model(service) for service, prefix in PREFIXES.items()}
    known = {
        xform_name(operation): f"{prefix}:{operation}"
        for prefix, model in models.items()
        for operation in model.operation_names
    }
    return {method: RENAMED.get(action, {action}) for method, action in known.items()}


def client_calls(tree: ast.AST) -> Iterator[str]:
    """Yield the method of every call that `tree` makes on something called a client."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=receiver) | ast.Attribute(attr=receiver), attr=method):
                if receiver.endswith("client") and method != "meta":  # botocore's own, and no call
                    yield method
            case _:
                pass


class Code:
    """The source of the package: what each module defines and imports."""

    def __init__(self, root: Path = SRC) -> None:
        """Read every module under `root`."""
        files = {".".join(path.relative_to(root).with_suffix("").parts): path for path in root.rglob("*.py")}
        self.modules = {name.removesuffix(".__init__"): ast.parse(path.read_text()) for name, path in files.items()}
        self.definitions: dict[Definition, list[ast.AST]] = {}
        self.imports: dict[Definition, Definition] = {}
        for module, tree in self.modules.items():
            for statement in tree.body:
                self._note(module, statement)

    def _note(self, module: str, statement: ast.stmt) -> None:
        match statement:
            case ast.ClassDef(name=name, body=body):
                # Mentioning a class makes one: whatever is not a method of its own name runs, or may.
                own = [one for one in body if not isinstance(one, ast.FunctionDef) or one.name.startswith("__")]
                self.definitions[module, name] = [*own, *statement.bases, *statement.decorator_list]
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
        """Return everything that the function `name` of `module` can come to run."""
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
        """Return what `node`, written in `module`, names: of attributes only those of imported modules are known."""
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
        """Return every attribute that the function `name` of `module` can come to use."""
        return {
            node.attr
            for definition in self.reached(module, name)
            for node in _mentioned(*self.definitions[definition])
            if isinstance(node, ast.Attribute)
        }

    def actions_of(self, handler: str) -> set[str]:
        """Return the IAM actions of the calls that `handler`, a dotted name, can come to make."""
        module, _, name = handler.rpartition(".")
        return {
            action
            for definition in self.reached(module, name)
            for node in self.definitions[definition]
            for method in client_calls(node)
            for action in actions()[method]
        }


def _mentioned(*nodes: ast.AST) -> Iterator[ast.Name | ast.Attribute]:
    """Yield the names and attributes in `nodes`, annotations left out: they make nothing."""
    for node in nodes:
        if isinstance(node, ast.Name | ast.Attribute):
            yield node
        for field, value in ast.iter_fields(node):
            if field not in {"annotation", "returns"}:
                children = value if isinstance(value, list) else [value]
                yield from _mentioned(*(child for child in children if isinstance(child, ast.AST)))
