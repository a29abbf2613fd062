"""Ask whether an email may be sent."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Literal, get_args

from ses_feedback.address_syntax import AddressError, normalize_address
from ses_feedback.client.arguments import require_stream, require_text
from ses_feedback.client.aws_client import create_client
from ses_feedback.client.contact_view import ContactTable, ContactView, unreadable
from ses_feedback.client.errors import ContactsUnavailableError, InvalidArgumentError
from ses_feedback.client.ordered_answers import OrderedAnswers
from ses_feedback.client.view_cache import ViewCache

OnFailure = Literal["raise", "closed", "open"]
"""The answer if the table cannot be read: an exception, False, or True."""

_logger = logging.getLogger("ses_feedback.client")


class Contacts:
    """The answers of the Contacts table. Threads may share an object.

    An address may have a display name, capital letters, an international domain or a final dot, exactly as in the
    stack. A text without one usable address is answered with False, because no server can have accepted email for it.
    """

    def __init__(
        self,
        table: Any,  # noqa: ANN401 (a str or a boto3 Table)
        *,
        client: Any = None,  # noqa: ANN401 (boto3 has no types)
        session: Any = None,  # noqa: ANN401
        on_failure: OnFailure = "raise",
        cache_seconds: float = 0,
        cache_size: int = 10_000,
    ) -> None:
        """Read from `table`, a table's name or a boto3 `Table`.

        With a name, `client` is a boto3 DynamoDB client; without it, a client with short timeouts is created, from
        `session` or the default credentials. A client or `Table` that is passed keeps its own timeouts.

        `on_failure` applies to each call that has no `on_failure` of its own. With `cache_seconds`, up to `cache_size`
        contacts are remembered for that time, so an answer may be that much older.

        Raises:
            InvalidArgumentError: the arguments contradict each other.

        """
        if isinstance(table, str) == hasattr(table, "meta") or not table:
            raise InvalidArgumentError("table is a table's name or a boto3 Table; pass the output ContactsTableName")
        if (client is not None) + (session is not None) + (not isinstance(table, str)) > 1:
            raise InvalidArgumentError("pass one of a boto3 Table, client and session")
        if cache_seconds < 0 or cache_size < 1:
            raise InvalidArgumentError("cache_seconds is at least 0, cache_size at least 1")
        if isinstance(table, str):
            self._table = ContactTable(table, client or create_client("dynamodb", session), is_resource=False)
        else:
            self._table = ContactTable(table.name, table.meta.client, is_resource=True)
        self._cache = ViewCache(cache_size if cache_seconds else 0, cache_seconds)
        self._on_failure = _require_on_failure(on_failure)

    def may_send(self, address: str, stream: str | None = None, *, on_failure: OnFailure | None = None) -> bool:
        """True if bulk email, of this stream if one is given, may be sent to `address`.

        Raises:
            ContactsUnavailableError: the table could not be read, and `on_failure` is "raise".
            InvalidArgumentError: `address` is not text, or `stream` cannot be a stream's name.

        """
        require_stream(stream)
        return self._ask(address, lambda view: view.permits(stream), on_failure)

    def may_send_transactional(self, address: str, *, on_failure: OnFailure | None = None) -> bool:
        """True if an email that the person asked for (a receipt, a password reset) may be sent to `address`.

        Raises:
            ContactsUnavailableError: the table could not be read, and `on_failure` is "raise".
            InvalidArgumentError: `address` is not text.

        """
        return self._ask(address, lambda view: view.may_send_transactional, on_failure)

    def may_send_many(
        self, addresses: Iterable[str], stream: str | None = None, *, on_failure: OnFailure | None = None
    ) -> Iterator[tuple[str, bool]]:
        """Return an iterator over pairs of an address and the answer of `may_send`, in the order of `addresses`.

        A hundred different addresses are read by one call, shortly before the first of them is yielded. A duplicate is
        asked once, unless more than 10,000 other addresses are in between. Memory is bounded for any number of
        addresses.

        Raises:
            ContactsUnavailableError: a batch could not be read, and `on_failure` is "raise" (while iterating).
            InvalidArgumentError: `stream` cannot be a stream's name, or an address is not text (while iterating).

        """
        require_stream(stream)
        if isinstance(addresses, str | bytes):
            raise InvalidArgumentError("addresses is one text; pass a list, or call may_send")
        batches = _Batches(self._table, self._cache, stream, self._choice(on_failure))
        return iter(OrderedAnswers(addresses, find=batches.find, read=batches.read, give_up=batches.give_up))

    def _ask(self, address: str, answer: Callable[[ContactView], bool], on_failure: OnFailure | None) -> bool:
        choice = self._choice(on_failure)
        key = _contact_key(address)
        if key is None:
            return False
        view = self._cache.get(key)
        if view is None:
            try:
                view = self._table.read(key)
            except ContactsUnavailableError as error:
                return _answer_failure(error, choice)
            self._cache.put(key, view)
        return answer(view)

    def _choice(self, on_failure: OnFailure | None) -> OnFailure:
        return self._on_failure if on_failure is None else _require_on_failure(on_failure)


class _Batches:
    """The question of one `may_send_many`, asked in batches."""

    def __init__(self, table: ContactTable, cache: ViewCache, stream: str | None, choice: OnFailure) -> None:
        self._table = table
        self._cache = cache
        self._stream = stream
        self._choice: OnFailure = choice

    def find(self, address: str) -> tuple[str, bool | None]:
        """Return the key of an address, and its answer if no read is needed."""
        key = _contact_key(address)
        if key is None:
            return "", False
        view = self._cache.get(key)
        return key, None if view is None else view.permits(self._stream)

    def read(self, keys: Collection[str]) -> dict[str, bool]:
        """Return the answers for up to 100 keys, without those left unprocessed."""
        try:
            views = self._table.read_batch(keys)
        except ContactsUnavailableError as error:
            return dict.fromkeys(keys, _answer_failure(error, self._choice))
        return {key: self._answer(key, view) for key, view in views.items()}

    def give_up(self) -> bool:
        """Return the answer for a key that stays unprocessed."""
        error = ContactsUnavailableError("UnprocessedKeys", "DynamoDB throttled the table; ask again later")
        return _answer_failure(error, self._choice)

    def _answer(self, key: str, view: ContactView | None) -> bool:
        if view is None:
            return _answer_failure(unreadable(), self._choice)
        self._cache.put(key, view)
        return view.permits(self._stream)


def _contact_key(address: str) -> str | None:
    """Return the key of the contact of `address`, or None if the address is unusable."""
    require_text(address)
    try:
        return normalize_address(address)[0]
    except AddressError as error:
        _logger.warning("An address is unusable, so it may not be emailed: %s.", error)
        return None


def _require_on_failure(on_failure: OnFailure) -> OnFailure:
    if on_failure not in get_args(OnFailure):
        raise InvalidArgumentError('on_failure is "raise", "closed" (answer False) or "open" (answer True)')
    return on_failure


def _answer_failure(error: ContactsUnavailableError, choice: OnFailure) -> bool:
    """Return the chosen answer, and log why, or raise `error`."""
    if choice == "raise":
        raise error
    _logger.warning("Contacts answered %s: %s.", choice == "open", error)
    return choice == "open"
