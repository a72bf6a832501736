"""Forms: values that stand in JSON otherwise than the Avro libraries take them: dates, times, decimals and bytes."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple, cast

from assets.schema import Record, Type


class Form(NamedTuple):
    """How a value stands in JSON, where that is not how the Avro libraries take it."""

    parse: Callable[[str], Any]
    """From JSON's text."""
    show: Callable[[Any], Any]
    """To text, or to a date or datetime that orjson writes as RFC 3339."""
    taken: type
    """What the Avro libraries take."""
    native: bool = True
    """Whether we do all of it; otherwise fastavro's own logical type takes part."""


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1)
_MILLISECOND: Final = timedelta(milliseconds=1)
_MICROSECOND: Final = timedelta(microseconds=1)


def _since_epoch(unit: timedelta) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            since = datetime.fromisoformat(text) - _EPOCH
        except ValueError:
            since = datetime.fromisoformat(text.upper()) - _EPOCH  # RFC 3339 allows a small t and z as well
        # A zone may put it before the year 1 or behind 9999: what could not be shown again is an OverflowError here.
        return (_EPOCH + since - _EPOCH) // unit

    return parse


def _after_epoch(unit: timedelta) -> Callable[[int], datetime]:
    def show(value: int) -> datetime:
        return _EPOCH + value * unit

    return show


def _days(text: str) -> int:
    return (date.fromisoformat(text) - _EPOCH_DAY).days


def _day(value: int) -> date:
    return _EPOCH_DAY + timedelta(days=value)


_DECIMAL: Final = Form(Decimal, str, Decimal, native=False)
_TIME: Final = Form(time.fromisoformat, str, time, native=False)
_BYTES: Final = Form(partial(bytes, encoding="latin-1"), partial(str, encoding="latin-1"), bytes)
FORMS: Final[Mapping[tuple[str, str | None], Form]] = {
    ("long", "timestamp-millis"): Form(_since_epoch(_MILLISECOND), _after_epoch(_MILLISECOND), int),
    ("long", "timestamp-micros"): Form(_since_epoch(_MICROSECOND), _after_epoch(_MICROSECOND), int),
    ("int", "date"): Form(_days, _day, int),
    ("int", "time-millis"): _TIME,
    ("long", "time-micros"): _TIME,
    ("bytes", "decimal"): _DECIMAL,
    ("fixed", "decimal"): _DECIMAL,
    ("bytes", None): _BYTES,
    ("fixed", None): _BYTES,
}
"""Bytes are as in Avro's JSON encoding: a character each."""


class Forms:
    """The places of a type whose JSON form is not what the Avro libraries take; it visits nothing else."""

    def __init__(self, type_: Type) -> None:
        self.name = type_.name
        self.type = type_
        self.form = FORMS.get((type_.name, type_.logical))
        self.inner = [made for inner in type_.inner if (made := forms_of(inner))]
        fields = type_.fields.items() if isinstance(type_, Record) else ()
        made = [(name, forms) for name, inner in fields if (forms := forms_of(inner))]
        self.values = [(name, forms.form) for name, forms in made if forms.form is not None]
        self.fields = [(name, forms) for name, forms in made if forms.form is None]

    def parse(self, value: Any) -> Any:
        """From JSON to what the libraries take; records, arrays and maps are changed in place."""
        if self.form is not None:
            return self.form.parse(value) if isinstance(value, str) else value
        if self.name == "union":
            return self._parse_one(value)
        if isinstance(value, dict):
            record = cast("dict[str, Any]", value)
            for name, form in self.values:
                if isinstance(record.get(name), str):
                    record[name] = form.parse(record[name])
        return self._through(value, Forms.parse)

    def show(self, value: Any) -> Any:
        """The inverse of `parse`."""
        if self.form is not None:
            return None if value is None else self.form.show(value)
        if self.name == "union":
            return self._show_one(value)
        if isinstance(value, dict):
            record = cast("dict[str, Any]", value)
            for name, form in self.values:
                if record.get(name) is not None:
                    record[name] = form.show(record[name])
        return self._through(value, Forms.show)

    def _parse_one(self, value: Any) -> Any:
        """As the first branch that takes it. Text that none takes stays text."""
        for branch in self.inner:
            if branch.form is None:
                if _takes(branch.type, value):
                    return branch.parse(value)
            elif isinstance(value, str):
                try:
                    return branch.form.parse(value)
                except (ValueError, TypeError, ArithmeticError):
                    continue
        return value

    def _show_one(self, value: Any) -> Any:
        """As the branch that gave it."""
        for branch in self.inner:
            if branch.form is None:
                if _gives(branch.type, value):
                    return branch.show(value)
            elif type(value) is branch.form.taken:
                return branch.form.show(value)
        return value

    def _through(self, value: Any, convert: Callable[["Forms", Any], Any]) -> Any:
        if isinstance(value, list) and self.name == "array":
            items = cast("list[Any]", value)
            items[:] = [convert(self.inner[0], item) for item in items]
        elif isinstance(value, dict):
            record = cast("dict[str, Any]", value)
            if self.name == "map":
                record.update((key, convert(self.inner[0], item)) for key, item in record.items())
            for name, forms in self.fields:
                if name in record:
                    record[name] = convert(forms, record[name])
        return cast("Any", value)


def _takes(type_: Type, value: Any) -> bool:
    """Whether a value of a union, as published, may be of this branch; records are told apart by their fields."""
    if isinstance(type_, Record):
        if not isinstance(value, dict):
            return False
        names = cast("dict[str, Any]", value).keys()
        return names <= type_.fields.keys() and type_.fields.keys() - names <= type_.defaults.keys()
    return _gives(type_, value)


def _gives(type_: Type, value: Any) -> bool:
    """Whether a value of a union, as decoded, is of this branch: an array, a map or a record."""
    if isinstance(type_, Record):
        return isinstance(value, dict) and cast("dict[str, Any]", value).keys() == type_.fields.keys()
    return isinstance(value, list if type_.name == "array" else dict)


def forms_of(type_: Type) -> Forms | None:
    """The forms in a type, None where there are none."""
    made = Forms(type_)
    holding = [inner for inner in type_.inner if inner.name != "null"]
    if made.name == "union" and len(holding) == 1 and made.inner and made.inner[0].form is not None:
        # A nullable value: `parse` and `show` leave null alone.
        return made.inner[0]
    return made if made.form or made.inner or made.values or made.fields else None


def all_native(type_: Type) -> bool:
    """Whether no library's own logical types are needed to read and write it."""
    form = FORMS.get((type_.name, type_.logical))
    if form is not None and not form.native:
        return False
    inner = (*type_.inner, *type_.fields.values()) if isinstance(type_, Record) else type_.inner
    return all(map(all_native, inner))


def without_native(schema: Any) -> Any:
    """An Avro schema without the logical types that are handled here or mean nothing to us, but do to fastavro."""
    if isinstance(schema, list):
        return [without_native(item) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    entries = cast("dict[str, Any]", schema)
    form = FORMS.get((str(entries.get("type")), str(entries.get("logicalType"))))
    # A default is a value: what looks like a schema in it is none.
    return {
        key: value if key == "default" else without_native(value)
        for key, value in entries.items()
        if key != "logicalType" or (form is not None and not form.native)
    }
