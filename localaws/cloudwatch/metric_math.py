"""Metric math: the operators and functions that template.yaml uses, with CloudWatch's treatment of missing values.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence

Series = tuple[float | None, ...]
"""A value for each period of a time range, the oldest first. None is a missing value."""
Value = float | Series | list[Series]
"""A scalar, a time series, or an array of time series."""
Operation = Callable[[float, float], float | None]

_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*)|([A-Za-z_]\w*)|(>=|<=|==|!=|&&|\|\||[-+*/<>(),\[\]]))")
_NUMBER = re.compile(r"\d+\.?\d*")


class MetricMathError(ValueError):
    """An expression is not valid, or uses a part of metric math that this module lacks."""


def evaluate(expression: str, variables: Mapping[str, Series], periods: int) -> Series:
    """Return the time series of `expression` for a range of so many periods.

    Raises:
        MetricMathError: the expression is not valid, or its result is not a time series of that length.

    """
    result = _Parser(expression, variables).parse()
    if not isinstance(result, tuple) or len(result) != periods:
        raise MetricMathError(f"the result of an expression must be a time series: {expression}")
    return result


def _divide(left: float, right: float) -> float | None:
    """Return the quotient, or None: a point that would divide by zero is dropped."""
    return left / right if right else None


def _both(left: float, right: float) -> bool:
    return bool(left) and bool(right)


def _either(left: float, right: float) -> bool:
    return bool(left) or bool(right)


_LEVELS: tuple[Mapping[str, Operation], ...] = (
    {"OR": _either, "||": _either},
    {"AND": _both, "&&": _both},
    {
        ">=": operator.ge,
        "<=": operator.le,
        ">": operator.gt,
        "<": operator.lt,
        "==": operator.eq,
        "!=": operator.ne,
    },
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": _divide},
)
"""The operators by precedence, the weakest first."""
_REDUCTIONS: Mapping[str, Callable[[list[float]], float]] = {"MAX": max, "MIN": min, "SUM": sum}


class _Parser:
    """A recursive-descent parser that evaluates while it reads."""

    def __init__(self, expression: str, variables: Mapping[str, Series]) -> None:
        self._tokens = _tokenize(expression)
        self._variables = variables
        self._position = 0

    def parse(self) -> Value:
        value = self._level(0)
        if self._next():
            raise MetricMathError(f"unexpected {self._next()}")
        return value

    def _next(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _take(self, *expected: str) -> str:
        found = self._next()
        if not found or (expected and found not in expected):
            raise MetricMathError(f"{' or '.join(expected) or 'an operand'} expected, not {found or 'the end'}")
        self._position += 1
        return found

    def _level(self, level: int) -> Value:
        """Read operands joined by the operators of a level of precedence."""
        if level == len(_LEVELS):
            return self._operand()
        value = self._level(level + 1)
        while self._next() in _LEVELS[level]:
            operation = _LEVELS[level][self._take()]
            value = _combine(value, self._level(level + 1), operation)
        return value

    def _operand(self) -> Value:
        word = self._take()
        if word == "(":
            value = self._level(0)
            self._take(")")
            return value
        if word == "[":
            return [_series(value) for value in self._arguments("]")]
        if _NUMBER.fullmatch(word):
            return float(word)
        if self._next() == "(":
            self._take()
            return _call(word, self._arguments(")"))
        if word not in self._variables:
            raise MetricMathError(f"unknown id {word}")
        return self._variables[word]

    def _arguments(self, end: str) -> list[Value]:
        arguments = [self._level(0)]
        while self._take(",", end) == ",":
            arguments.append(self._level(0))
        return arguments


def _tokenize(expression: str) -> list[str]:
    tokens, position = [], 0
    while position < len(expression.rstrip()):
        found = _TOKEN.match(expression, position)
        if not found:
            raise MetricMathError(f"cannot read {expression[position:].strip()}")
        tokens.append(found[0].strip())
        position = found.end()
    return tokens


def _call(function: str, arguments: Sequence[Value]) -> Value:
    match function, arguments:
        case "FILL", [tuple() as series, float(filler)]:
            return tuple(filler if value is None else value for value in series)
        case "IF", [tuple() as condition, then, otherwise]:
            return _choose(condition, then, otherwise)
        case name, [list() as array] if name in _REDUCTIONS:
            points = [[value for value in point if value is not None] for point in zip(*array, strict=True)]
            return tuple(_REDUCTIONS[name](point) if point else None for point in points)
    raise MetricMathError(f"{function} with these arguments is not supported")


def _choose(condition: Series, then: Value, otherwise: Value) -> Series:
    """A missing value of the chosen series is 0; a missing condition gives a missing value."""
    return tuple(
        None if chosen is None else _at(then if chosen else otherwise, period) or 0.0
        for period, chosen in enumerate(condition)
    )


def _combine(left: Value, right: Value, operation: Operation) -> Value:
    """Apply an operation point by point. If only one of two series has a value, the other one's is 0."""
    if isinstance(left, float) and isinstance(right, float):
        result = operation(left, right)
        if result is None:
            raise MetricMathError("division of scalars by zero")
        return float(result)
    periods = len(_series(right) if isinstance(left, float) else _series(left))
    return tuple(_point(left, right, period, operation) for period in range(periods))


def _point(left: Value, right: Value, period: int, operation: Operation) -> float | None:
    """A scalar gives a missing point of the other operand no value."""
    series = [_series(value)[period] for value in (left, right) if not isinstance(value, float)]
    if all(value is None for value in series):
        return None
    result = operation(_at(left, period) or 0.0, _at(right, period) or 0.0)
    return None if result is None else float(result)


def _at(value: Value, period: int) -> float | None:
    return value if isinstance(value, float) else _series(value)[period]


def _series(value: Value) -> Series:
    if not isinstance(value, tuple):
        raise MetricMathError("a time series is expected")
    return value
