"""Damage done to JSON values, and to the texts they are written as."""

import base64
import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from campaigns.fuzz.canaries import canary, canary_address
from tests.support.strategies import MEANINGFUL_NAMES, MEANINGFUL_TEXTS, ODD_NUMBERS, ODD_TEXTS

Json = Any

_DEEPEST = 8
_VERBATIM = "\x1averbatim:"
"""Begins a text that stands for JSON that json.dumps would not write."""
_VERBATIM_JSON = (
    *("1e400", "-1e400", "-0", "0.1e-999", "9" * 400, "9" * 5_000, "NaN", "-Infinity", "01", "+1", ".5", "0x1F"),
    *("[" * 60 + "]" * 60, "[" * 20_000 + "]" * 20_000, '{"a":' * 300 + "1" + "}" * 300, "[" * 9_000),
    *('"\\ud83d"', '"\\udc00\\ud83d"', '"\\x41"', '"\\u00"', '"\\u0000"', "'single'", "undefined", "", "/*c*/1"),
)
HUGE = (1_000, 2_001, 20_000)
"""Lengths of texts far longer than any SES sends; `growth` tries longer ones."""


def slots(value: Json, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Yield every object with each of its names, and every list with each of its indices."""
    if depth < _DEEPEST and isinstance(value, dict | list):
        for name in value if isinstance(value, dict) else range(len(value)):
            yield value, name
            yield from slots(value[name], depth + 1)


def mutate(chance: Random, value: Json) -> None:
    """Damage a JSON value in place."""
    places = list(slots(value))
    if not places:
        return
    holder, name = chance.choice(places)
    operation = chance.choice(_OPERATIONS)
    operation(chance, holder, name)


def odd(chance: Random) -> Json:
    """Return a JSON value that is rarely where it belongs."""
    roll = chance.random()
    if roll < 0.25:
        return chance.choice(ODD_NUMBERS)
    if roll < 0.5:
        return chance.choice((*ODD_TEXTS, *MEANINGFUL_TEXTS))
    if roll < 0.7:
        return chance.choice((None, True, False, [], {}, [None], {"": None}, [[]], {"a": {"b": [1]}}))
    if roll < 0.8:
        return chance.choice((canary("odd"), canary_address("odd"), "é\x7f\x85\u2028\ufffe\U0010ffff"))
    if roll < 0.9:
        return chance.choice("x\u00e9\x00\u4e2d\U0001f600") * chance.choice(HUGE)
    return _VERBATIM + chance.choice(_VERBATIM_JSON)


def _delete(_: Random, holder: Json, name: Any) -> None:  # noqa: ANN401 (a name or an index)
    del holder[name]


def _replace(chance: Random, holder: Json, name: Any) -> None:  # noqa: ANN401
    holder[name] = odd(chance)


def _nothing(_: Random, holder: Json, name: Any) -> None:  # noqa: ANN401
    holder[name] = None


def _wrap(chance: Random, holder: Json, name: Any) -> None:  # noqa: ANN401
    inner = holder[name]
    holder[name] = chance.choice(
        ([inner], {"value": inner}, [inner, inner], [inner] * 40, json.dumps(inner, default=str))
    )


def _add(chance: Random, holder: Json, _: Any) -> None:  # noqa: ANN401
    if isinstance(holder, dict):
        holder[chance.choice((*MEANINGFUL_NAMES, canary("name"), canary_address("name")))] = odd(chance)
    else:
        holder.insert(chance.randrange(len(holder) + 1), odd(chance))


def _rename(chance: Random, holder: Json, name: Any) -> None:  # noqa: ANN401
    if isinstance(holder, dict) and isinstance(name, str):
        renamed = chance.choice(
            (name.upper(), name.lower(), f" {name}", f"{name}\x00", chance.choice(MEANINGFUL_NAMES))
        )
        holder[renamed] = holder.pop(name)


def _swap(chance: Random, holder: Json, name: Any) -> None:  # noqa: ANN401
    other = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[name], holder[other] = holder[other], holder[name]


def _lengthen(chance: Random, holder: Json, name: Any) -> None:  # noqa: ANN401
    if isinstance(holder[name], str):
        holder[name] += chance.choice((*ODD_TEXTS, "\n\r\t", "\u202e", '"', "\\", "%", "'; --", "<" * 500, "@" * 500))


_OPERATIONS: Sequence[Callable[[Random, Json, Any], None]] = (
    *(_replace,) * 4,
    *(_delete, _delete, _nothing, _wrap, _add, _rename, _swap, _lengthen),
)


def write(chance: Random, value: Json) -> str:
    """Return a JSON value as text, escaped one way or another."""
    compact = (",", ":") if chance.random() < 0.5 else None
    text = json.dumps(value, ensure_ascii=chance.random() < 0.7, separators=compact)
    while _MARKED in text:  # not with a regular expression: what stands after it may hold quotes
        before, _, after = text.partition(_MARKED)
        verbatim = next((one for one in _BY_LENGTH if after.startswith(json.dumps(one)[1:])), "")
        text = f"{before}{verbatim}{after[len(json.dumps(verbatim)) - 1 :]}"
    return text


_MARKED = json.dumps(_VERBATIM)[:-1]
_BY_LENGTH = sorted(_VERBATIM_JSON, key=len, reverse=True)


def damage(chance: Random, text: str) -> str:
    """Return `text` damaged: cut, doubled, encoded wrongly, or with its characters changed."""
    return chance.choice(_DAMAGES)(chance, text)


def _somewhere(chance: Random, text: str) -> int:
    return chance.randrange(len(text) + 1)


def _cut(chance: Random, text: str) -> str:
    at = _somewhere(chance, text)
    return chance.choice((text[:at], text[at:]))


def _flip(chance: Random, text: str) -> str:
    for _ in range(chance.choice((1, 1, 2, 10))):
        at = _somewhere(chance, text)
        text = text[:at] + chance.choice(_CHARACTERS) + text[at + chance.randrange(2) :]
    return text


def _lose(chance: Random, text: str) -> str:
    at = _somewhere(chance, text)
    return text[:at] + text[at + chance.randrange(1, 40) :]


def _say_twice(chance: Random, text: str) -> str:
    # JSON says nothing of a name that an object has twice.
    at = text.find(chance.choice(('"bounceType"', '"eventType"', '"emailAddress"', '"timestamp"', '"mail"')))
    return text if at < 0 else text[:at] + text[at : at + 14] + f": {json.dumps(canary('twice'))}, " + text[at:]


def _as_bytes(chance: Random, text: str) -> str:
    raw = text.encode("utf-8", "surrogatepass")
    encoding = chance.choice(("latin-1", "cp037", "utf-16-le", "utf-7"))
    return raw.decode(encoding, "replace")


def _packed(_: Random, text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode("utf-8", "surrogatepass"), 1, mtime=0)).decode("ascii")


_CHARACTERS = '"\\{}[],:\x00\x1f\x7f\ud800\udfff\ufffe\ufeff\u2028 \n0aé\U0001f600'
_DAMAGES: Sequence[Callable[[Random, str], str]] = (
    *(_cut, _cut, _flip, _flip, _lose, _say_twice, _say_twice, _as_bytes, _packed),
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
    lambda *_: "Successfully validated SNS topic for Amazon SES event publishing.",
)
