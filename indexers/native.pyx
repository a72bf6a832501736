# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Reads the searchable values of a content out of its JSON text, in one pass and without making objects of the rest. Compiled.

What it finds is what `documents.Documents` finds in the parsed content. Where it meets what is no JSON, or too deep, it
gives None, and the content is parsed: so it has no errors of its own.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_SIZE
from cpython.unicode cimport (
    PyUnicode_DATA,
    PyUnicode_DecodeASCII,
    PyUnicode_DecodeUTF8,
    PyUnicode_GET_LENGTH,
    PyUnicode_KIND,
    PyUnicode_READ,
)
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy

import orjson

from assets.native cimport all_plain, character

cdef struct Entry:
    Py_ssize_t begin
    Py_ssize_t length
    uint32_t digest

cdef enum:
    DEPTH_MAX = 200
    DIGITS_MAX = 18


cdef class Node:
    """A place in contents: what is wanted of a plain value there, and the places below it."""

    cdef list plain
    """The numbers of the paths that want it."""
    cdef list parts
    """(the number of a path that wants a part of a time, the part)."""
    cdef list keys
    cdef list children
    cdef Node other
    """Below any other key; None where nothing is wanted there."""

    def __init__(self, plain, parts):
        self.plain, self.parts, self.keys, self.children, self.other = plain, parts, [], [], None

    def add(self, bytes key, Node child):
        self.keys.append(key)
        self.children.append(child)

    def set_other(self, Node child):
        self.other = child


def arrange(list found, tuple text_paths, tuple facet_paths, set ordered, number_of, Py_ssize_t characters_max):
    """The text, facets and numbers of a document, of the values at its text paths and then at its facet paths."""
    cdef dict text = {}, facets = {}, numbers = {}
    cdef list values, kept
    cdef Py_ssize_t at = 0
    for path in text_paths:
        values = found[at]
        at += 1
        if PyList_GET_SIZE(values):
            kept = [value for value in values if type(value) is str and value]
            if kept:
                text[path] = kept
    for path in facet_paths:
        values = found[at]
        at += 1
        if path in ordered:
            numbers[path] = kept = []
            for value in values:
                number = number_of(value)
                if number is not None:
                    kept.append(number)
        if PyList_GET_SIZE(values):
            kept = [value if type(value) is str else orjson.dumps(value).decode() for value in values]
            if PyList_GET_SIZE(kept) > 1:
                kept = list(dict.fromkeys(kept))
            facets[path] = [value for value in kept if len(value) <= characters_max]
    return text, facets, numbers


cdef class Scanner:
    """Not for two threads at a time: it says None to the second."""

    cdef Node root
    cdef Py_ssize_t paths
    cdef object part_of
    cdef const uint8_t* at
    cdef const uint8_t* end
    cdef list found
    cdef bint busy

    def __init__(self, Node root, Py_ssize_t paths, part_of):
        self.root, self.paths, self.part_of = root, paths, part_of

    def scan(self, bytes content):
        """The values at each path, in the content's order; None where the content is to be parsed."""
        cdef Py_ssize_t number
        cdef list found
        if self.busy:
            return None
        self.busy = True
        try:
            self.found = found = [[] for number in range(self.paths)]
            self.at = <const uint8_t*>PyBytes_AS_STRING(content)
            self.end = self.at + PyBytes_GET_SIZE(content)
            if self.at == self.end or self.at[0] != c"{" or self.value(self.root, 0) or self.at != self.end:
                return None
            return found
        finally:
            self.found = None
            self.busy = False

    cdef int value(self, Node node, int depth) except -1:
        """One value; 1 where it is none. `node` is None where nothing is wanted of it."""
        cdef const uint8_t* begun = self.at
        cdef uint8_t first
        if self.at == self.end or depth > DEPTH_MAX:
            return 1
        first = self.at[0]
        if first == c'"':
            return self.text(node)
        if first == c"{":
            return self.record(node, depth)
        if first == c"[":
            return self.array(node, depth)
        if first == c"t":
            return self.word(b"true", 4) or self.give(node, True)
        if first == c"f":
            return self.word(b"false", 5) or self.give(node, False)
        if first == c"n":
            return self.word(b"null", 4)
        return self.number(node)

    cdef int give(self, Node node, value) except -1:
        if node is not None:
            for number in node.plain:
                (<list>self.found[<Py_ssize_t>number]).append(value)
        return 0

    cdef int word(self, const char* word, Py_ssize_t length) noexcept:
        if self.end - self.at < length or memcmp(self.at, word, length) != 0:
            return 1
        self.at += length
        return 0

    cdef int number(self, Node node) except -1:
        cdef const uint8_t* begun = self.at
        cdef const uint8_t* digits
        cdef long long value = 0
        cdef bint whole = True
        if self.at[0] == c"-":
            self.at += 1
        digits = self.at
        while self.at < self.end and c"0" <= self.at[0] <= c"9":
            value = value * 10 + (self.at[0] - c"0") if self.at - digits < DIGITS_MAX else 0
            self.at += 1
        if self.at == digits or (digits[0] == c"0" and self.at - digits > 1):
            return 1
        if self.at < self.end and (self.at[0] == c"." or self.at[0] == c"e" or self.at[0] == c"E"):
            whole = False
            while self.at < self.end and (
                c"0" <= self.at[0] <= c"9" or self.at[0] == c"." or self.at[0] == c"e" or self.at[0] == c"E"
                or self.at[0] == c"+" or self.at[0] == c"-"
            ):
                self.at += 1
        if whole and self.at - digits <= DIGITS_MAX:
            if node is not None and node.plain:
                self.give(node, -value if begun != digits else value)
            return 0
        # Seldom, and its grammar has many corners.
        try:
            found = orjson.loads(PyBytes_FromStringAndSize(<const char*>begun, self.at - begun))
        except orjson.JSONDecodeError:
            return 1
        return self.give(node, found)

    cdef int quoted(self, bint* escaped) noexcept:
        """A string, from its first quotation mark to behind its last; 1 where it is none."""
        cdef uint64_t word
        cdef Py_ssize_t length
        cdef int digit
        escaped[0] = False
        self.at += 1
        while True:
            while self.end - self.at >= 8:
                memcpy(&word, self.at, 8)
                if not all_plain(word):
                    break
                self.at += 8
            if self.at == self.end or self.at[0] < 0x20:
                return 1
            if self.at[0] == c'"':
                self.at += 1
                return 0
            if self.at[0] == c"\\":
                escaped[0] = True
                if self.end - self.at < 2:
                    return 1
                self.at += 2
                if (self.at - 1)[0] == c"u":
                    # Halves of surrogate pairs are left to the parser.
                    if self.end - self.at < 4 or self.at[0] == c"d" or self.at[0] == c"D":
                        return 1
                    for digit in range(4):
                        if not (
                            c"0" <= self.at[digit] <= c"9"
                            or c"a" <= self.at[digit] <= c"f"
                            or c"A" <= self.at[digit] <= c"F"
                        ):
                            return 1
                    self.at += 4
                elif (self.at - 1)[0] not in b'"\\/bfnrt':
                    return 1
            elif self.at[0] < 0x80:
                self.at += 1
            else:
                length = character(self.at, self.end)
                if length == 0:
                    return 1
                self.at += length

    cdef int text(self, Node node) except -1:
        cdef const uint8_t* begun = self.at
        cdef bint escaped
        if self.quoted(&escaped):
            return 1
        if node is None or not (node.plain or node.parts):
            return 0
        if escaped:
            value = orjson.loads(PyBytes_FromStringAndSize(<const char*>begun, self.at - begun))
        else:
            value = PyUnicode_DecodeUTF8(<const char*>begun + 1, self.at - begun - 2, NULL)
        self.give(node, value)
        for number, part in node.parts:
            found = self.part_of(value, part)
            if found is not None:
                (<list>self.found[<Py_ssize_t>number]).append(found)
        return 0

    cdef int array(self, Node node, int depth) except -1:
        self.at += 1
        if self.at < self.end and self.at[0] == c"]":
            self.at += 1
            return 0
        while True:
            if self.value(node, depth + 1) or self.at == self.end:
                return 1
            self.at += 1
            if (self.at - 1)[0] == c"]":
                return 0
            if (self.at - 1)[0] != c",":
                return 1

    cdef int record(self, Node node, int depth) except -1:
        cdef const uint8_t* key
        cdef Node child
        cdef bint escaped
        cdef Py_ssize_t next_ = 0
        self.at += 1
        if self.at < self.end and self.at[0] == c"}":
            self.at += 1
            return 0
        while True:
            if self.at == self.end or self.at[0] != c'"':
                return 1
            key = self.at + 1
            if self.quoted(&escaped) or self.at == self.end or self.at[0] != c":":
                return 1
            child = None
            if node is not None:
                # A key that is written otherwise than it need be might be one that is wanted.
                if escaped:
                    return 1
                child = self.below(node, key, self.at - 1 - key, &next_)
            self.at += 1
            if self.value(child, depth + 1) or self.at == self.end:
                return 1
            self.at += 1
            if (self.at - 1)[0] == c"}":
                return 0
            if (self.at - 1)[0] != c",":
                return 1

    cdef Node below(self, Node node, const uint8_t* key, Py_ssize_t length, Py_ssize_t* next_):
        """The place below a key. Keys mostly come in the order of the schema: the search goes on where the last one ended."""
        cdef Py_ssize_t count = PyList_GET_SIZE(node.keys), tried, at = next_[0]
        cdef bytes known
        for tried in range(count):
            if at == count:
                at = 0
            known = <bytes>node.keys[at]
            at += 1
            if PyBytes_GET_SIZE(known) == length and memcmp(PyBytes_AS_STRING(known), key, length) == 0:
                next_[0] = at
                return <Node>node.children[at - 1]
        return node.other


# --------------------------------------------------------------------------------------------------------------- words


def words(str text, Py_ssize_t characters_max):
    """The words of a text that have ASCII's letters and digits only, in lower case, each once; and all else, for who knows it.

    None of the words is longer than so many characters. What is left out stands in the rest whole, between lines' ends.
    """
    cdef int kind = PyUnicode_KIND(text)
    cdef const void* data = PyUnicode_DATA(text)
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(text)
    cdef Py_ssize_t slots = 64
    while slots < length:
        slots *= 2
    # A word and what separates it take two characters: half of the slots stay free.
    cdef int32_t* table = <int32_t*> calloc(slots, sizeof(int32_t))
    cdef uint8_t* letters = <uint8_t*> malloc(length + 1)
    cdef Py_ssize_t place, begin = 0, first = 0, at = 0, slot
    cdef uint32_t c, digest = 2166136261u
    cdef bint odd = False
    cdef list found = [], rest = []
    cdef Entry* entries = <Entry*> malloc((length // 2 + 1) * sizeof(Entry))
    cdef Py_ssize_t count = 0
    if table == NULL or letters == NULL or entries == NULL:
        free(table); free(letters); free(entries)
        raise MemoryError
    try:
        for place in range(length + 1):
            c = PyUnicode_READ(kind, data, place) if place < length else 10
            if c - 97 < 26 or c - 48 < 10 or c - 65 < 26:
                if c - 65 < 26:
                    c += 32
                letters[at] = c
                at += 1
                digest = (digest ^ c) * 16777619u
            elif c < 128 or c - 0x2000 < 0x70:
                if odd:
                    rest.append(text[begin:place])
                    at = first
                elif at > first and at - first <= characters_max:
                    slot = digest & (slots - 1)
                    while table[slot] and not (
                        entries[table[slot] - 1].digest == digest
                        and entries[table[slot] - 1].length == at - first
                        and memcmp(letters + entries[table[slot] - 1].begin, letters + first, at - first) == 0
                    ):
                        slot = (slot + 1) & (slots - 1)
                    if table[slot]:
                        at = first
                    else:
                        entries[count] = Entry(first, at - first, digest)
                        count += 1
                        table[slot] = count
                        found.append(PyUnicode_DecodeASCII(<char*> letters + first, at - first, NULL))
                else:
                    at = first
                begin, first, odd, digest = place + 1, at, False, 2166136261u
            else:
                odd = True
    finally:
        free(table)
        free(letters)
        free(entries)
    return found, "\n".join(rest)
