"""Files of each format, in each encoding and with every kind of damage."""

import gzip
import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feedbackctl.errors import OperatorError
from feedbackctl.suppression_files import csv_records, json_records
from feedbackctl.suppression_files.formats import FORMATS
from feedbackctl.suppression_files.formats.columns import ColumnsError, format_of_columns, has_header, parse_columns
from feedbackctl.suppression_files.model import BadLine, Entry, ExportFormat, Kind
from feedbackctl.suppression_files.reader import recognize_file
from ses_feedback.timestamps import format_timestamp
from tests.support.exported_files import FILES, SENDGRID_BOUNCES, SENDGRID_SPAM, Exported

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BOM = "\ufeff"
ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "utf-8": lambda text: text.encode(),
    "utf-8 with a byte order mark": lambda text: (BOM + text).encode(),
    "utf-16, little endian": lambda text: (BOM + text).encode("utf-16-le"),
    "utf-16, big endian": lambda text: (BOM + text).encode("utf-16-be"),
    "utf-16 without a byte order mark": lambda text: text.encode("utf-16-le"),
    "gzip": lambda text: gzip.compress(text.encode()),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "without a line end at the end": lambda text: text.rstrip("\n").encode(),
}


def read(
    path: Path, forced: ExportFormat | None = None, *, header: bool | None = None
) -> tuple[str, list[Entry | BadLine]]:
    found = recognize_file(path, forced, has_header=header)
    return found.format.name, list(found.read(NOW))


def read_text(folder: Path, text: str | bytes, name: str = "suppression_bounces.csv") -> list[Entry | BadLine]:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return read(path)[1]


def describe(entries: Sequence[Entry | BadLine]) -> tuple[str, ...]:
    return tuple(_describe(one) for one in entries)


def _describe(one: Entry | BadLine) -> str:
    if isinstance(one, BadLine):
        return f"line {one.line}: {one.problem}"
    at = format_timestamp(one.at) if one.at else ""
    return f"{one.address.variant} {one.kind.value} {at}" + (f" {one.stream}" if one.stream else "")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("exported", FILES, ids=lambda one: one.name)
def test_each_format_is_recognized_and_read_in_each_encoding(tmp_path: Path, exported: Exported, encoding: str) -> None:
    path = tmp_path / exported.name
    path.write_bytes(ENCODINGS[encoding](exported.text))
    name, entries = read(path)
    assert (name, describe(entries)) == (exported.format, exported.entries)


def test_each_format_has_a_file_and_a_documented_page() -> None:
    assert {one.format for one in FILES} == {one.name for one in FORMATS}
    assert all(one.url.startswith("https://") for one in FORMATS)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_csv_with_another_separator_is_read(tmp_path: Path, separator: str) -> None:
    text = "status,reason,email,created\n5.1.1,gone,a@example.com,1709251200\n".replace(",", separator)
    assert describe(read_text(tmp_path, text)) == ("a@example.com bounce 2024-03-01T00:00:00.000Z",)


def test_text_of_the_other_system_and_status_code_are_kept(tmp_path: Path) -> None:
    [first, _] = read_text(tmp_path, SENDGRID_BOUNCES.text)
    assert isinstance(first, Entry)
    assert (first.reason, first.status_code) == ('550 5.1.1 no such user, "really"\nsecond line', "5.1.1")


def test_bounces_and_blocks_are_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="sendgrid-blocks"):
        read_text(tmp_path, SENDGRID_BOUNCES.text, "export.csv")


@pytest.mark.parametrize(
    "text",
    ["", " \n", "name,phone\nAnn,1\n", "[]", "[1, 2]", '{"x": {"y": 1}}', "a@example.com\n", "a@example.com,x\n"],
)
def test_unknown_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(OperatorError):
        read_text(tmp_path, text)


HEADER = "status,reason,email,created\n"
GOOD = "5.1.1,gone,good@example.com,1709251200\n"
BAD_CSV = {
    "5.1.1,gone,not an address,1709251200": "no local part",
    "5.1.1,gone,,1709251200": "the field email is empty",
    "5.1.1,gone,a@example.com,01/02/2024": "the date is not",
    "5.1.1,gone,a@example.com,4102444800": "in the future",
    "5.1.1,gone,a@example.com,1709251200,more": "5 fields, the header 4",
    '5.1.1,"gone"x,a@example.com,1709251200': "quotation mark is misplaced",
    "5.1.1,gone,a@example.com;b@example.com,1709251200": "characters that an address cannot have",
    "5.1.1,gone,a\x00@example.com,1709251200": "characters that an address cannot have",
    "x" + "," * 300: "more than 200 fields",
}


@pytest.mark.parametrize("line", BAD_CSV)
def test_bad_line_is_reported_by_number_and_hides_no_other(tmp_path: Path, line: str) -> None:
    entries = read_text(tmp_path, f"{HEADER}{GOOD}{line}\n\n{GOOD}")
    assert describe(entries)[0] == describe(entries)[2] == "good@example.com bounce 2024-03-01T00:00:00.000Z"
    [bad] = [one for one in entries if isinstance(one, BadLine)]
    assert bad.line == 3
    assert BAD_CSV[line] in bad.problem
    assert "@" not in bad.problem


def test_quotation_mark_without_end_is_reported(tmp_path: Path) -> None:
    entries = read_text(tmp_path, f'{HEADER}{GOOD}5.1.1,"gone,a@example.com,1\n{GOOD}{GOOD}')
    assert describe(entries)[1:] == ("line 3: a quotation mark is not closed; the lines after it belong to this one",)


def test_endless_line_takes_bounded_memory_and_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_records, "MAX_LINE", 200)
    entries = read_text(tmp_path, f"{HEADER}{GOOD}{'x' * 1_000}\n{GOOD}")
    assert describe(entries) == (
        "good@example.com bounce 2024-03-01T00:00:00.000Z",
        "line 3: the line has more than 200 characters",
        "good@example.com bounce 2024-03-01T00:00:00.000Z",
    )


GOOD_JSON = '{"created": 1709251200, "email": "good@example.com", "ip": "192.0.2.1"}'


@pytest.mark.parametrize(
    "line",
    [
        '{"created": 1709251200, "email": "a@example.com", ',
        "{]",
        "nonsense",
        "17",
        '{"created": 1709251200}',
        "[" * 50,
        '{"email": ' * 20,
        '{"created": ' + "9" * 5_000 + "}",
    ],
)
def test_bad_json_is_reported_by_number_and_hides_no_other(tmp_path: Path, line: str) -> None:
    entries = read_text(tmp_path, f"{GOOD_JSON}\n{line}\n{GOOD_JSON}\n{GOOD_JSON}\n")
    assert describe(entries).count("good@example.com complaint 2024-03-01T00:00:00.000Z") == 3
    assert any(isinstance(one, BadLine) and one.line in {2, 3} for one in entries)


def test_array_that_ends_early_is_reported(tmp_path: Path) -> None:
    entries = read_text(tmp_path, SENDGRID_SPAM.text.rstrip("]"), "spam.json")
    assert describe(entries) == (*SENDGRID_SPAM.entries, "line 1: the file ends in the middle of an array")


def test_array_takes_the_memory_of_one_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    longest = 0
    fill = json_records._JsonReader._fill  # noqa: SLF001

    def measure(reader: json_records._JsonReader) -> bool:
        nonlocal longest
        result = fill(reader)
        longest = max(longest, len(reader._buffer))  # noqa: SLF001
        return result

    monkeypatch.setattr(json_records._JsonReader, "_fill", measure)  # noqa: SLF001
    entry = {"EmailAddress": "a@example.com", "Reason": "BOUNCE", "LastUpdateTime": "2024-03-01T00:00:00Z"}
    entries = read_text(tmp_path, json.dumps({"SuppressedDestinationSummaries": [entry] * 30_000}, indent=4))
    assert len(entries) == 30_000
    assert longest < 1_000_000


def test_any_bytes_are_read_without_an_error_of_python(tmp_path: Path) -> None:
    chance = random.Random(15)  # noqa: S311 (a repeatable choice)
    for number in range(150):
        exported = chance.choice(FILES)
        text = bytearray(exported.text.encode())
        for _ in range(chance.randrange(1, 12)):
            place = chance.randrange(len(text))
            text[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        path = tmp_path / f"{number}-{exported.name}"
        path.write_bytes(bytes(text))
        try:
            _, entries = read(path)
        except OperatorError:
            continue
        assert all(isinstance(one, BadLine) or one.address.key or one.kind is Kind.NONE for one in entries)


COLUMNS = [
    ("email=Mail,reason=Why,date=When", "Why;When;Mail\nSpam report;2024-03-01;a@example.com\n", None),
    ("email=2,reason=1", "complaint,a@example.com\n", None),
    ("email=1", "a@example.com\n", Kind.COMPLAINT),
]


@pytest.mark.parametrize(("option", "text", "kind"), COLUMNS)
def test_columns_of_any_file_are_read(tmp_path: Path, option: str, text: str, kind: Kind | None) -> None:
    columns = parse_columns(option)
    path = tmp_path / "any.csv"
    path.write_text(text)
    _, [entry] = read(path, format_of_columns(columns, "crm", kind), header=has_header(columns))
    assert isinstance(entry, Entry)
    assert (entry.address.key, entry.kind) == ("a@example.com", Kind.COMPLAINT)


def test_unknown_word_in_a_column_of_reasons_is_a_bad_line(tmp_path: Path) -> None:
    columns = parse_columns("email=Mail,reason=Why")
    path = tmp_path / "any.csv"
    path.write_text("Mail,Why\na@example.com,something\n")
    _, entries = read(path, format_of_columns(columns, "crm", None), header=True)
    assert describe(entries) == ("line 2: the reason is unknown; --kind gives one for all rows",)


@pytest.mark.parametrize("option", ["", "email", "reason=Why", "email=", "email=1,reason=Why", "name=x,email=1"])
def test_malformed_columns_are_refused(option: str) -> None:
    with pytest.raises(ColumnsError):
        parse_columns(option)
