"""Parsing input, with one error when it is invalid."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from emr_log_guard.errors import InvalidEventError

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time in RFC 3339 format with its UTC offset."""


def convert[T](value: Any, shape: type[T]) -> T:  # noqa: ANN401 - input has no type yet
    """Read a value of the given shape.

    Raises:
        InvalidEventError: It has another shape, or invalid Unicode. The message names the field.

    """
    try:
        return msgspec.convert(value, shape)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        message = f"not {shape.__name__}: {error}"
        raise InvalidEventError(message) from error


def decode[T](text: str, shape: type[T]) -> T:
    """Read JSON of the given shape.

    Raises:
        InvalidEventError: It is not JSON, has another shape, or invalid Unicode. The message names
            the field.

    """
    try:
        return msgspec.json.decode(text, type=shape)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        message = f"not {shape.__name__}: {error}"
        raise InvalidEventError(message) from error
