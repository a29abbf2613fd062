"""All items of a DynamoDB query or scan, a page at a time."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ses_feedback.contacts.record import Item


def read_pages(call: Callable[..., Mapping[str, Any]], **request: Any) -> Iterator[Item]:  # noqa: ANN401 (its fields)
    """Yield the items that `call` returns for `request`. A page is read when its first item is needed.

    Raises:
        AWS_ERRORS: DynamoDB did not answer.

    """
    while True:
        page = call(**request)
        yield from page["Items"]
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
        if "LastEvaluatedKey" not in page:
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
