"""Metric math: the examples of AWS's page, and the treatment of missing values."""

import pytest

from localaws.cloudwatch.metric_math import MetricMathError, Series, evaluate

M1: Series = (30.0, 20.0, 0.0, 0.0)
M2: Series = (20.0, None, 20.0, None)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # The table "Comparison and logical operators".
        ("m1 < m2", (0, 0, 1, 0)),
        ("m1 >= 30", (1, 0, 0, 0)),
        ("m1 > 15 AND m2 > 15", (1, 0, 0, 0)),
        ("m1 > 15 OR m2 > 15", (1, 1, 1, 0)),
        ("m1 == 30 || m1 != 0 && m2 <= 20", (1, 0, 0, 0)),
        ("m1 + m2", (50, 20, 20, 0)),
        ("m1 - m2 * 2", (-10, 20, -40, 0)),
        ("(m1 - m2) * 2", (20, 40, -40, 0)),
        ("m1 / m2", (1.5, None, 0, None)),
        ("m2 / 2", (10, None, 10, None)),
        ("FILL(m2, 5)", (20, 5, 20, 5)),
        ("SUM([m1, m2])", (50, 20, 20, 0)),
        ("MAX([m1, m2])", (30, 20, 20, 0)),
        ("MIN([m1, m2])", (20, 20, 0, 0)),
        ("IF(m1 > 15, 1, 0)", (1, 1, 0, 0)),
        ("IF(m1 > 15, m2, 7)", (20, 0, 7, 7)),
        ("IF(m2, m1, 7)", (30, None, 0, None)),
    ],
)
def test_an_expression_has_the_documented_value(expression: str, expected: Series) -> None:
    assert evaluate(expression, {"m1": M1, "m2": M2}, 4) == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("m1 +", "an operand expected, not the end"),
        ("m3 + 1", "unknown id m3"),
        ("m1 m2", "unexpected m2"),
        ("1 + 2", "must be a time series"),
        ("1 / 0 + m1", "division of scalars by zero"),
        ("RATE(m1)", "RATE with these arguments is not supported"),
        ("m1 ; m2", "cannot read ; m2"),
        ("FILL(m1 0)", r", or \) expected, not 0"),
        ("[m1, 3]", "a time series is expected"),
    ],
)
def test_an_invalid_expression_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(MetricMathError, match=reason):
        evaluate(expression, {"m1": M1, "m2": M2}, 4)
