"""Output formats: JSON, CSV and NDJSON for programs, tables for people."""

import csv
import io
import json

import pytest

from feedbackctl.terminal.output import Format, print_document, print_in_format, safe_cell

ROWS = [
    {"address": "=cmd@example.com", "why": "\x1b[31m\u202e\x7f", "streams": ["a", "b"], "may_send": False},
    {"address": "b@example.com", "why": "", "streams": [], "may_send": True},
]
COLUMNS = {"address": "Address", "why": "Why", "may_send": "Send"}


def printed(output_format: Format, capsys: pytest.CaptureFixture[str], rows: list[dict[str, object]]) -> str:
    assert print_in_format(output_format, "contacts", COLUMNS, rows, {"count": len(rows)}) is bool(rows)
    return capsys.readouterr().out


def test_json_is_one_versioned_object(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(Format.JSON, capsys, ROWS)
    assert json.loads(text) == {"version": 1, "contacts": ROWS, "count": 2}


def test_json_without_rows_has_an_empty_array(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(printed(Format.JSON, capsys, [])) == {"version": 1, "contacts": [], "count": 0}


def test_document_has_a_version(capsys: pytest.CaptureFixture[str]) -> None:
    print_document({"a": "\x7f\x1b"})
    text = capsys.readouterr().out
    assert (json.loads(text), "\x7f" in text, "\x1b" in text) == ({"version": 1, "a": "\x7f\x1b"}, False, False)


def test_ndjson_is_one_object_for_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert [json.loads(line) for line in printed(Format.NDJSON, capsys, ROWS).splitlines()] == ROWS


def test_csv_has_a_header_and_no_formula(capsys: pytest.CaptureFixture[str]) -> None:
    [header, first, second] = csv.reader(io.StringIO(printed(Format.CSV, capsys, ROWS)))
    assert header == ["address", "why", "streams", "may_send"]
    assert first == ["'=cmd@example.com", "\\x1b[31m\\u202e\\x7f", "a, b", "no"]
    assert second == ["b@example.com", "", "", "yes"]


def test_csv_without_rows_is_a_header(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(Format.CSV, capsys, []) == "address,why,may_send\n"


def test_table_is_aligned_and_printable(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(Format.TABLE, capsys, ROWS).splitlines() == [
        "Address           Why                 Send",
        "=cmd@example.com  \\x1b[31m\\u202e\\x7f  no",
        "b@example.com                         yes",
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_cell_that_a_spreadsheet_would_evaluate_begins_with_an_apostrophe(text: str) -> None:
    assert safe_cell(text).startswith("'")


@pytest.mark.parametrize("output_format", Format)
def test_no_format_prints_a_control_character(output_format: Format, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(output_format, capsys, ROWS)
    assert all(one.isprintable() or one == "\n" for one in text)
