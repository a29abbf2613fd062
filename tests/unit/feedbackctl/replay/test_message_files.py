"""Whatever a file holds is read as the messages in it, and nothing is ever lost on the way."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from feedbackctl.replay import message_files
from feedbackctl.replay.message_files import SourceError, find_files

BOUNCE: dict[str, Any] = {"eventType": "Bounce", "bounce": {}, "mail": {}}
SQS_EVENT: dict[str, Any] = {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}
SWEEP: dict[str, Any] = {"source": "ses-feedback", "detail-type": "Sweep"}
NOTICE = "Successfully validated SNS topic for Amazon SES event publishing."


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file to write to."""
    return tmp_path / "file.json"


def read(file: Path) -> list[tuple[str, str | dict[str, Any]]]:
    """Return the messages in a file: what follows its name in their source, and their content."""
    return [(message.source.removeprefix(str(file)), message.content) for message in message_files.read([file])]


def lines(*documents: object) -> str:
    """Return NDJSON."""
    return "".join(json.dumps(document) + "\n" for document in documents)


def names(files: Iterable[Path], folder: Path) -> list[str]:
    """Return the paths below a folder."""
    return [file.relative_to(folder).as_posix() for file in files]


# What a file holds


@pytest.mark.parametrize("indent", [None, 2])
def test_a_file_of_json_is_one_message(file: Path, indent: int | None) -> None:
    """However it is printed; and its text stays as it is."""
    file.write_text(json.dumps(BOUNCE, indent=indent))
    assert read(file) == [("", json.dumps(BOUNCE, indent=indent))]


@pytest.mark.parametrize("event", [SQS_EVENT, SWEEP, {"Records": []}], ids=["records", "sweep", "no records"])
@pytest.mark.parametrize("indent", [None, 2])
def test_an_event_for_lambda_is_one(file: Path, event: dict[str, Any], indent: int | None) -> None:
    """It goes to a function as it is."""
    file.write_text(json.dumps(event, indent=indent))
    assert read(file) == [("", event)]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_byte_order_mark_changes_nothing(file: Path, mark: str) -> None:
    """Some editors begin a file with one; it belongs to no message that is looked into."""
    file.write_text(mark + lines(SQS_EVENT, BOUNCE))
    assert read(file) == [(":1", SQS_EVENT), (":2", lines(BOUNCE))]


def test_records_that_are_no_list_make_no_event(file: Path) -> None:
    """Nobody but a person could have written that; it is a message like any other."""
    file.write_text('{"Records": 1}')
    assert read(file) == [("", '{"Records": 1}')]


def test_each_line_of_ndjson_is_a_message(file: Path) -> None:
    """A document or an event, named by its line; blank lines count, but hold nothing."""
    file.write_text(lines(BOUNCE) + "\n" + lines(SQS_EVENT, BOUNCE))
    text = json.dumps(BOUNCE) + "\n"
    assert read(file) == [(":1", text), (":3", SQS_EVENT), (":4", text)]


def test_one_line_is_named_by_its_file(file: Path) -> None:
    """There is only one, blank lines apart."""
    file.write_text(f"{lines(BOUNCE)}\n\n")
    assert read(file) == [("", lines(BOUNCE))]


@pytest.mark.parametrize("broken", ['{"eventType": "Boun', NOTICE, ""], ids=["cut short", "no JSON", "blank"])
def test_a_broken_line_does_not_hide_the_others(file: Path, broken: str) -> None:
    """Not even the first."""
    file.write_text(f"{broken}\n{lines(BOUNCE, BOUNCE)}")
    first = [(":1", f"{broken}\n")] if broken else []
    assert read(file) == [*first, (":2", lines(BOUNCE)), (":3", lines(BOUNCE))]


def test_documents_that_nothing_separates_are_told_apart(file: Path) -> None:
    """As DeliveryFunction does in a file of Firehose's; what remains of one that is cut short comes by itself."""
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


def test_a_line_blank_to_unicode_is_a_message(file: Path) -> None:
    """JSON knows four blanks; a line of others is somebody's text."""
    file.write_text(f"{lines(BOUNCE)}\u2003\n")
    assert read(file) == [(":1", lines(BOUNCE)), (":2", "\u2003\n")]


@pytest.mark.parametrize("text", ['{"a": "} {"}', '{"a": 1} and {"b": 2', '{"a" 1} {"b": 2}'], ids=range(3))
def test_what_only_looks_like_several_documents_is_one(file: Path, text: str) -> None:
    """Braces in a text, words between documents, or a first that can't be read."""
    file.write_text(text)
    assert read(file) == [("", text)]


@pytest.mark.parametrize("text", [NOTICE, "", " \n\n", "not\nJSON\n", "[\n{}\n]", "\ufeff{}", "null"])
def test_what_is_not_ndjson_is_one_message(file: Path, text: str) -> None:
    """Plain text, nothing at all, a list: for the functions to judge."""
    file.write_text(text)
    assert read(file) == [("", text)]


def test_bytes_that_are_no_text_can_be_had_again(file: Path) -> None:
    """They become lone surrogates, which quarantine knows to keep."""
    file.write_bytes(b"\xff\xfe\x00{")
    ((source, content),) = read(file)
    assert isinstance(content, str)
    assert (source, content.encode("utf-8", "surrogateescape")) == ("", b"\xff\xfe\x00{")


def test_json_too_deep_to_decode_is_a_message(file: Path) -> None:
    """It cannot be looked into; it is text like any other."""
    deep = '{"Records": ' + "[" * 200_000
    file.write_text(deep)
    assert read(file) == [("", deep)]


def test_a_file_longer_than_any_event_is_ndjson(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never read as a whole, whatever its first line is."""
    monkeypatch.setattr(message_files, "MAX_EVENT_BYTES", 8)
    file.write_text(f"{NOTICE}\nsecond, longer\nthird\n")
    assert read(file) == [(":1", f"{NOTICE}\n"), (":2", "second, longer\n"), (":3", "third\n")]


def test_messages_know_their_size(file: Path) -> None:
    """Together they are as long as the file."""
    file.write_text(lines(BOUNCE, "ä", SQS_EVENT) + '{"a": "ä"} {"b": "ä"} \n')
    assert sum(message.size for message in message_files.read([file])) == file.stat().st_size


# Which files


def test_a_folder_holds_its_files_in_order(tmp_path: Path) -> None:
    """All the way down, in the same order everywhere; not what is hidden or tells about the others."""
    for name in ("b.json", "a/z.ndjson", "a/b/c", "README.md", "index.toml", ".hidden/x.json", "a/.x.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert names(find_files([tmp_path]), tmp_path) == ["a/b/c", "a/z.ndjson", "b.json"]


def test_a_file_that_is_named_is_read(tmp_path: Path) -> None:
    """Whatever it is called, and in the order it was named."""
    files = [tmp_path / "b.md", tmp_path / ".a"]
    for file in files:
        file.touch()
    assert find_files(files) == files


def test_a_folder_without_messages_is_a_mistake(tmp_path: Path) -> None:
    """Somebody meant another folder."""
    (tmp_path / "README.md").touch()
    with pytest.raises(SourceError, match="holds no messages"):
        find_files([tmp_path])


def test_a_path_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(SourceError, match="missing"):
        find_files([tmp_path / "missing"])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """It may have gone since it was found."""
    with pytest.raises(SourceError, match=r"gone\.json can't be read: No such file"):
        list(message_files.read([tmp_path / "gone.json"]))
