"""Random changes to JSON values and to the texts they are written as."""

import base64
import gzip
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from campaigns.fuzz.canaries import canary, canary_address
from ses_feedback.reading.envelope import VALIDATION_NOTICE
from tests.support.strategies import MEANINGFUL_NAMES, MEANINGFUL_TEXTS, ODD_NUMBERS, ODD_TEXTS, slots

Json = Any

LONG = (1_000, 2_001, 20_000)
"""Lengths of texts that are far longer than those of SES; `growth` tries longer ones."""
_LEVELS = 8
"""Levels of nesting in which values are mutated."""
_VERBATIM = "\x1averbatim:"
"""Prefix of a text that `write` replaces by JSON that `json.dumps` would not write."""
_VERBATIM_JSON = (
    *("1e400", "-1e400", "-0", "0.1e-999", "9" * 400, "9" * 5_000, "NaN", "-Infinity", "01", "+1", ".5", "0x1F"),
    *("[" * 60 + "]" * 60, "[" * 20_000 + "]" * 20_000, '{"a":' * 300 + "1" + "}" * 300, "[" * 9_000),
    *('"\\ud83d"', '"\\udc00\\ud83d"', '"\\x41"', '"\\u00"', '"\\u0000"', "'single'", "undefined", "", "/*c*/1"),
)


def mutate(rng: Random, value: Json) -> None:
    """Change one place of a JSON value in place."""
    places = list(slots(value, _LEVELS))
    if places:
        container, name = rng.choice(places)
        rng.choice(_MUTATIONS)(rng, container, name)


def odd_value(rng: Random) -> Json:
    """Return a JSON value that is unusual in most places."""
    roll = rng.random()
    if roll < 0.25:
        return rng.choice(ODD_NUMBERS)
    if roll < 0.5:
        return rng.choice((*ODD_TEXTS, *MEANINGFUL_TEXTS))
    if roll < 0.7:
        return rng.choice((None, True, False, [], {}, [None], {"": None}, [[]], {"a": {"b": [1]}}))
    if roll < 0.8:
        return rng.choice((canary("odd"), canary_address("odd"), "\u00e9\x7f\x85\u2028\ufffe\U0010ffff"))
    if roll < 0.9:
        return rng.choice("x\u00e9\x00\u4e2d\U0001f600") * rng.choice(LONG)
    return _VERBATIM + rng.choice(_VERBATIM_JSON)


def _delete(_: Random, container: Json, name: Any) -> None:  # noqa: ANN401 (a name or an index)
    del container[name]


def _replace(rng: Random, container: Json, name: Any) -> None:  # noqa: ANN401
    container[name] = odd_value(rng)


def _set_null(_: Random, container: Json, name: Any) -> None:  # noqa: ANN401
    container[name] = None


def _wrap(rng: Random, container: Json, name: Any) -> None:  # noqa: ANN401
    inner = container[name]
    container[name] = rng.choice(
        ([inner], {"value": inner}, [inner, inner], [inner] * 40, json.dumps(inner, default=str))
    )


def _insert(rng: Random, container: Json, _: Any) -> None:  # noqa: ANN401
    if isinstance(container, dict):
        container[rng.choice((*MEANINGFUL_NAMES, canary("name"), canary_address("name")))] = odd_value(rng)
    else:
        container.insert(rng.randrange(len(container) + 1), odd_value(rng))


def _rename(rng: Random, container: Json, name: Any) -> None:  # noqa: ANN401
    if isinstance(container, dict) and isinstance(name, str):
        renamed = rng.choice((name.upper(), name.lower(), f" {name}", f"{name}\x00", rng.choice(MEANINGFUL_NAMES)))
        container[renamed] = container.pop(name)


def _swap(rng: Random, container: Json, name: Any) -> None:  # noqa: ANN401
    other = rng.choice(list(container) if isinstance(container, dict) else range(len(container)))
    container[name], container[other] = container[other], container[name]


def _append(rng: Random, container: Json, name: Any) -> None:  # noqa: ANN401
    if isinstance(container[name], str):
        container[name] += rng.choice((*ODD_TEXTS, "\n\r\t", "\u202e", '"', "\\", "%", "'; --", "<" * 500, "@" * 500))


_MUTATIONS: Sequence[Callable[[Random, Json, Any], None]] = (
    *(_replace,) * 4,
    *(_delete, _delete, _set_null, _wrap, _insert, _rename, _swap, _append),
)


def write(rng: Random, value: Json) -> str:
    """Return a JSON value as text, compact or not, with or without escapes."""
    compact = (",", ":") if rng.random() < 0.5 else None
    text = json.dumps(value, ensure_ascii=rng.random() < 0.7, separators=compact)
    while _VERBATIM_MARK in text:  # no regular expression: the text after the mark may contain quotes
        before, _, after = text.partition(_VERBATIM_MARK)
        verbatim = next((one for one in _LONGEST_FIRST if after.startswith(json.dumps(one)[1:])), "")
        text = f"{before}{verbatim}{after[len(json.dumps(verbatim)) - 1 :]}"
    return text


_VERBATIM_MARK = json.dumps(_VERBATIM)[:-1]
_LONGEST_FIRST = sorted(_VERBATIM_JSON, key=len, reverse=True)


def damage(rng: Random, text: str) -> str:
    """Return `text` cut, doubled, wrongly encoded, or with other characters."""
    return rng.choice(_DAMAGES)(rng, text)


def _cut(rng: Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return rng.choice((text[:at], text[at:]))


def _change_characters(rng: Random, text: str) -> str:
    for _ in range(rng.choice((1, 1, 2, 10))):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(_CHARACTERS) + text[at + rng.randrange(2) :]
    return text


def _remove_part(rng: Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + text[at + rng.randrange(1, 40) :]


def _duplicate_name(rng: Random, text: str) -> str:
    # RFC 8259, section 4: the behavior is unpredictable if an object has a name twice.
    at = text.find(rng.choice(('"bounceType"', '"eventType"', '"emailAddress"', '"timestamp"', '"mail"')))
    return text if at < 0 else text[:at] + text[at : at + 14] + f": {json.dumps(canary('twice'))}, " + text[at:]


def _decode_wrongly(rng: Random, text: str) -> str:
    encoding = rng.choice(("latin-1", "cp037", "utf-16-le", "utf-7"))
    return text.encode("utf-8", "surrogatepass").decode(encoding, "replace")


def _compress(_: Random, text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode("utf-8", "surrogatepass"), 1, mtime=0)).decode("ascii")


_CHARACTERS = '"\\{}[],:\x00\x1f\x7f\ud800\udfff\ufffe\ufeff\u2028 \n0a\u00e9\U0001f600'
_DAMAGES: Sequence[Callable[[Random, str], str]] = (
    *(_cut, _cut, _change_characters, _change_characters, _remove_part),
    *(_duplicate_name, _duplicate_name, _decode_wrongly, _compress),
    lambda _, text: text + text,
    lambda _, text: f"{text}\n{text[: len(text) // 2]}",
    lambda _, text: "\ufeff" + text,
    lambda _, text: json.dumps(text),
    lambda _, text: json.dumps(json.dumps(text)),
    lambda _, text: text.replace('"', '\\"'),
    lambda _, text: text.replace('\\"', '"'),
    lambda _, text: text.replace('"', "'"),
    lambda _, text: text.replace('"', "\u201c"),
    lambda _, text: text.replace(",", ", ,", 1),
    lambda _, text: text.replace("\\u", "\\\\u"),
    lambda _, text: base64.b64encode(text.encode("utf-8", "surrogatepass")).decode("ascii"),
    lambda _, text: "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass")),
    lambda _, text: text.replace("&", "&amp;").replace('"', "&quot;"),
    lambda _, text: "=\n".join(text[at : at + 76] for at in range(0, len(text), 76)),
    lambda _, text: f" \t\r\n{text}\x00",
    lambda *_: "",
    lambda *_: " \n",
    lambda *_: f"{VALIDATION_NOTICE}.",
)
