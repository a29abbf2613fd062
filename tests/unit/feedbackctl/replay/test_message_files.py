"""Each file is read as messages, and no part of a file is lost."""

import gzip
import json
import os
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from feedbackctl.replay import message_files
from feedbackctl.replay.message_files import MessageFileError, find_files
from feedbackctl.unpacking import json_values

BOUNCE: dict[str, Any] = {"eventType": "Bounce", "bounce": {}, "mail": {}}
SQS_EVENT: dict[str, Any] = {"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}
STREAM_EVENT: dict[str, Any] = {"Records": [{"eventSource": "aws:dynamodb", "dynamodb": {}}]}
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


@pytest.mark.parametrize("event", [STREAM_EVENT, SWEEP, {"Records": []}], ids=["stream", "sweep", "no records"])
@pytest.mark.parametrize("indent", [None, 2])
def test_event_of_suppression_function_is_whole(file: Path, event: dict[str, Any], indent: int | None) -> None:
    file.write_text(json.dumps(event, indent=indent))
    assert read(file) == [("", event)]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_byte_order_mark_is_not_part_of_a_message(file: Path, mark: str) -> None:
    file.write_text(mark + lines(SQS_EVENT, BOUNCE))
    assert read(file) == [(":1", SQS_EVENT["Records"][0]), (":2", json.dumps(BOUNCE))]


def test_object_whose_records_are_not_a_list_is_a_queue_message(file: Path) -> None:
    file.write_text('{"Records": 1}')
    assert read(file) == [("", '{"Records": 1}')]


def test_each_line_of_ndjson_is_a_message_with_its_line_number(file: Path) -> None:
    """Blank lines count, but are no messages."""
    file.write_text(lines(BOUNCE) + "\n" + lines(SQS_EVENT, BOUNCE))
    text = json.dumps(BOUNCE)
    assert read(file) == [(":1", text), (":3", SQS_EVENT["Records"][0]), (":4", text)]


def test_records_of_lambda_events_are_numbered(file: Path) -> None:
    record = SQS_EVENT["Records"][0]
    event = {"Records": [record, record]}
    file.write_text(json.dumps(event, indent=2) + "\n" + lines(event))
    sources = [source for source, _ in read(file)]
    assert sources == [" record 1", " record 2", ":13 record 1", ":13 record 2"]


@pytest.mark.parametrize("broken", ['{"eventType": "Boun', '{"eventType": 1', NOTICE, ""])
def test_malformed_first_line_does_not_hide_later_lines(file: Path, broken: str) -> None:
    file.write_text(f"{broken}\n{lines(BOUNCE, BOUNCE)}")
    first = [(":1", broken)] if broken else []
    assert read(file) == [*first, (":2", json.dumps(BOUNCE)), (":3", json.dumps(BOUNCE))]


def test_documents_without_separator_are_separate_messages(file: Path) -> None:
    """Firehose writes such files. The rest of an incomplete document is a message, too."""
    one, event = json.dumps(BOUNCE), json.dumps(SQS_EVENT)
    record = SQS_EVENT["Records"][0]
    file.write_text(f"\ufeff{one}{event} {one}")
    assert read(file) == [(":1 document 1", one), (":1 document 2", record), (":1 document 3", one)]
    file.write_text(f"{one}{one}\n{one}\n{event}{one[:-9]}\n")
    assert read(file) == [
        (":1 document 1", one),
        (":1 document 2", one),
        (":2", one),
        (":3 document 1", record),
        (":3 document 2", one[:-9]),
    ]


def test_indented_documents_are_named_by_their_first_line(file: Path) -> None:
    """The same command appends each of its outputs to a file."""
    text = json.dumps(BOUNCE, indent=1)
    file.write_text(f"{text}\n{text}\n")
    assert read(file) == [(":1", text), (":6", text)]


def test_indented_document_that_is_cut_off_is_one_message(file: Path) -> None:
    text = json.dumps(BOUNCE, indent=1)
    file.write_text(f"{text[:-2]}\n{text}\n")
    assert read(file) == [(":1", text[:-2]), (":5", text)]


@pytest.mark.parametrize("space", ["", " ", "\n"])
def test_each_element_of_an_array_is_a_message(file: Path, space: str) -> None:
    """A malformed element is one message, and does not hide the others."""
    elements = ['{"a": 1}', '{"a": oops}', '{"a": "un"closed"}', '{"a": 2}', "7", '"text"', "[1, 2]"]
    file.write_text("[" + space + f",{space}".join(elements) + space + "]")
    expected = [(f" record {number}", element) for number, element in enumerate(elements, 1)]
    assert read(file) == [*expected[:-1], (" record 7 record 1", "1"), (" record 7 record 2", "2")]


def test_array_that_is_cut_off_yields_the_elements_before(file: Path) -> None:
    file.write_text(f"[{json.dumps(BOUNCE)}, {json.dumps(BOUNCE)[:-5]}")
    assert read(file) == [(" record 1", json.dumps(BOUNCE)), (" record 2", json.dumps(BOUNCE)[:-5])]


def test_malformed_record_of_an_event_is_one_message(file: Path) -> None:
    record = json.dumps(SQS_EVENT["Records"][0])
    file.write_text(f'{{"Records": [{record}, {record[:-1]} oops}}, {record}], "more": {{"a": [1]}}}}')
    good = SQS_EVENT["Records"][0]
    assert read(file) == [(" record 1", good), (" record 2", record[:-1] + " oops}"), (" record 3", good)]


def test_line_of_unicode_spaces_is_a_message(file: Path) -> None:
    """JSON has four space characters; a line of others is text."""
    file.write_text(f"{lines(BOUNCE)}\u2003\n")
    assert read(file) == [(":1", json.dumps(BOUNCE)), (":2", "\u2003")]


def test_text_in_a_string_is_not_read_as_documents(file: Path) -> None:
    file.write_text('{"a": "} {"}')
    assert read(file) == [("", '{"a": "} {"}')]


@pytest.mark.parametrize("text", [NOTICE, "", " \n\n", "not\nJSON\n", "null", "[WARN] text"])
def test_file_without_json_is_one_message(file: Path, text: str) -> None:
    file.write_text(text)
    assert read(file) == [("", text)]


@pytest.mark.parametrize("text", ["[]", '{"Messages": []}'])
def test_container_without_messages_has_no_records(file: Path, text: str) -> None:
    file.write_text(text)
    assert read(file) == [("", {"Records": []})]


def test_bytes_that_are_not_utf_8_are_kept(file: Path) -> None:
    """They become lone surrogates."""
    file.write_bytes(b"\xff{\x80")
    ((source, content),) = read(file)
    assert isinstance(content, str)
    assert (source, content.encode("utf-8", "surrogateescape")) == ("", b"\xff{\x80")


@pytest.mark.parametrize("deep", ['{"a": ' + "[" * 200_000, "[" * 200_000, '{"Records": ' + "[" * 200_000])
def test_json_that_is_nested_too_deeply_is_one_queue_message(file: Path, deep: str) -> None:
    file.write_text(deep)
    ((_, content),) = read(file)
    assert isinstance(content, str)
    assert content in deep


def test_file_longer_than_any_message_is_read_line_by_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_values, "MAX_VALUE_BYTES", 30)
    file.write_text(f"{NOTICE}\nsecond\nthird\n")
    assert read(file) == [(":1", NOTICE), (":2", "second"), (":3", "third")]


def test_value_longer_than_any_message_is_cut_and_the_next_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_values, "MAX_VALUE_BYTES", 64)
    monkeypatch.setattr(json_values, "KEPT_BYTES", 8)
    monkeypatch.setattr(json_values, "_CHUNK", 16)
    file.write_text('{"a": "' + "x" * 1_000 + '"}\n' + lines(BOUNCE))
    assert read(file) == [(":1", '{"a": "x'), (":2", json.dumps(BOUNCE))]


@pytest.mark.parametrize("message", [{"a": '"{' * 5_000, "b": "}"}, {"a": ["}"] * 5_000, "b": 1}])
def test_string_with_many_escapes_and_value_with_many_strings_are_whole(file: Path, message: dict[str, object]) -> None:
    file.write_text(lines(message, BOUNCE, message["a"], BOUNCE))
    text = json.dumps(BOUNCE)
    assert read(file)[:2] == [(":1", json.dumps(message)), (":2", text)]
    assert read(file)[-1] == (":4", text)


def test_string_with_many_escapes_and_without_end_ends_with_its_line(file: Path) -> None:
    broken = '{"a": "' + '\\"{' * 5_000
    file.write_text(f"{broken}\n{lines(BOUNCE)}")
    assert read(file) == [(":1", broken), (":2", json.dumps(BOUNCE))]


def test_sizes_of_messages_add_up_to_the_size_of_the_file(file: Path) -> None:
    file.write_text(lines(BOUNCE, "ä", SQS_EVENT) + '[{"a": "ä"}, {"b": "ä"}]')
    assert sum(message.size for message in message_files.read_messages([file])) == file.stat().st_size - 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_file_in_another_encoding_is_converted(file: Path, encoding: str) -> None:
    file.write_text(lines(BOUNCE, {"a": "ä😀"}), encoding)
    assert read(file) == [(":1", json.dumps(BOUNCE)), (":2", json.dumps({"a": "ä😀"}))]
    other = '{"a": "ä😀"}'
    file.write_text(other, encoding)
    assert read(file) == [("", other)]


def test_compressed_file_is_decompressed(file: Path) -> None:
    """Firehose writes one member for each object; joined objects have several."""
    utf_16 = lines(BOUNCE).encode("utf-16")
    file.write_bytes(gzip.compress(lines(BOUNCE).encode()) + gzip.compress(lines(BOUNCE).encode()))
    assert read(file) == [(":1", json.dumps(BOUNCE)), (":2", json.dumps(BOUNCE))]
    file.write_bytes(gzip.compress(gzip.compress(utf_16)))
    assert read(file) == [("", json.dumps(BOUNCE))]
    assert message_files.total_size([file]) is None


@pytest.mark.parametrize("damage", [slice(0, 400), slice(0, 12)])
def test_damaged_compressed_file_is_an_error_that_names_it(file: Path, damage: slice) -> None:
    file.write_bytes(gzip.compress(os.urandom(1_000))[damage])
    with pytest.raises(MessageFileError, match=r"file\.json: the compressed data is damaged or ends early\."):
        read(file)


def test_memory_does_not_grow_with_the_file(file: Path) -> None:
    """The campaign of benchmarks/replay.py measures a gigabyte."""
    record = json.dumps({"eventType": "Bounce", "bounce": {"text": "x" * 2_000}, "mail": {}})
    with file.open("w") as stream:
        stream.write('{"Messages": [')
        stream.writelines(f'{{"MessageId": "{number}", "Body": {json.dumps(record)}}},\n' for number in range(20_000))
        stream.write("7]}")
    tracemalloc.start()
    try:
        count = sum(1 for _ in message_files.read_messages([file]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 20_001
    assert peak < 4_000_000 < file.stat().st_size / 10


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
