# cython: language_level=3
"""What other compiled modules see of assets/native.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy


cdef enum:
    # In place of a reference's length: no string, but this.
    NULL_REF = -1
    OPEN = -2
    CLOSE = -3


cdef struct Ref:
    # A string in a payload; or a null in an array, an array's beginning or end.
    const uint8_t* text
    Py_ssize_t length


cdef struct Hole:
    # Where in the text it stands, and its references: one, or an array from OPEN to CLOSE.
    Py_ssize_t start
    Py_ssize_t end
    Py_ssize_t refs
    Py_ssize_t refs_end
    int path


cdef struct CutShape:
    # The first field of each run of fields and the one behind its last; and by path, the number of its hole, or -1.
    int* runs
    int runs_count
    int* kept


cdef class Node:
    cdef int op
    cdef int hole
    """The number of the reference path that ends here, -1 where none does."""
    cdef int null_branch
    """Of a nullable type: which of its two branches is null."""
    cdef Py_ssize_t size
    """Of a fixed: its bytes."""
    cdef Node inner
    """Of an array or a nullable type."""
    cdef list names
    """Of a record: its fields' names."""
    cdef list keys
    """Of a record: its fields' names as JSON, with the comma or brace before and the colon behind."""
    cdef list fields
    cdef list defaults
    """Of a record: each field's default in Avro, None where it has none."""
    cdef list symbols
    """Of an enum, as JSON."""
    cdef dict indexes
    """Of an enum."""


cdef class Buffer:
    cdef char* data
    cdef Py_ssize_t length
    cdef Py_ssize_t capacity

    cdef int room(self, Py_ssize_t more) except -1
    cdef int add_bytes(self, bytes data) except -1
    cdef bytes taken(self)


cdef inline bint all_plain(uint64_t word) noexcept nogil:
    """Whether eight bytes are all ASCII and none is a control character, a quote or a backslash."""
    cdef uint64_t ONES = 0x0101010101010101
    cdef uint64_t quotes = word ^ (ONES * 0x22)
    cdef uint64_t slashes = word ^ (ONES * 0x5C)
    cdef uint64_t found = word | (word - ONES * 0x20) | (quotes - ONES) | (slashes - ONES)
    return (found & (ONES * 0x80)) == 0


cdef inline Py_ssize_t character(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """The bytes of the UTF-8 character that begins with a byte above 0x7F; 0 if it is none."""
    cdef uint8_t first = at[0]
    cdef Py_ssize_t left = end - at
    if first < 0xC2:
        return 0
    if first < 0xE0:
        return 2 if left >= 2 and (at[1] & 0xC0) == 0x80 else 0
    if first < 0xF0:
        if left < 3 or (at[1] & 0xC0) != 0x80 or (at[2] & 0xC0) != 0x80:
            return 0
        if (first == 0xE0 and at[1] < 0xA0) or (first == 0xED and at[1] > 0x9F):
            return 0
        return 3
    if first > 0xF4 or left < 4 or (at[1] & 0xC0) != 0x80 or (at[2] & 0xC0) != 0x80 or (at[3] & 0xC0) != 0x80:
        return 0
    if (first == 0xF0 and at[1] < 0x90) or (first == 0xF4 and at[1] > 0x8F):
        return 0
    return 4


cdef inline int append(Buffer buffer, const char* data, Py_ssize_t length) except -1:
    if buffer.length + length > buffer.capacity:
        buffer.room(length)
    memcpy(buffer.data + buffer.length, data, length)
    buffer.length += length
    return 0


cdef class Cutter:
    cdef Node record
    cdef CutShape* shapes
    cdef int shapes_count
    cdef set ids
    cdef object make
    cdef Py_ssize_t bytes_max
    cdef Buffer text
    cdef Buffer piece
    cdef Py_ssize_t* ends
    """Where each of the record's fields ends in the text; first, where the first one begins."""
    cdef Hole* holes
    cdef Py_ssize_t holes_count
    cdef Py_ssize_t holes_capacity
    cdef Ref* refs
    cdef Py_ssize_t refs_count
    cdef Py_ssize_t refs_capacity
    cdef const uint8_t* at
    cdef const uint8_t* end
    cdef bint busy
    """Whether a payload is being cut: another thread may come in while `make` runs."""

    cdef object cut_alone(self, str uri, bytes value)
    cdef int take(self, const char* uri, Py_ssize_t uri_length, const uint8_t* data, Py_ssize_t length) except -1
    cdef object shaped(self, const CutShape* shape)
    cdef object value(self, Py_ssize_t at)
    cdef int hole(self, Py_ssize_t start, int path, Py_ssize_t refs) except -1
    cdef int ref(self, const uint8_t* text, Py_ssize_t length) except -1
    cdef int long(self, int64_t* value) noexcept
    cdef int counted(self, int64_t* length) noexcept
    cdef int read(self, Node node) except -1
    cdef int cut_open(self, Node node, int path) except -1
    cdef int uri(self) except -1
    cdef int items(self, Node node, bint refer) except -1


cdef int write_text(Buffer out, const uint8_t* at, Py_ssize_t length) except -1
cdef int write_number(Buffer out, int64_t value) except -1
