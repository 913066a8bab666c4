"""One way to read what arrives, and one error when it cannot be read."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from emr_log_guard.errors import InvalidEventError

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment as RFC 3339 writes it, its offset from UTC included."""


def convert[T](value: Any, shape: type[T]) -> T:  # noqa: ANN401 - what arrives has no type yet
    """Read a value of the given shape.

    Raises:
        InvalidEventError: It has another shape, or text that is none: half of a surrogate pair. The
            message names the field.

    """
    try:
        return msgspec.convert(value, shape)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        message = f"not {shape.__name__}: {error}"
        raise InvalidEventError(message) from error


def decode[T](text: str, shape: type[T]) -> T:
    """Read JSON of the given shape.

    Raises:
        InvalidEventError: It is no JSON, has another shape, or text that is none: half of a
            surrogate pair. The message names the field.

    """
    try:
        return msgspec.json.decode(text, type=shape)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        message = f"not {shape.__name__}: {error}"
        raise InvalidEventError(message) from error
