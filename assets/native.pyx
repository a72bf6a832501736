# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Payloads in one pass: Avro to JSON text that is already cut open, and a message's data to Avro. Compiled, and optional.

It does the plain cases only and answers None to everything else - a type it does not have, a malformed payload, data
that does not fit. Then the way through the Avro libraries is taken (codec.py), from which every error comes. So what
this gives is what that gives; the tests hold each against the other, and publog runs without it, slower.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem, PyDict_Size
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.list cimport PyList_GET_SIZE
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_CheckExact, PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

import orjson

cdef enum:
    # Bytes of the Confluent wire format before the record: magic 0 and the schema id.
    HEADER = 5
    # 0001-01-01 and 9999-12-31, in days since 1970-01-01.
    FIRST_DAY = -719162
    LAST_DAY = 2932896

cdef enum Op:
    NOTHING
    BOOLEAN
    INT
    LONG
    FLOAT
    DOUBLE
    STRING
    BYTES
    FIXED
    ENUM
    DATE
    MILLIS
    MICROS
    ARRAY
    RECORD
    NULLABLE

_OPS = {
    ("null", None): NOTHING,
    ("boolean", None): BOOLEAN,
    ("int", None): INT,
    ("long", None): LONG,
    ("float", None): FLOAT,
    ("double", None): DOUBLE,
    ("string", None): STRING,
    ("bytes", None): BYTES,
    ("fixed", None): FIXED,
    ("enum", None): ENUM,
    ("int", "date"): DATE,
    ("long", "timestamp-millis"): MILLIS,
    ("long", "timestamp-micros"): MICROS,
}
_NO_FORM = {"time-millis", "time-micros", "decimal"}


class _Unsupported(Exception):
    """A type that is left to the libraries."""


# ------------------------------------------------------------------------------------------------------------- schemas


cdef class Node:
    """A type of a schema."""


cdef Node _node(type_, str path, dict holes, bint top):
    """The node of a type; `holes` are the numbers of reference paths, `path` is the one that led here."""
    cdef Node node = Node()
    node.hole = -1
    name = type_.name
    if name == "union":
        branches = type_.inner
        names = [branch.name for branch in branches]
        if len(branches) != 2 or names.count("null") != 1:
            raise _Unsupported(path)
        node.op = NULLABLE
        node.null_branch = names.index("null")
        node.inner = _node(branches[1 - node.null_branch], path, holes, False)
        if node.inner.op == NULLABLE:
            raise _Unsupported(path)
    elif name == "array":
        node.op = ARRAY
        node.inner = _node(type_.inner[0], path, holes, False)
        if node.inner.hole >= 0:
            # The hole is where the array stands, not where its items do.
            if node.inner.op == ARRAY or (node.inner.op == NULLABLE and node.inner.inner.op == ARRAY):
                raise _Unsupported(path)
            node.hole = node.inner.hole
            node.inner.hole = -1
    elif name == "record":
        node.op = RECORD
        node.names, node.keys, node.fields, node.defaults = [], [], [], []
        for number, (field, inner) in enumerate(type_.fields.items()):
            below = _node(inner, f"{path}.{field}" if path else field, holes, False)
            node.names.append(field)
            node.keys.append((b"," if number or top else b"{") + orjson.dumps(field) + b":")
            node.fields.append(below)
            node.defaults.append(_default(below, type_.defaults[field]) if field in type_.defaults else None)
    else:
        logical = type_.logical
        if logical in _NO_FORM:
            raise _Unsupported(path)
        found = _OPS.get((name, logical), _OPS.get((name, None)))
        if found is None:
            raise _Unsupported(path)
        node.op = found
        node.size = type_.size
        if name == "enum":
            node.symbols = [orjson.dumps(symbol) for symbol in type_.symbols]
            node.indexes = {symbol: number for number, symbol in enumerate(type_.symbols)}
        if type_.kinds:
            node.hole = holes.get(path, -1)
    if node.op == NULLABLE and node.inner.hole >= 0:
        node.hole = node.inner.hole
        node.inner.hole = -1
    return node


cdef bytes _default(Node node, value):
    cdef Buffer out = Buffer()
    if _put(node, value, out, True):
        raise _Unsupported(repr(value))
    return out.taken()


# -------------------------------------------------------------------------------------------------------------- buffers


cdef class Buffer:
    """Bytes that grow."""

    def __cinit__(self):
        self.capacity = 4096
        self.data = <char*>PyMem_Malloc(self.capacity)
        if self.data == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.data)

    cdef int room(self, Py_ssize_t more) except -1:
        """Make room for so many more bytes."""
        cdef Py_ssize_t needed = self.length + more
        cdef char* data
        if needed > self.capacity:
            needed *= 2
            data = <char*>PyMem_Realloc(self.data, needed)
            if data == NULL:
                raise MemoryError
            self.data = data
            self.capacity = needed
        return 0

    cdef int add_bytes(self, bytes data) except -1:
        return append(self, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))

    cdef bytes taken(self):
        """What is in it; it is empty then."""
        cdef Py_ssize_t length = self.length
        self.length = 0
        return PyBytes_FromStringAndSize(self.data, length)


# ---------------------------------------------------------------------------------------------------- JSON text, written


cdef uint8_t[256] _PLAIN
"""1 for the bytes that stand in JSON text as they are, 0 for those to escape, 2 for the start of a longer character."""
cdef int _byte
for _byte in range(256):
    _PLAIN[_byte] = 2 if _byte >= 0x80 else 0 if _byte < 0x20 or _byte in (0x22, 0x5C) else 1

cdef const char* _HEX = b"0123456789abcdef"

cdef inline char* _escaped(char* to, uint8_t byte) noexcept nogil:
    to[0] = c"\\"
    if byte == 0x22 or byte == 0x5C:
        to[1] = byte
    elif byte == 0x08:
        to[1] = c"b"
    elif byte == 0x09:
        to[1] = c"t"
    elif byte == 0x0A:
        to[1] = c"n"
    elif byte == 0x0C:
        to[1] = c"f"
    elif byte == 0x0D:
        to[1] = c"r"
    else:
        to[1], to[2], to[3] = c"u", c"0", c"0"
        to[4] = _HEX[byte >> 4]
        to[5] = _HEX[byte & 15]
        return to + 6
    return to + 2


cdef int write_text(Buffer out, const uint8_t* at, Py_ssize_t length) except -1:
    """A string, in quotes; 1 if it is no UTF-8."""
    cdef const uint8_t* end = at + length
    cdef const uint8_t* begun = at
    cdef char* to
    cdef uint64_t word
    cdef Py_ssize_t bytes_
    cdef uint8_t what
    out.room(6 * length + 2)
    to = out.data + out.length
    to[0] = c'"'
    to += 1
    while at < end:
        if end - at >= 8:
            memcpy(&word, at, 8)
            if all_plain(word):
                at += 8
                continue
        what = _PLAIN[at[0]]
        if what == 1:
            at += 1
        elif what == 2:
            bytes_ = character(at, end)
            if bytes_ == 0:
                return 1
            at += bytes_
        else:
            memcpy(to, begun, at - begun)
            to = _escaped(to + (at - begun), at[0])
            at += 1
            begun = at
    memcpy(to, begun, at - begun)
    to += at - begun
    to[0] = c'"'
    out.length = to + 1 - out.data
    return 0


cdef int _latin(Buffer out, const uint8_t* at, Py_ssize_t length) except -1:
    """Bytes, a character each, in quotes."""
    cdef const uint8_t* end = at + length
    cdef char* to
    out.room(6 * length + 2)
    to = out.data + out.length
    to[0] = c'"'
    to += 1
    while at < end:
        if _PLAIN[at[0]] == 1:
            to[0] = at[0]
            to += 1
        elif at[0] >= 0x80:
            to[0] = 0xC0 | (at[0] >> 6)
            to[1] = 0x80 | (at[0] & 0x3F)
            to += 2
        else:
            to = _escaped(to, at[0])
        at += 1
    to[0] = c'"'
    out.length = to + 1 - out.data
    return 0


cdef int write_number(Buffer out, int64_t value) except -1:
    cdef char[20] digits
    cdef int count = 0
    cdef uint64_t left = <uint64_t>value
    cdef char* to
    out.room(20)
    to = out.data + out.length
    if value < 0:
        to[0] = c"-"
        to += 1
        left = 0 - left
    while True:
        digits[count] = c"0" + <char>(left % 10)
        left //= 10
        count += 1
        if left == 0:
            break
    while count:
        count -= 1
        to[0] = digits[count]
        to += 1
    out.length = to - out.data
    return 0


cdef inline char* _padded(char* to, int64_t value, int digits) noexcept nogil:
    cdef int at = digits
    while at:
        at -= 1
        to[at] = c"0" + <char>(value % 10)
        value //= 10
    return to + digits


cdef inline int64_t _floor(int64_t value, int64_t by) noexcept nogil:
    cdef int64_t quotient = value // by
    return quotient - 1 if value % by < 0 else quotient


cdef inline char* _day(char* to, int64_t day) noexcept nogil:
    """Howard Hinnant's civil_from_days (chrono-compatible low-level date algorithms)."""
    cdef int64_t shifted = day + 719468
    cdef int64_t era = _floor(shifted, 146097)
    cdef int64_t of_era = shifted - era * 146097
    cdef int64_t year_of_era = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    cdef int64_t of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    cdef int64_t shifted_month = (5 * of_year + 2) // 153
    cdef int64_t month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    to = _padded(to, year_of_era + era * 400 + (1 if month <= 2 else 0), 4)
    to[0] = c"-"
    to = _padded(to + 1, month, 2)
    to[0] = c"-"
    return _padded(to + 1, of_year - (153 * shifted_month + 2) // 5 + 1, 2)


cdef int _date(Buffer out, int64_t day) except -1:
    """1 if it is not within the years 1 to 9999."""
    cdef char* to
    if day < FIRST_DAY or day > LAST_DAY:
        return 1
    out.room(12)
    to = out.data + out.length
    to[0] = c'"'
    to = _day(to + 1, day)
    to[0] = c'"'
    out.length = to + 1 - out.data
    return 0


cdef int _time(Buffer out, int64_t value, int64_t per_second) except -1:
    """A point in time as RFC 3339 in UTC; 1 if it is not within the years 1 to 9999."""
    cdef int64_t second = _floor(value, per_second)
    cdef int64_t micros = (value - second * per_second) * (1000000 // per_second)
    cdef int64_t day = _floor(second, 86400)
    cdef int64_t of_day = second - day * 86400
    cdef char* to
    if day < FIRST_DAY or day > LAST_DAY:
        return 1
    out.room(30)
    to = out.data + out.length
    to[0] = c'"'
    to = _day(to + 1, day)
    to[0] = c"T"
    to = _padded(to + 1, of_day // 3600, 2)
    to[0] = c":"
    to = _padded(to + 1, of_day // 60 % 60, 2)
    to[0] = c":"
    to = _padded(to + 1, of_day % 60, 2)
    if micros:
        to[0] = c"."
        to = _padded(to + 1, micros, 6)
    to[0] = c"Z"
    to[1] = c'"'
    out.length = to + 2 - out.data
    return 0


# ------------------------------------------------------------------------------------------------------------ Avro, read


cdef int* _ints(list values) except NULL:
    """In memory of their own, at least one long."""
    cdef int* found = <int*>PyMem_Malloc((len(values) + 1) * sizeof(int))
    if found == NULL:
        raise MemoryError
    for number, value in enumerate(values):
        found[<Py_ssize_t>number] = value
    return found


cdef class Cutter:
    """A kind's payloads as JSON text in each of some shapes, cut open at references."""

    def __cinit__(self):
        self.holes_capacity = self.refs_capacity = 64
        self.holes = <Hole*>PyMem_Malloc(self.holes_capacity * sizeof(Hole))
        self.refs = <Ref*>PyMem_Malloc(self.refs_capacity * sizeof(Ref))
        self.ends = <Py_ssize_t*>PyMem_Malloc(sizeof(Py_ssize_t))
        if self.holes == NULL or self.refs == NULL or self.ends == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef int number
        PyMem_Free(self.holes)
        PyMem_Free(self.refs)
        PyMem_Free(self.ends)
        for number in range(self.shapes_count):
            PyMem_Free(self.shapes[number].runs)
            PyMem_Free(self.shapes[number].kept)
        PyMem_Free(self.shapes)

    def __init__(self, record, shapes, ids, make, bytes_max):
        cdef CutShape* shape
        paths = list(dict.fromkeys(path for _, holes in shapes for path in holes))
        names = list(record.fields)
        self.record = _node(record, "", {path: number for number, path in enumerate(paths)}, True)
        self.shapes = <CutShape*>PyMem_Calloc(len(shapes), sizeof(CutShape))
        if self.shapes == NULL:
            raise MemoryError
        for fields, holes in shapes:
            runs = []
            for number in (names.index(name) for name in fields):
                if runs and runs[len(runs) - 1] == number:
                    runs[len(runs) - 1] = number + 1
                else:
                    runs += [number, number + 1]
            shape = &self.shapes[self.shapes_count]
            shape.runs = _ints(runs)
            shape.runs_count = len(runs) // 2
            shape.kept = _ints([holes.index(path) if path in holes else -1 for path in paths])
            self.shapes_count += 1
        self.ids = set(ids)
        self.make = make
        self.bytes_max = bytes_max
        self.text = Buffer()
        self.piece = Buffer()
        ends = <Py_ssize_t*>PyMem_Realloc(self.ends, (len(names) + 1) * sizeof(Py_ssize_t))
        if ends == NULL:
            raise MemoryError
        self.ends = ends

    def __call__(self, str uri, bytes value):
        """The payload of an asset in each shape; None where the libraries are to be asked."""
        if self.busy:
            return None
        self.busy = True
        try:
            return self.cut_alone(uri, value)
        finally:
            self.busy = False

    cdef object cut_alone(self, str uri, bytes value):
        cdef Py_ssize_t length = 0
        cdef const char* name = PyUnicode_AsUTF8AndSize(uri, &length)
        cdef int number
        if self.take(name, length, <const uint8_t*>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)):
            return None
        return [self.shaped(&self.shapes[number]) for number in range(self.shapes_count)]

    cdef int take(self, const char* uri, Py_ssize_t uri_length, const uint8_t* data, Py_ssize_t length) except -1:
        """Bring a payload to text, with its holes; 1 where the libraries are to be asked. `refs` point into `data`."""
        cdef Py_ssize_t number, fields = PyList_GET_SIZE(self.record.fields)
        cdef uint32_t id_
        if length < HEADER or length > self.bytes_max or data[0] != 0:
            return 1
        id_ = (<uint32_t>data[1] << 24) | (<uint32_t>data[2] << 16) | (<uint32_t>data[3] << 8) | data[4]
        if id_ not in self.ids:
            return 1
        self.at = data + HEADER
        self.end = data + length
        self.text.length = 0
        self.holes_count = self.refs_count = 0
        append(self.text, b'{"uri":"', 8)
        append(self.text, uri, uri_length)
        append(self.text, b'"', 1)
        self.ends[0] = self.text.length
        for number in range(fields):
            self.text.add_bytes(<bytes>self.record.keys[number])
            if self.read(<Node>self.record.fields[number]):
                return 1
            self.ends[number + 1] = self.text.length
        return self.at != self.end

    cdef object shaped(self, const CutShape* shape):
        cdef Buffer piece = self.piece
        cdef Py_ssize_t at, end, hole = 0
        cdef int place, run
        cdef list pieces = None
        cdef list filled = None
        piece.length = 0
        append(piece, self.text.data, self.ends[0])
        for run in range(shape.runs_count):
            at = self.ends[shape.runs[2 * run]]
            end = self.ends[shape.runs[2 * run + 1]]
            while hole < self.holes_count and self.holes[hole].start < at:
                hole += 1
            while hole < self.holes_count and self.holes[hole].start < end:
                place = shape.kept[self.holes[hole].path]
                if place >= 0:
                    if pieces is None:
                        pieces, filled = [], []
                    append(piece, self.text.data + at, self.holes[hole].start - at)
                    pieces.append(piece.taken())
                    filled.append((place, self.value(self.holes[hole].refs)))
                    at = self.holes[hole].end
                hole += 1
            append(piece, self.text.data + at, end - at)
        append(piece, b"}", 1)
        if pieces is None:
            return piece.taken()
        pieces.append(piece.taken())
        return self.make(pieces, filled)

    cdef object value(self, Py_ssize_t at):
        """What stands in a hole: a string, or the list of strings and nulls that begins there."""
        cdef list items
        if self.refs[at].length != OPEN:
            return PyUnicode_DecodeUTF8(<const char*>self.refs[at].text, self.refs[at].length, NULL)
        items = []
        at += 1
        while self.refs[at].length != CLOSE:
            items.append(None if self.refs[at].length == NULL_REF else self.value(at))
            at += 1
        return items

    cdef int hole(self, Py_ssize_t start, int path, Py_ssize_t refs) except -1:
        cdef Hole* holes
        if self.holes_count == self.holes_capacity:
            holes = <Hole*>PyMem_Realloc(self.holes, 2 * self.holes_capacity * sizeof(Hole))
            if holes == NULL:
                raise MemoryError
            self.holes = holes
            self.holes_capacity *= 2
        self.holes[self.holes_count] = Hole(start, self.text.length, refs, self.refs_count, path)
        self.holes_count += 1
        return 0

    cdef int ref(self, const uint8_t* text, Py_ssize_t length) except -1:
        cdef Ref* refs
        if self.refs_count == self.refs_capacity:
            refs = <Ref*>PyMem_Realloc(self.refs, 2 * self.refs_capacity * sizeof(Ref))
            if refs == NULL:
                raise MemoryError
            self.refs = refs
            self.refs_capacity *= 2
        self.refs[self.refs_count] = Ref(text, length)
        self.refs_count += 1
        return 0

    cdef int long(self, int64_t* value) noexcept:
        """1 if there is none."""
        cdef uint64_t found = 0
        cdef int shift = 0
        cdef uint8_t byte
        while self.at < self.end:
            byte = self.at[0]
            self.at += 1
            if shift == 63 and byte > 1:
                return 1
            found |= <uint64_t>(byte & 0x7F) << shift
            if byte < 0x80:
                value[0] = <int64_t>((found >> 1) ^ (0 - (found & 1)))
                return 0
            shift += 7
        return 1

    cdef int counted(self, int64_t* length) noexcept:
        """A length and that many bytes behind it; 1 if there are fewer."""
        return self.long(length) or length[0] < 0 or length[0] > self.end - self.at

    cdef int read(self, Node node) except -1:
        """One value into the text; 1 if it is malformed."""
        cdef Buffer out = self.text
        cdef int op = node.op
        cdef int64_t value = 0
        cdef double real
        cdef float single
        cdef Py_ssize_t number, start
        if op == NULLABLE:
            if self.long(&value) or value < 0 or value > 1:
                return 1
            if value == node.null_branch:
                append(out, b"null", 4)
                return 0
            if node.hole < 0:
                return self.read(node.inner)
            return self.cut_open(node.inner, node.hole)
        if node.hole >= 0:
            return self.cut_open(node, node.hole)
        if op == STRING:
            if self.counted(&value) or write_text(out, self.at, value):
                return 1
            self.at += value
        elif op == INT:
            if self.long(&value) or value < -2147483648 or value > 2147483647:
                return 1
            write_number(out, value)
        elif op == LONG:
            if self.long(&value):
                return 1
            write_number(out, value)
        elif op == MILLIS:
            return self.long(&value) or _time(out, value, 1000)
        elif op == MICROS:
            return self.long(&value) or _time(out, value, 1000000)
        elif op == DATE:
            if self.long(&value) or value < -2147483648 or value > 2147483647:
                return 1
            return _date(out, value)
        elif op == BOOLEAN:
            if self.at == self.end or self.at[0] > 1:
                return 1
            if self.at[0]:
                append(out, b"true", 4)
            else:
                append(out, b"false", 5)
            self.at += 1
        elif op == ENUM:
            if self.long(&value) or value < 0 or value >= PyList_GET_SIZE(node.symbols):
                return 1
            out.add_bytes(<bytes>node.symbols[value])
        elif op == DOUBLE:
            if self.end - self.at < 8:
                return 1
            memcpy(&real, self.at, 8)
            self.at += 8
            out.add_bytes(<bytes>orjson.dumps(real))
        elif op == FLOAT:
            if self.end - self.at < 4:
                return 1
            memcpy(&single, self.at, 4)
            self.at += 4
            out.add_bytes(<bytes>orjson.dumps(<double>single))
        elif op == BYTES:
            if self.counted(&value):
                return 1
            _latin(out, self.at, value)
            self.at += value
        elif op == FIXED:
            if self.end - self.at < node.size:
                return 1
            _latin(out, self.at, node.size)
            self.at += node.size
        elif op == RECORD:
            for number in range(PyList_GET_SIZE(node.fields)):
                out.add_bytes(<bytes>node.keys[number])
                if self.read(<Node>node.fields[number]):
                    return 1
            append(out, b"}" if PyList_GET_SIZE(node.fields) else b"{}", 1 if PyList_GET_SIZE(node.fields) else 2)
        elif op == ARRAY:
            return self.items(node, False)
        elif op == NOTHING:
            append(out, b"null", 4)
        return 0

    cdef int cut_open(self, Node node, int path) except -1:
        """A reference or an array of them: into the text, and among the holes."""
        cdef Py_ssize_t start = self.text.length, refs = self.refs_count
        if node.op == STRING:
            if self.uri():
                return 1
            return self.hole(start, path, refs)
        self.ref(NULL, OPEN)
        if self.items(node, True):
            return 1
        if self.refs_count == refs + 1:
            self.refs_count = refs
            return 0
        self.ref(NULL, CLOSE)
        return self.hole(start, path, refs)

    cdef int uri(self) except -1:
        """A string, into the text and among the references; 1 if there is none."""
        cdef int64_t length = 0
        if self.counted(&length) or write_text(self.text, self.at, length):
            return 1
        self.ref(self.at, length)
        self.at += length
        return 0

    cdef int items(self, Node node, bint refer) except -1:
        """An array, in its blocks; `refer`: of references, to be kept."""
        cdef Buffer out = self.text
        cdef Node inner = node.inner
        cdef Node item
        cdef int64_t count = 0, size = 0, branch = 0
        cdef bint first = True
        append(out, b"[", 1)
        while True:
            if self.long(&count):
                return 1
            if count == 0:
                break
            if count < 0:
                if count == -9223372036854775808 or self.long(&size):
                    return 1
                count = -count
            while count:
                count -= 1
                if not first:
                    append(out, b",", 1)
                first = False
                if not refer:
                    if self.read(inner):
                        return 1
                    continue
                if inner.op == NULLABLE:
                    if self.long(&branch) or branch < 0 or branch > 1:
                        return 1
                    if branch == inner.null_branch:
                        append(out, b"null", 4)
                        self.ref(NULL, NULL_REF)
                        continue
                if self.uri():
                    return 1
        append(out, b"]", 1)
        return 0


# --------------------------------------------------------------------------------------------------------- Avro, written


cdef class Encoder:
    """A kind's data to Avro."""

    cdef Node record
    cdef Buffer out

    def __init__(self, record):
        self.record = _node(record, "", {}, False)
        self.out = Buffer()

    def encode(self, bytes header, dict data):
        """The record behind a header; None where the libraries are to be asked. `data` stays as it is."""
        self.out.length = 0
        self.out.add_bytes(header)
        if _put(self.record, data, self.out, False):
            return None
        return self.out.taken()


cdef int _put_long(Buffer out, int64_t value) except -1:
    cdef uint64_t left = (<uint64_t>value << 1) ^ <uint64_t>(value >> 63)
    cdef char* to
    out.room(10)
    to = out.data + out.length
    while left > 0x7F:
        to[0] = <char>((left & 0x7F) | 0x80)
        to += 1
        left >>= 7
    to[0] = <char>left
    out.length = to + 1 - out.data
    return 0


cdef inline int _whole(value, int64_t* number) except -1:
    """1 if it is no whole number of 64 bits."""
    cdef int overflow = 0
    if not PyLong_CheckExact(value):
        return 1
    number[0] = PyLong_AsLongLongAndOverflow(value, &overflow)
    return overflow != 0


cdef int _put(Node node, value, Buffer out, bint decoded) except -1:
    """One value; 1 if it does not fit. `decoded`: as the libraries give it, not as JSON has it."""
    cdef int op = node.op
    cdef int64_t number = 0
    cdef Py_ssize_t length = 0, at
    cdef const char* text
    cdef double real
    cdef float single
    cdef PyObject* found
    cdef dict fields
    if op == NULLABLE:
        if value is None:
            return _put_long(out, node.null_branch)
        _put_long(out, 1 - node.null_branch)
        return _put(node.inner, value, out, decoded)
    if op == STRING:
        if not PyUnicode_CheckExact(value):
            return 1
        try:
            text = PyUnicode_AsUTF8AndSize(value, &length)
        except UnicodeEncodeError:
            return 1
        _put_long(out, length)
        append(out, text, length)
    elif op == INT:
        if _whole(value, &number) or number < -2147483648 or number > 2147483647:
            return 1
        _put_long(out, number)
    elif op == LONG:
        if _whole(value, &number):
            return 1
        _put_long(out, number)
    elif op == MILLIS or op == MICROS:
        if decoded:
            if _whole(value, &number):
                return 1
        elif not PyUnicode_CheckExact(value) or _parse_time(value, 1000 if op == MILLIS else 1000000, &number):
            return 1
        _put_long(out, number)
    elif op == DATE:
        if decoded:
            if _whole(value, &number):
                return 1
        elif not PyUnicode_CheckExact(value) or _parse_date(value, &number):
            return 1
        _put_long(out, number)
    elif op == BOOLEAN:
        if value is True:
            append(out, b"\1", 1)
        elif value is False:
            append(out, b"\0", 1)
        else:
            return 1
    elif op == ENUM:
        index = node.indexes.get(value) if PyUnicode_CheckExact(value) else None
        if index is None:
            return 1
        _put_long(out, index)
    elif op == DOUBLE:
        if not PyFloat_CheckExact(value):
            return 1
        real = PyFloat_AS_DOUBLE(value)
        append(out, <const char*>&real, 8)
    elif op == FLOAT:
        if not PyFloat_CheckExact(value):
            return 1
        real = PyFloat_AS_DOUBLE(value)
        if not -3.4e38 < real < 3.4e38:
            return 1
        single = <float>real
        append(out, <const char*>&single, 4)
    elif op == ARRAY:
        if type(value) is not list:
            return 1
        length = PyList_GET_SIZE(<list>value)
        if length:
            _put_long(out, length)
            for at in range(length):
                if _put(node.inner, (<list>value)[at], out, decoded):
                    return 1
        append(out, b"\0", 1)
    elif op == RECORD:
        if type(value) is not dict:
            return 1
        fields = <dict>value
        length = 0
        for at in range(PyList_GET_SIZE(node.names)):
            found = PyDict_GetItem(fields, node.names[at])
            if found != NULL:
                length += 1
                if _put(<Node>node.fields[at], <object>found, out, decoded):
                    return 1
            elif node.defaults[at] is None:
                return 1
            else:
                out.add_bytes(<bytes>node.defaults[at])
        # A field that the schema does not have.
        return length != PyDict_Size(fields)
    elif op == NOTHING:
        return value is not None
    elif op == BYTES or op == FIXED:
        if not decoded:
            if not PyUnicode_CheckExact(value):
                return 1
            try:
                value = (<str>value).encode("latin-1")
            except UnicodeEncodeError:
                return 1
        if type(value) is not bytes:
            return 1
        length = PyBytes_GET_SIZE(value)
        if op == BYTES:
            _put_long(out, length)
        elif length != node.size:
            return 1
        out.add_bytes(<bytes>value)
    return 0


cdef inline int _digits(const char* text, int count) noexcept nogil:
    """A number of so many digits, -1 if it is none."""
    cdef int value = 0, at
    for at in range(count):
        if text[at] < c"0" or text[at] > c"9":
            return -1
        value = value * 10 + (text[at] - c"0")
    return value


cdef int _date_at(const char* text, int64_t* day) noexcept nogil:
    """YYYY-MM-DD as days since 1970-01-01; 1 if it is none. The inverse of `_day`."""
    cdef int64_t year = _digits(text, 4)
    cdef int month = _digits(text + 5, 2)
    cdef int of_month = _digits(text + 8, 2)
    cdef int last = 31
    cdef int64_t era, of_era
    if text[4] != c"-" or text[7] != c"-" or year < 1 or month < 1 or month > 12 or of_month < 1:
        return 1
    if month == 2:
        last = 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    elif month == 4 or month == 6 or month == 9 or month == 11:
        last = 30
    if of_month > last:
        return 1
    if month <= 2:
        year -= 1
    era = year // 400
    of_era = (year - era * 400) * 365 + (year - era * 400) // 4 - (year - era * 400) // 100
    of_era += (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + of_month - 1
    day[0] = era * 146097 + of_era - 719468
    return 0


cdef int _parse_date(str value, int64_t* day) except -1:
    cdef Py_ssize_t length = 0
    cdef const char* text
    try:
        text = PyUnicode_AsUTF8AndSize(value, &length)
    except UnicodeEncodeError:
        return 1
    return length != 10 or _date_at(text, day)


cdef int _parse_time(str value, int64_t per_second, int64_t* number) except -1:
    """The common form alone: YYYY-MM-DDTHH:MM:SS[.fraction]Z, at most six digits of fraction."""
    cdef Py_ssize_t length = 0, at
    cdef const char* text
    cdef int64_t day = 0, micros = 0, unit = 1000000
    cdef int hour, minute, second
    try:
        text = PyUnicode_AsUTF8AndSize(value, &length)
    except UnicodeEncodeError:
        return 1
    if length < 20 or length > 27 or text[length - 1] != c"Z" or text[10] != c"T" or text[13] != c":" or text[16] != c":":
        return 1
    if _date_at(text, &day):
        return 1
    hour, minute, second = _digits(text + 11, 2), _digits(text + 14, 2), _digits(text + 17, 2)
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return 1
    if length > 20:
        if text[19] != c"." or length == 21:
            return 1
        for at in range(20, length - 1):
            if text[at] < c"0" or text[at] > c"9":
                return 1
            unit //= 10
            micros += unit * (text[at] - c"0")
    number[0] = (day * 86400 + hour * 3600 + minute * 60 + second) * per_second + micros // (1000000 // per_second)
    return 0


def cutter(record, shapes, ids, make, bytes_max):
    """How to cut a record's payloads, None where the libraries are to be asked each time.

    Args:
        record: The schema (`assets.schema.Record`).
        shapes: Of each: the names of its fields, in the schema's order, and the dotted paths of its holes.
        ids: Of the schemas that this record is.
        make: What to make of the pieces and the holes of a shape.
        bytes_max: Of a payload.
    """
    try:
        return Cutter(record, shapes, ids, make, bytes_max)
    except _Unsupported:
        return None


def encoder(record):
    """How to write a record's data, None where the libraries are to be asked each time."""
    try:
        return Encoder(record).encode
    except _Unsupported:
        return None
