"""Each file is read as messages, and no part of a file is lost."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from feedbackctl.replay import message_files
from feedbackctl.replay.message_files import MessageFileError, find_files

BOUNCE: dict[str, Any] = {"eventType": "Bounce", "bounce": {}, "mail": {}}
SQS_EVENT: dict[str, Any] = {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}
SWEEP: dict[str, Any] = {"source": "ses-feedback", "detail-type": "Sweep"}
NOTICE = "Successfully validated SNS topic for Amazon SES event publishing."


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file to write to."""
    return tmp_path / "file.json"


def read(file: Path) -> list[tuple[str, str | dict[str, Any]]]:
    """Return the messages in a file: their source, without the name of the file, and their content."""
    return [
        (message.source.removeprefix(str(file)), message.content) for message in message_files.read_messages([file])
    ]


def lines(*documents: object) -> str:
    """Return NDJSON."""
    return "".join(json.dumps(document) + "\n" for document in documents)


def names(files: Iterable[Path], folder: Path) -> list[str]:
    """Return the paths below a folder."""
    return [file.relative_to(folder).as_posix() for file in files]


# Messages in a file


@pytest.mark.parametrize("indent", [None, 2])
def test_json_file_is_one_message_with_its_text_unchanged(file: Path, indent: int | None) -> None:
    file.write_text(json.dumps(BOUNCE, indent=indent))
    assert read(file) == [("", json.dumps(BOUNCE, indent=indent))]


@pytest.mark.parametrize("event", [SQS_EVENT, SWEEP, {"Records": []}], ids=["records", "sweep", "no records"])
@pytest.mark.parametrize("indent", [None, 2])
def test_lambda_event_is_read_as_an_event(file: Path, event: dict[str, Any], indent: int | None) -> None:
    file.write_text(json.dumps(event, indent=indent))
    assert read(file) == [("", event)]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_byte_order_mark_is_not_part_of_a_message(file: Path, mark: str) -> None:
    file.write_text(mark + lines(SQS_EVENT, BOUNCE))
    assert read(file) == [(":1", SQS_EVENT), (":2", lines(BOUNCE))]


def test_object_whose_records_are_not_a_list_is_a_queue_message(file: Path) -> None:
    file.write_text('{"Records": 1}')
    assert read(file) == [("", '{"Records": 1}')]


def test_each_line_of_ndjson_is_a_message_with_its_line_number(file: Path) -> None:
    """Blank lines count, but are no messages."""
    file.write_text(lines(BOUNCE) + "\n" + lines(SQS_EVENT, BOUNCE))
    text = json.dumps(BOUNCE) + "\n"
    assert read(file) == [(":1", text), (":3", SQS_EVENT), (":4", text)]


def test_single_line_has_no_line_number(file: Path) -> None:
    file.write_text(f"{lines(BOUNCE)}\n\n")
    assert read(file) == [("", lines(BOUNCE))]


@pytest.mark.parametrize("broken", ['{"eventType": "Boun', NOTICE, ""], ids=["cut short", "no JSON", "blank"])
def test_malformed_first_line_does_not_hide_later_lines(file: Path, broken: str) -> None:
    file.write_text(f"{broken}\n{lines(BOUNCE, BOUNCE)}")
    first = [(":1", f"{broken}\n")] if broken else []
    assert read(file) == [*first, (":2", lines(BOUNCE)), (":3", lines(BOUNCE))]


def test_documents_without_separator_are_separate_messages(file: Path) -> None:
    """Firehose writes such files. The rest of an incomplete document is a message, too."""
    one, event = json.dumps(BOUNCE), json.dumps(SQS_EVENT)
    file.write_text(f"\ufeff{one}{event} {one}")
    assert read(file) == [(" document 1", one), (" document 2", SQS_EVENT), (" document 3", one)]
    file.write_text(f"{one}{one}\n{one}\n{event}{one[:-9]}\n")
    assert read(file) == [
        (":1 document 1", one),
        (":1 document 2", one),
        (":2", f"{one}\n"),
        (":3 document 1", SQS_EVENT),
        (":3 document 2", one[:-9]),
    ]


def test_line_of_unicode_spaces_is_a_message(file: Path) -> None:
    """JSON has four space characters; a line of others is text."""
    file.write_text(f"{lines(BOUNCE)}\u2003\n")
    assert read(file) == [(":1", lines(BOUNCE)), (":2", "\u2003\n")]


@pytest.mark.parametrize("text", ['{"a": "} {"}', '{"a": 1} and {"b": 2', '{"a" 1} {"b": 2}'], ids=range(3))
def test_text_that_resembles_several_documents_is_one_message(file: Path, text: str) -> None:
    file.write_text(text)
    assert read(file) == [("", text)]


@pytest.mark.parametrize("text", [NOTICE, "", " \n\n", "not\nJSON\n", "[\n{}\n]", "\ufeff{}", "null"])
def test_file_that_is_not_ndjson_is_one_message(file: Path, text: str) -> None:
    file.write_text(text)
    assert read(file) == [("", text)]


def test_bytes_that_are_not_utf_8_are_kept(file: Path) -> None:
    """They become lone surrogates."""
    file.write_bytes(b"\xff\xfe\x00{")
    ((source, content),) = read(file)
    assert isinstance(content, str)
    assert (source, content.encode("utf-8", "surrogateescape")) == ("", b"\xff\xfe\x00{")


def test_json_that_is_nested_too_deeply_is_a_queue_message(file: Path) -> None:
    deep = '{"Records": ' + "[" * 200_000
    file.write_text(deep)
    assert read(file) == [("", deep)]


def test_file_longer_than_any_event_is_read_line_by_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_files, "MAX_EVENT_BYTES", 8)
    file.write_text(f"{NOTICE}\nsecond, longer\nthird\n")
    assert read(file) == [(":1", f"{NOTICE}\n"), (":2", "second, longer\n"), (":3", "third\n")]


def test_sizes_of_messages_add_up_to_the_size_of_the_file(file: Path) -> None:
    file.write_text(lines(BOUNCE, "ä", SQS_EVENT) + '{"a": "ä"} {"b": "ä"} \n')
    assert sum(message.size for message in message_files.read_messages([file])) == file.stat().st_size


# Selection of files


def test_folder_yields_files_sorted_without_hidden_files_and_documents(tmp_path: Path) -> None:
    for name in ("b.json", "a/z.ndjson", "a/b/c", "README.md", "index.toml", ".hidden/x.json", "a/.x.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert names(find_files([tmp_path]), tmp_path) == ["a/b/c", "a/z.ndjson", "b.json"]


def test_named_file_is_read_with_any_name(tmp_path: Path) -> None:
    files = [tmp_path / "b.md", tmp_path / ".a"]
    for file in files:
        file.touch()
    assert find_files(files) == files


def test_folder_without_messages_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    with pytest.raises(MessageFileError, match="has no messages"):
        find_files([tmp_path])


def test_missing_path_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(MessageFileError, match="missing"):
        find_files([tmp_path / "missing"])


def test_unreadable_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(MessageFileError, match=r"gone\.json cannot be read: No such file"):
        list(message_files.read_messages([tmp_path / "gone.json"]))
