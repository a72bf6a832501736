"""Forms as browsers send them, typed."""

from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from publog.server.bodies import media_type, receive
from publog.server.endpoints import Call
from publog.server.limits import FORM_BYTES_MAX, FORM_FIELDS_MAX
from publog.server.problems import Problem, Unusable

FORM = "application/x-www-form-urlencoded"

T = TypeVar("T", bound=msgspec.Struct)


async def form_of(call: Call[Any], type_: type[T]) -> T:
    """The form that was sent. A field of a tuple may be there more than once.

    Raises:
        Problem: it is no such form.
    """
    media_type(call.request, (FORM,))
    with await receive(call.request) as spool:
        text = spool.read(FORM_BYTES_MAX + 1)
    if len(text) > FORM_BYTES_MAX:
        raise Problem(413, "too-large", "The form is too large", f"It has more than {FORM_BYTES_MAX:,} bytes.")
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FORM_FIELDS_MAX)
    except UnicodeDecodeError:
        raise Unusable("the form is not percent-encoded UTF-8") from None
    except ValueError:
        raise Unusable(f"the form has more than {FORM_FIELDS_MAX} fields") from None
    many = {field.name for field in msgspec.structs.fields(type_) if isinstance(field.default, tuple)}
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in many:
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    try:
        return msgspec.convert(values, type_, strict=False)
    except msgspec.ValidationError as error:
        raise Unusable(f"the form can't be used: {error}") from None
