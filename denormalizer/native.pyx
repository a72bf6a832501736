# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The fold over a closed range of a log: the latest of every asset is kept, then each root is expanded once. Compiled.

It gives what `Fold.emit(last=True)` gives, byte for byte, as lines; the tests hold one against the other. What it does
not do itself it asks for: payloads that the compiled cutter leaves to the libraries, URIs that are none, and views
beyond their bounds (range_fold.py).

Assets are numbers here: everything that is said of a URI is said of its place in one table. A view's text is written
once, piece behind piece, where it is needed; what other views share of it is copied from there.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.buffer cimport PyBUF_READ
from cpython.exc cimport PyErr_SetFromErrno
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_DecodeUTF8
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset
from posix.unistd cimport pread, pwrite

from assets.native cimport CLOSE, NULL_REF, OPEN, Buffer, Cutter, CutShape, Hole, append, write_number, write_text

from denormalizer.errors import OutOfOrder

cdef enum State:
    # Never published, or nothing of it can be read.
    UNKNOWN
    GONE
    # Its payload was not read yet.
    PENDING
    READ

cdef enum:
    # In place of the number of a kind: one that is in no view; not looked at yet; no URI at all.
    OTHER_KIND = -1
    NOT_ASKED = -2
    NO_URI = -3

cdef enum:
    CUT_FOR_GOOD = -1
    NOTHING_CUT = 1 << 30

cdef enum Stood:
    # What came of a reference: nothing stands there; something does; the view grew beyond its bounds.
    NOTHING
    WRITTEN
    BEYOND

cdef enum:
    # Chunks of payloads that are kept in memory, whatever the setting says.
    CHUNKS_MIN = 4


cdef struct Asset:
    int64_t offset
    # Where its payload is kept: the number of the chunk in the upper half.
    int64_t payload
    Py_ssize_t uri
    int32_t uri_length
    int32_t length
    uint32_t crc
    # The last list of assets without repetition that it was put into.
    uint32_t mark
    int16_t kind
    # One more than the depth at which it stands on the way down from the root; 0 where it does not.
    int16_t above
    uint8_t state
    uint8_t owned


cdef struct Place:
    # Of a kind at a position: its shape, -1 where it can't stand there; and the first of its targets.
    int shape
    int targets


cdef struct Rendered:
    Py_ssize_t text
    Py_ssize_t length
    # In 32-bit numbers; of each hole: where in the text, its number, how many numbers follow, and those: an asset, or an
    # array from OPEN to CLOSE of assets, arrays and NULL_REF.
    Py_ssize_t holes
    Py_ssize_t holes_end


cdef struct Subtree:
    Py_ssize_t content
    Py_ssize_t length
    # The assets in it, in 32-bit numbers.
    Py_ssize_t below
    Py_ssize_t below_count
    Py_ssize_t nodes
    int height


cdef struct View:
    int position
    int depth
    int64_t live
    int64_t gone


cdef struct Chunk:
    # NULL when it is in the file, at `place`.
    char* data
    Py_ssize_t length
    Py_ssize_t capacity
    int64_t place


# ------------------------------------------------------------------------------------------------------------- checksums

cdef uint32_t[8][256] _CRC


cdef void _fill_crc() noexcept:
    cdef uint32_t value
    cdef int byte, bit
    for byte in range(256):
        value = byte
        for bit in range(8):
            value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
        _CRC[0][byte] = value
    for byte in range(256):
        for bit in range(1, 8):
            _CRC[bit][byte] = (_CRC[bit - 1][byte] >> 8) ^ _CRC[0][_CRC[bit - 1][byte] & 0xFF]


_fill_crc()


cdef uint32_t _crc32(const uint8_t* at, Py_ssize_t length) noexcept nogil:
    """As zlib's: shards own URIs by it."""
    cdef uint32_t crc = 0xFFFFFFFF
    cdef uint64_t word
    while length >= 8:
        memcpy(&word, at, 8)
        word ^= crc
        crc = (
            _CRC[7][word & 0xFF] ^ _CRC[6][(word >> 8) & 0xFF] ^ _CRC[5][(word >> 16) & 0xFF]
            ^ _CRC[4][(word >> 24) & 0xFF] ^ _CRC[3][(word >> 32) & 0xFF] ^ _CRC[2][(word >> 40) & 0xFF]
            ^ _CRC[1][(word >> 48) & 0xFF] ^ _CRC[0][word >> 56]
        )
        at += 8
        length -= 8
    while length:
        crc = (crc >> 8) ^ _CRC[0][(crc ^ at[0]) & 0xFF]
        at += 1
        length -= 1
    return ~crc


def crc32(bytes data):
    """For the tests to hold against zlib's."""
    return _crc32(<const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


# ------------------------------------------------------------------------------------------------------------------ URIs

cdef enum:
    SCHEME_FIRST = 1
    SCHEME = 2
    KIND_FIRST = 4
    KIND = 8
    ID = 16

cdef uint8_t[256] _URI
cdef int _byte
for _byte in range(256):
    _letter = chr(_byte) if _byte < 0x80 else ""
    _is_small = "a" <= _letter <= "z"
    _is_digit = "0" <= _letter <= "9"
    _is_letter = _is_small or "A" <= _letter <= "Z"
    _URI[_byte] = (
        (SCHEME_FIRST if _is_small or _is_digit else 0)
        | (SCHEME if _letter and (_is_small or _is_digit or _letter in "+.-") else 0)
        | (KIND_FIRST if _is_letter or _letter == "_" else 0)
        | (KIND if _is_letter or _is_digit or _letter == "_" else 0)
        | (ID if _letter and (_is_letter or _is_digit or _letter in "-._~!$&'()*+,;=:@/% ") else 0)
    )


cdef bint _is_uri(const uint8_t* at, Py_ssize_t length, Py_ssize_t id_max) noexcept:
    """Whether it is an asset's URI for certain (`assets.model.check_uri`)."""
    cdef const uint8_t* end = at + length
    cdef const uint8_t* begun
    if length == 0 or not _URI[at[0]] & SCHEME_FIRST:
        return False
    while at < end and _URI[at[0]] & SCHEME:
        at += 1
    if end - at < 4 or at[0] != c":" or at[1] != c"/" or at[2] != c"/" or not _URI[at[3]] & KIND_FIRST:
        return False
    at += 3
    while at < end and _URI[at[0]] & KIND:
        at += 1
    if end - at < 2 or at[0] != c"/":
        return False
    begun = at + 1
    if end - begun > id_max or begun[0] == c" " or (end - 1)[0] == c" ":
        return False
    at = begun
    while at < end:
        if not _URI[at[0]] & ID:
            return False
        at += 1
    return True


def is_uri(bytes data, id_max):
    """For the tests to hold against `check_uri`."""
    return _is_uri(<const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), id_max)


# ------------------------------------------------------------------------------------------------------------- containers


cdef class Numbers:
    """From a 64-bit key to a 32-bit number."""

    cdef uint64_t* keys
    cdef int32_t* values
    cdef Py_ssize_t capacity
    cdef Py_ssize_t count

    def __cinit__(self):
        self.capacity = 1024
        self.keys = <uint64_t*>PyMem_Calloc(self.capacity, sizeof(uint64_t))
        self.values = <int32_t*>PyMem_Malloc(self.capacity * sizeof(int32_t))
        if self.keys == NULL or self.values == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.keys)
        PyMem_Free(self.values)

    cdef inline Py_ssize_t find(self, uint64_t key) noexcept:
        """Where it is, or would be. Keys are never 0."""
        cdef Py_ssize_t at = (key * 0x9E3779B97F4A7C15) >> 20 & (self.capacity - 1)
        while self.keys[at] != 0 and self.keys[at] != key:
            at = (at + 1) & (self.capacity - 1)
        return at

    cdef int32_t get(self, uint64_t key) noexcept:
        """-1 where there is none."""
        cdef Py_ssize_t at = self.find(key)
        return self.values[at] if self.keys[at] != 0 else -1

    cdef int put(self, uint64_t key, int32_t value) except -1:
        cdef Py_ssize_t at
        if 2 * self.count >= self.capacity:
            self.grow()
        at = self.find(key)
        self.count += self.keys[at] == 0
        self.keys[at] = key
        self.values[at] = value
        return 0

    cdef int grow(self) except -1:
        cdef uint64_t* keys = self.keys
        cdef int32_t* values = self.values
        cdef Py_ssize_t capacity = self.capacity, at, found
        self.keys = <uint64_t*>PyMem_Calloc(2 * capacity, sizeof(uint64_t))
        self.values = <int32_t*>PyMem_Malloc(2 * capacity * sizeof(int32_t))
        if self.keys == NULL or self.values == NULL:
            PyMem_Free(self.keys)
            PyMem_Free(self.values)
            self.keys, self.values = keys, values
            raise MemoryError
        self.capacity = 2 * capacity
        for at in range(capacity):
            if keys[at] != 0:
                found = self.find(keys[at])
                self.keys[found] = keys[at]
                self.values[found] = values[at]
        PyMem_Free(keys)
        PyMem_Free(values)
        return 0

    cdef void clear(self) noexcept:
        if self.count:
            memset(self.keys, 0, self.capacity * sizeof(uint64_t))
        self.count = 0


cdef class Payloads:
    """Payloads, each kept once: in memory as far as there may be so much, the oldest in a file."""

    cdef Chunk* chunks
    cdef Py_ssize_t count
    cdef Py_ssize_t first
    """The first chunk that is in memory."""
    cdef int64_t written
    cdef object owner
    """Is asked for the file where chunks go that are not to stay in memory, when the first one goes."""
    cdef int descriptor
    cdef Py_ssize_t chunk_bytes
    cdef Buffer scratch

    def __cinit__(self, owner, chunk_bytes):
        self.owner = owner
        self.chunk_bytes = chunk_bytes
        self.descriptor = -1
        self.scratch = Buffer()

    def __dealloc__(self):
        cdef Py_ssize_t number
        for number in range(self.count):
            PyMem_Free(self.chunks[number].data)
        PyMem_Free(self.chunks)

    cdef int64_t keep(self, const char* data, Py_ssize_t length) except -1:
        cdef Chunk* chunk
        if self.count == 0 or self.chunks[self.count - 1].length + length > self.chunks[self.count - 1].capacity:
            self.begin(length)
        chunk = &self.chunks[self.count - 1]
        memcpy(chunk.data + chunk.length, data, length)
        chunk.length += length
        return ((self.count - 1) << 32) | (chunk.length - length)

    cdef int begin(self, Py_ssize_t length) except -1:
        cdef Chunk* chunks = <Chunk*>PyMem_Realloc(self.chunks, (self.count + 1) * sizeof(Chunk))
        if chunks == NULL:
            raise MemoryError
        self.chunks = chunks
        chunks[self.count] = Chunk(NULL, 0, max(length, self.chunk_bytes), 0)
        chunks[self.count].data = <char*>PyMem_Malloc(chunks[self.count].capacity)
        if chunks[self.count].data == NULL:
            raise MemoryError
        self.count += 1
        return 0

    cdef const char* at(self, int64_t place, Py_ssize_t length) except NULL:
        """As long as nothing else is asked for."""
        cdef Chunk* chunk = &self.chunks[place >> 32]
        cdef Py_ssize_t done = 0, got
        place &= 0xFFFFFFFF
        if chunk.data != NULL:
            return chunk.data + place
        self.scratch.length = 0
        self.scratch.room(length + 1)
        while done < length:
            got = pread(self.descriptor, self.scratch.data + done, length - done, chunk.place + place + done)
            if got < 0:
                PyErr_SetFromErrno(OSError)
            if got == 0:
                raise OSError("the file of payloads was cut short")
            done += got
        return self.scratch.data

    cdef Py_ssize_t bytes(self) noexcept:
        """In memory."""
        return (self.count - self.first) * self.chunk_bytes

    cdef int shed(self) except -1:
        """Put the oldest chunk in memory into the file; 1 where the rest is to stay."""
        cdef Chunk* chunk
        cdef Py_ssize_t done = 0, got
        if self.count - self.first <= CHUNKS_MIN:
            return 1
        if self.descriptor < 0:
            self.descriptor = self.owner.file().fileno()
        chunk = &self.chunks[self.first]
        while done < chunk.length:
            got = pwrite(self.descriptor, chunk.data + done, chunk.length - done, self.written + done)
            if got < 0:
                PyErr_SetFromErrno(OSError)
            done += got
        chunk.place = self.written
        self.written += chunk.length
        PyMem_Free(chunk.data)
        chunk.data = NULL
        self.first += 1
        return 0


# --------------------------------------------------------------------------------------------------------------- the fold


cdef class Core:
    """See `denormalizer.range_fold.CompiledFold`, which makes it and answers what it asks for."""

    cdef readonly int64_t watermark

    # What the plan says.
    cdef list kinds
    cdef Py_ssize_t kinds_count
    cdef list cutters
    cdef list texts
    """Of each view: its name as its record begins."""
    cdef Place* places
    """By position, then by kind."""
    cdef int* targets
    cdef View* views
    cdef Py_ssize_t views_count
    cdef int* roots
    """By kind and then by view: the views that it is the root of, each once, -1 behind the last."""
    cdef uint8_t* dependencies
    cdef object owner
    cdef bint contiguous
    cdef uint32_t shard
    cdef uint32_t shards
    cdef Py_ssize_t id_max
    cdef Py_ssize_t nodes_max
    cdef Py_ssize_t bytes_max
    cdef Py_ssize_t memory_max
    cdef Py_ssize_t kept_max

    # The assets.
    cdef Asset* assets
    cdef int32_t count
    cdef int32_t capacity
    cdef int32_t* slots
    cdef Py_ssize_t slots_count
    cdef Buffer uris
    cdef Payloads payloads

    # What is kept of one view for the next.
    cdef Numbers rendered_at
    cdef Rendered* rendered
    cdef int32_t rendered_count
    cdef int32_t rendered_capacity
    cdef Numbers subtree_at
    cdef Subtree* subtrees
    cdef int32_t subtrees_count
    cdef int32_t subtrees_capacity
    cdef Buffer texts_kept
    cdef Buffer numbers_kept

    # One view.
    cdef Buffer out
    cdef Buffer lines
    cdef Buffer root_text
    cdef Buffer root_holes
    cdef Buffer met
    """The assets looked up, in 32-bit numbers, as they were met."""
    cdef uint32_t mark
    cdef int depth
    cdef int height
    cdef int cut_at
    cdef Py_ssize_t nodes
    cdef int32_t next
    cdef int32_t last
    """The root whose views were emitted last, -1 before the first."""

    def __cinit__(self):
        self.last = -1
        self.capacity = 1024
        self.slots_count = 4096
        self.rendered_capacity = self.subtrees_capacity = 1024
        self.assets = <Asset*>PyMem_Malloc(self.capacity * sizeof(Asset))
        self.slots = <int32_t*>PyMem_Malloc(self.slots_count * sizeof(int32_t))
        self.rendered = <Rendered*>PyMem_Malloc(self.rendered_capacity * sizeof(Rendered))
        self.subtrees = <Subtree*>PyMem_Malloc(self.subtrees_capacity * sizeof(Subtree))
        if self.assets == NULL or self.slots == NULL or self.rendered == NULL or self.subtrees == NULL:
            raise MemoryError
        memset(self.slots, 0xFF, self.slots_count * sizeof(int32_t))

    def __dealloc__(self):
        PyMem_Free(self.assets)
        PyMem_Free(self.slots)
        PyMem_Free(self.rendered)
        PyMem_Free(self.subtrees)
        PyMem_Free(self.places)
        PyMem_Free(self.targets)
        PyMem_Free(self.views)
        PyMem_Free(self.roots)
        PyMem_Free(self.dependencies)

    def __init__(
        self, owner, kinds, cutters, dependencies, positions, views, shard, contiguous, id_max, bounds, memory_max, kept_max,
        chunk_bytes,
    ):
        """
        Args:
            owner: Is asked for `is_uri`, `render`, `bounded_view` and `file`.
            kinds: The names of those that some view has.
            cutters: Of each kind, None where the owner renders.
            dependencies: Of each kind, whether some view reaches it by a reference.
            positions: Of each, by number of kind: None or (shape, numbers of the target positions).
            views: (name, number of the root kind, number of the root's position, depth), in the order of emission.
            shard: (number, count).
            id_max: Characters of a URI's ID.
            bounds: (nodes, bytes).
            memory_max: Bytes, as far as payloads can be put elsewhere.
            kept_max: Bytes of what is kept of one view for the next.
            chunk_bytes: Payloads are put into the file so many at a time.
        """
        cdef Py_ssize_t number, kind, at = 0
        self.owner = owner
        self.kinds = [name.encode() for name in kinds]
        self.kinds_count = len(kinds)
        self.cutters = cutters
        self.texts = [b'{"view":"%b","uri":"' % name.encode() for name, _, _, _ in views]
        self.contiguous = contiguous
        self.shard, self.shards = shard
        self.id_max = id_max
        self.nodes_max, self.bytes_max = bounds
        self.memory_max = memory_max
        self.kept_max = kept_max
        self.watermark = -1
        self.uris, self.texts_kept, self.numbers_kept = Buffer(), Buffer(), Buffer()
        self.out, self.lines, self.root_text, self.root_holes, self.met = Buffer(), Buffer(), Buffer(), Buffer(), Buffer()
        self.rendered_at, self.subtree_at = Numbers(), Numbers()
        self.payloads = Payloads(owner, chunk_bytes)
        self.places = <Place*>PyMem_Malloc((len(positions) * len(kinds) + 1) * sizeof(Place))
        self.targets = <int*>PyMem_Malloc((sum(len(place[1]) for places in positions for place in places if place) + 1) * sizeof(int))
        self.views = <View*>PyMem_Calloc(len(views) + 1, sizeof(View))
        self.roots = <int*>PyMem_Malloc((len(kinds) * (len(views) + 1) + 1) * sizeof(int))
        self.dependencies = <uint8_t*>PyMem_Calloc(len(kinds) + 1, 1)
        if not (self.places and self.targets and self.views and self.roots and self.dependencies):
            raise MemoryError
        for number, places in enumerate(positions):
            for kind, place in enumerate(places):
                self.places[number * len(kinds) + kind] = Place(-1 if place is None else place[0], at)
                if place is not None:
                    for target in place[1]:
                        self.targets[at] = target
                        at += 1
        self.views_count = len(views)
        for number, (_, _, position, depth) in enumerate(views):
            self.views[number].position, self.views[number].depth = position, depth
        for kind in range(len(kinds)):
            rooted = [number for number, view in enumerate(views) if view[1] == kind]
            for number, view in enumerate([*rooted, -1]):
                self.roots[kind * (self.views_count + 1) + number] = view
            self.dependencies[kind] = dependencies[kind]

    # ------------------------------------------------------------------------------------------------------- messages

    def apply(self, messages):
        """Take messages in: tuples that begin with the offset and the URI and end with the payload, None for none.

        Raises:
            OutOfOrder: when one was skipped; nothing behind the gap is applied.
        """
        cdef int64_t offset
        cdef Py_ssize_t length = 0
        cdef const char* text
        cdef uint32_t crc
        cdef bint owned
        cdef int kind
        cdef int32_t number
        for message in messages:
            # A tuple or a class derived from it, which Cython's own `tuple` does not allow.
            assert isinstance(message, tuple)
            offset = <object>PyTuple_GET_ITEM(message, 0)
            if offset <= self.watermark:
                continue
            if self.contiguous and offset != self.watermark + 1:
                raise OutOfOrder(offset, self.watermark + 1)
            self.watermark = offset
            uri = <object>PyTuple_GET_ITEM(message, 1)
            text = PyUnicode_AsUTF8AndSize(uri, &length)
            kind = self.kind_in(text, length)
            if kind == OTHER_KIND:
                continue
            crc = _crc32(<const uint8_t*>text, length)
            owned = self.shards == 1 or crc % self.shards == self.shard
            if not owned and (kind < 0 or not self.dependencies[kind]):
                continue
            value = <object>PyTuple_GET_ITEM(message, PyTuple_GET_SIZE(message) - 1)
            number = self.found(text, length, crc)
            if number < 0 or self.assets[number].state == UNKNOWN:
                if not _is_uri(<const uint8_t*>text, length, self.id_max):
                    if not self.owner.is_uri(offset, uri, value, owned):
                        continue
                    if kind < 0:
                        continue
                if number < 0:
                    number = self.add(text, length, crc)
            self.take(number, kind, owned, offset, uri, value)

    cdef int take(self, int32_t number, int kind, bint owned, int64_t offset, uri, value) except -1:
        """A message of an asset. One that can't be read leaves what was there before, so that is known at once."""
        cdef Asset* asset = &self.assets[number]
        cdef bint first = asset.state == UNKNOWN
        if asset.state == PENDING and owned:
            self.check(number)
            asset = &self.assets[number]
            first = asset.state == UNKNOWN
        if value is not None and not first and not self.reads(kind, offset, uri, <bytes?>value, owned):
            return 0
        asset = &self.assets[number]
        asset.kind = kind
        asset.owned = owned
        asset.offset = offset
        if value is None:
            asset.state = GONE
            return 0
        asset.state = PENDING if first else READ
        asset.length = PyBytes_GET_SIZE(<bytes?>value)
        asset.payload = self.payloads.keep(PyBytes_AS_STRING(value), asset.length)
        if self.payloads.chunks[self.payloads.count - 1].length == asset.length:
            self.spare()
        return 0

    cdef int spare(self) except -1:
        """Stay within the memory, as far as payloads can be put elsewhere."""
        while self.held() > self.memory_max:
            if self.payloads.shed():
                break
        return 0

    cdef Py_ssize_t held(self) noexcept:
        """Bytes in memory."""
        return (
            self.payloads.bytes()
            + self.count * sizeof(Asset)
            + self.uris.length
            + self.slots_count * sizeof(int32_t)
            + 2 * self.kept_max
        )

    cdef bint reads(self, int kind, int64_t offset, uri, bytes value, bint owned) except -1:
        """Whether a payload can be read; the shard that owns it reports it otherwise."""
        cdef Py_ssize_t length = 0
        cdef const char* text = PyUnicode_AsUTF8AndSize(uri, &length)
        cutter = self.cutters[kind]
        if cutter is not None and (<Cutter>cutter).take(
            text, length, <const uint8_t*>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)
        ) == 0:
            return True
        return self.owner.render(kind, offset, uri, value, owned) is not None

    cdef int check(self, int32_t number) except -1:
        """Know of an asset whether its payload can be read."""
        cdef Asset* asset = &self.assets[number]
        if asset.state != PENDING:
            return 0
        value = PyBytes_FromStringAndSize(self.payloads.at(asset.payload, asset.length), asset.length)
        if self.reads(asset.kind, asset.offset, self.uri(number), value, asset.owned):
            asset.state = READ
        else:
            asset.state = UNKNOWN
        return 0

    cdef int kind_in(self, const char* text, Py_ssize_t length) noexcept:
        """The kind in what may be a URI: NO_URI where there is none."""
        cdef Py_ssize_t at = 0, begun, slashes = 0, number
        cdef bytes kind
        while at < length and slashes < 2:
            slashes += text[at] == c"/"
            at += 1
        if slashes < 2:
            return NO_URI
        begun = at
        while at < length and text[at] != c"/":
            at += 1
        if at == begun:
            return NO_URI
        for number in range(self.kinds_count):
            kind = <bytes>self.kinds[number]
            if PyBytes_GET_SIZE(kind) == at - begun and memcmp(PyBytes_AS_STRING(kind), text + begun, at - begun) == 0:
                return number
        return OTHER_KIND

    cdef object uri(self, int32_t number):
        cdef Asset* asset = &self.assets[number]
        return PyUnicode_DecodeUTF8(self.uris.data + asset.uri, asset.uri_length, NULL)

    cdef int32_t found(self, const char* text, Py_ssize_t length, uint32_t crc) noexcept:
        """-1 where it is not known yet."""
        cdef Py_ssize_t at = crc & (self.slots_count - 1)
        cdef Asset* asset
        while self.slots[at] >= 0:
            asset = &self.assets[self.slots[at]]
            if asset.crc == crc and asset.uri_length == length and memcmp(self.uris.data + asset.uri, text, length) == 0:
                return self.slots[at]
            at = (at + 1) & (self.slots_count - 1)
        return -1

    cdef int32_t add(self, const char* text, Py_ssize_t length, uint32_t crc) except -1:
        cdef Asset* assets
        cdef int32_t number = self.count
        cdef Py_ssize_t at
        if number == self.capacity:
            assets = <Asset*>PyMem_Realloc(self.assets, <Py_ssize_t>self.capacity * 2 * sizeof(Asset))
            if assets == NULL:
                raise MemoryError
            self.assets = assets
            self.capacity *= 2
        if 2 * <Py_ssize_t>number >= self.slots_count:
            self.spread()
        self.assets[number] = Asset(-1, -1, self.uris.length, length, 0, crc, 0, NOT_ASKED, 0, UNKNOWN, False)
        append(self.uris, text, length)
        self.count += 1
        at = crc & (self.slots_count - 1)
        while self.slots[at] >= 0:
            at = (at + 1) & (self.slots_count - 1)
        self.slots[at] = number
        return number

    cdef int spread(self) except -1:
        cdef int32_t* slots = <int32_t*>PyMem_Malloc(2 * self.slots_count * sizeof(int32_t))
        cdef Py_ssize_t at, number
        if slots == NULL:
            raise MemoryError
        PyMem_Free(self.slots)
        self.slots = slots
        self.slots_count *= 2
        memset(slots, 0xFF, self.slots_count * sizeof(int32_t))
        for number in range(self.count):
            at = self.assets[number].crc & (self.slots_count - 1)
            while slots[at] >= 0:
                at = (at + 1) & (self.slots_count - 1)
            slots[at] = number
        return 0

    cdef int32_t referred(self, const char* text, Py_ssize_t length) except -1:
        """What a reference names."""
        cdef uint32_t crc = _crc32(<const uint8_t*>text, length)
        cdef int32_t number = self.found(text, length, crc)
        return self.add(text, length, crc) if number < 0 else number

    # ------------------------------------------------------------------------------------------------------- emission

    def emit(self, Py_ssize_t views_max, Py_ssize_t bytes_max):
        """The views of the next roots, as lines: so many, or a few more; None when there are no more.

        The memory belongs to the fold: it is to be used before this is called again.
        """
        cdef Py_ssize_t views = 0
        cdef int32_t number
        cdef int* root
        self.lines.length = 0
        while self.next < self.count and views < views_max and self.lines.length < bytes_max:
            number = self.next
            self.next += 1
            if self.assets[number].state == UNKNOWN or not self.assets[number].owned:
                continue
            root = &self.roots[self.assets[number].kind * (self.views_count + 1)]
            if root[0] < 0:
                continue
            if self.view(number, root, &views):
                self.last = number
        if self.lines.length == 0:
            self.finish()
            return None
        return PyMemoryView_FromMemory(self.lines.data, self.lines.length, PyBUF_READ)

    def skip(self, str uri):
        """Go on behind the views of a root."""
        cdef Py_ssize_t length = 0
        cdef const char* text = PyUnicode_AsUTF8AndSize(uri, &length)
        cdef int32_t number = self.found(text, length, _crc32(<const uint8_t*>text, length))
        assert number >= 0, "it was emitted from these messages"
        self.last = number
        self.next = number + 1

    @property
    def behind(self):
        """The root whose views were emitted last, None before the first."""
        return None if self.last < 0 else self.uri(self.last)

    def asset(self, str uri):
        """(kind number, offset, payload) of what can be read; the payload None where it is unpublished. None for others."""
        cdef Py_ssize_t length = 0
        cdef const char* text = PyUnicode_AsUTF8AndSize(uri, &length)
        cdef int32_t number = self.found(text, length, _crc32(<const uint8_t*>text, length))
        cdef Asset* asset
        if number < 0:
            return None
        self.check(number)
        asset = &self.assets[number]
        if asset.state == UNKNOWN:
            return None
        if asset.state == GONE:
            return asset.kind, asset.offset, None
        return asset.kind, asset.offset, PyBytes_FromStringAndSize(
            self.payloads.at(asset.payload, asset.length), asset.length
        )

    def counts(self):
        """Of each view, how many were emitted: live, gone."""
        return [(self.views[number].live, self.views[number].gone) for number in range(self.views_count)]

    cdef int finish(self) except -1:
        """What no view asked for is read too: its shard must say of each of its messages whether it can be."""
        cdef int32_t number
        for number in range(self.count):
            if self.assets[number].state == PENDING and self.assets[number].owned:
                if self.roots[self.assets[number].kind * (self.views_count + 1)] < 0:
                    self.check(number)
        return 0

    cdef bint view(self, int32_t number, const int* root, Py_ssize_t* views) except -1:
        """The views rooted at an asset; false where nothing of it can be read."""
        cdef Asset* asset = &self.assets[number]
        cdef Place* place
        cdef View* view
        cdef int kind = asset.kind
        cdef int stood
        cdef Py_ssize_t at = 0, lines = self.lines.length
        while root[at] >= 0:
            view = &self.views[root[at]]
            self.out.length = self.met.length = 0
            if asset.state == GONE:
                append(self.out, b"{}", 2)
                self.meet(number)
                view.gone += 1
                self.line(root[at], number, b'"gone"', 6)
            else:
                place = &self.places[view.position * self.kinds_count + kind]
                self.root_text.length = self.root_holes.length = 0
                if not self.render(number, place.shape, self.root_text, self.root_holes):
                    return False
                self.depth, self.nodes, self.height, self.cut_at = view.depth, 1, 0, NOTHING_CUT
                self.meet(number)
                self.assets[number].above = 1
                stood = self.join(
                    self.root_text, 0, self.root_text.length, self.root_holes, 0, self.root_holes.length // 4, place.targets, 1
                )
                asset = &self.assets[number]
                asset.above = 0
                view.live += 1
                if stood == BEYOND and self.root_holes.length:
                    self.lines.add_bytes(<bytes>self.owner.bounded_view(root[at], self.uri(number)))
                    append(self.lines, b"\n", 1)
                    asset = &self.assets[number]
                else:
                    self.line(root[at], number, b'"live"', 6)
                if (
                    self.texts_kept.length + self.numbers_kept.length > self.kept_max
                    or 64 * (self.rendered_count + self.subtrees_count) > self.kept_max
                ):
                    self.forget()
            views[0] += 1
            at += 1
        return True

    cdef int forget(self) except -1:
        self.rendered_at.clear()
        self.subtree_at.clear()
        self.rendered_count = self.subtrees_count = 0
        self.texts_kept.length = self.numbers_kept.length = 0
        return 0

    cdef int line(self, int view, int32_t root, const char* state, Py_ssize_t length) except -1:
        """A record around the content and the closure at hand."""
        cdef Buffer lines = self.lines
        cdef Asset* asset = &self.assets[root]
        cdef int32_t* met
        cdef Py_ssize_t number, count
        cdef int64_t version = -1
        count = self.once(0)
        met = <int32_t*>self.met.data
        for number in range(count):
            if self.assets[met[number]].state != UNKNOWN and self.assets[met[number]].offset > version:
                version = self.assets[met[number]].offset
        lines.add_bytes(<bytes>self.texts[view])
        append(lines, self.uris.data + asset.uri, asset.uri_length)
        append(lines, b'","version":', 12)
        write_number(lines, version)
        append(lines, b',"state":', 9)
        append(lines, state, length)
        append(lines, b',"content":', 11)
        append(lines, self.out.data, self.out.length)
        append(lines, b',"sources":{', 12)
        for number in range(count):
            asset = &self.assets[met[number]]
            if number:
                append(lines, b",", 1)
            if asset.state == UNKNOWN:
                # It may be any text.
                write_text(lines, <const uint8_t*>self.uris.data + asset.uri, asset.uri_length)
                append(lines, b":null", 5)
            else:
                append(lines, b'"', 1)
                append(lines, self.uris.data + asset.uri, asset.uri_length)
                append(lines, b'":', 2)
                write_number(lines, asset.offset)
        append(lines, b"}}\n", 3)
        return 0

    cdef inline int meet(self, int32_t number) except -1:
        return append(self.met, <const char*>&number, 4)

    cdef Py_ssize_t once(self, Py_ssize_t begun) except -1:
        """Leave each asset met since then at its first place only; gives how many they are."""
        cdef int32_t* met = <int32_t*>self.met.data + begun
        cdef Py_ssize_t number, count = self.met.length // 4 - begun, kept = 0
        self.mark += 1
        for number in range(count):
            if self.assets[met[number]].mark != self.mark:
                self.assets[met[number]].mark = self.mark
                met[kept] = met[number]
                kept += 1
        self.met.length = 4 * (begun + kept)
        return kept

    # ------------------------------------------------------------------------------------------------------ expansion

    cdef int join(
        self,
        Buffer text,
        Py_ssize_t at,
        Py_ssize_t length,
        Buffer holes,
        Py_ssize_t hole,
        Py_ssize_t end,
        int targets,
        int depth,
    ) except -1:
        """A text with its holes filled; `depth` is that of what stands in them. The buffers may move meanwhile."""
        cdef Buffer out = self.out
        cdef Py_ssize_t done = 0
        cdef int32_t position, first
        cdef int target
        cdef int stood
        while hole < end:
            position = (<int32_t*>holes.data)[hole]
            target = self.targets[targets + (<int32_t*>holes.data)[hole + 1]]
            first = (<int32_t*>holes.data)[hole + 3]
            append(out, text.data + at + done, position - done)
            done = position
            if first >= 0:
                stood = self.one(first, target, depth)
                if stood == NOTHING:
                    append(out, b"null", 4)
            else:
                stood = self.many(holes, hole + 4, target, depth, NULL)
            if stood == BEYOND or out.length > self.bytes_max:
                return BEYOND
            hole += 3 + (<int32_t*>holes.data)[hole + 2]
        append(out, text.data + at + done, length - done)
        return BEYOND if out.length > self.bytes_max else WRITTEN

    cdef int many(self, Buffer holes, Py_ssize_t at, int target, int depth, Py_ssize_t* behind) except -1:
        """An array, from behind its OPEN; `behind` gets the place behind its CLOSE."""
        cdef Buffer out = self.out
        cdef Py_ssize_t length
        cdef bint first = True
        cdef int32_t number
        cdef int stood
        append(out, b"[", 1)
        while True:
            number = (<int32_t*>holes.data)[at]
            at += 1
            if number == CLOSE:
                break
            length = out.length
            if not first:
                append(out, b",", 1)
            if number >= 0:
                stood = self.one(number, target, depth)
                if stood == NOTHING:
                    out.length = length
                    continue
            elif number == OPEN:
                stood = self.many(holes, at, target, depth, &at)
            else:
                append(out, b"null", 4)
                stood = WRITTEN
            if stood == BEYOND or out.length > self.bytes_max:
                return BEYOND
            first = False
        append(out, b"]", 1)
        if behind != NULL:
            behind[0] = at
        return WRITTEN

    cdef int one(self, int32_t number, int target, int depth) except -1:
        """What stands for one reference."""
        cdef Asset* asset = &self.assets[number]
        cdef Rendered* rendered
        cdef Place* place
        cdef int32_t at
        if self.shared(number, target, depth):
            return BEYOND if self.nodes > self.nodes_max else WRITTEN
        if asset.above:
            self.cut_at = min(self.cut_at, asset.above - 1)
            return self.bare(number)
        if depth > self.depth:
            self.cut_at = CUT_FOR_GOOD
            return self.bare(number)
        self.height = max(self.height, depth)
        self.nodes += 1
        if self.nodes > self.nodes_max:
            return BEYOND
        if asset.state == UNKNOWN:
            return self.nothing(number, target)
        place = &self.places[target * self.kinds_count + asset.kind]
        if place.shape < 0:
            # It is not in the closure, by which a subtree is known not to hold an ancestor: let nobody share this one.
            self.cut_at = CUT_FOR_GOOD
            return NOTHING
        if asset.state == GONE:
            self.meet(number)
            return NOTHING
        at = self.rendered_of(number, place.shape)
        if at < 0:
            return self.nothing(number, target)
        self.meet(number)
        rendered = &self.rendered[at]
        if rendered.holes == rendered.holes_end:
            append(self.out, self.texts_kept.data + rendered.text, rendered.length)
            return WRITTEN
        return self.joined(number, target, rendered[0], place.targets, depth)

    cdef bint shared(self, int32_t number, int target, int depth) except -1:
        """Whether a subtree that was kept stands there as well, which is then in place."""
        cdef int32_t at = self.subtree_at.get(((<uint64_t>target + 1) << 32) | <uint32_t>number)
        cdef Subtree* kept
        cdef int32_t* below
        cdef Py_ssize_t asset
        if at < 0:
            return False
        kept = &self.subtrees[at]
        if depth + kept.height > self.depth:
            return False
        below = <int32_t*>self.numbers_kept.data + kept.below
        for asset in range(kept.below_count):
            if self.assets[below[asset]].above:
                return False
        self.nodes += kept.nodes
        self.height = max(self.height, depth + kept.height)
        append(self.met, <const char*>below, 4 * kept.below_count)
        append(self.out, self.texts_kept.data + kept.content, kept.length)
        return True

    cdef int joined(self, int32_t number, int target, Rendered rendered, int targets, int depth) except -1:
        """A subtree with more below it, kept where nothing above shaped it."""
        cdef int height = self.height, cut_at = self.cut_at
        cdef Py_ssize_t nodes = self.nodes, content = self.out.length, met = self.met.length // 4 - 1
        cdef int stood
        self.height, self.cut_at = depth, NOTHING_CUT
        self.assets[number].above = depth + 1
        stood = self.join(
            self.texts_kept, rendered.text, rendered.length, self.numbers_kept, rendered.holes, rendered.holes_end, targets, depth + 1
        )
        self.assets[number].above = 0
        if stood == BEYOND:
            return BEYOND
        if self.cut_at >= depth:
            self.keep(number, target, content, met, self.height - depth, self.nodes - nodes + 1)
            self.cut_at = cut_at
        else:
            self.cut_at = min(cut_at, self.cut_at)
        self.height = max(height, self.height)
        return WRITTEN

    cdef int keep(
        self, int32_t number, int target, Py_ssize_t content, Py_ssize_t met, int height, Py_ssize_t nodes
    ) except -1:
        cdef Subtree* subtrees
        cdef Subtree* kept
        cdef Py_ssize_t count = self.once(met)
        if self.subtrees_count == self.subtrees_capacity:
            subtrees = <Subtree*>PyMem_Realloc(self.subtrees, 2 * self.subtrees_capacity * sizeof(Subtree))
            if subtrees == NULL:
                raise MemoryError
            self.subtrees = subtrees
            self.subtrees_capacity *= 2
        kept = &self.subtrees[self.subtrees_count]
        kept[0] = Subtree(
            self.texts_kept.length, self.out.length - content, self.numbers_kept.length // 4, count, nodes, height
        )
        append(self.texts_kept, self.out.data + content, kept.length)
        append(self.numbers_kept, self.met.data + 4 * met, 4 * count)
        self.subtree_at.put(((<uint64_t>target + 1) << 32) | <uint32_t>number, self.subtrees_count)
        self.subtrees_count += 1
        return 0

    cdef int nothing(self, int32_t number, int target) except -1:
        """It is in the closure unless it is of a kind that can't stand here, published or not."""
        cdef Asset* asset = &self.assets[number]
        cdef char* text
        if asset.kind == NOT_ASKED:
            # Real archives refer to what is no URI at all: a hole for ever.
            text = self.uris.data + asset.uri
            if _is_uri(<const uint8_t*>text, asset.uri_length, self.id_max):
                asset.kind = self.kind_in(text, asset.uri_length)
            else:
                asset.kind = NO_URI
        if asset.kind == NO_URI or (asset.kind >= 0 and self.places[target * self.kinds_count + asset.kind].shape >= 0):
            self.meet(number)
        return NOTHING

    cdef int bare(self, int32_t number) except -1:
        append(self.out, b'{"uri":', 7)
        # It was not looked up, so it may be any text.
        write_text(
            self.out, <const uint8_t*>self.uris.data + self.assets[number].uri, self.assets[number].uri_length
        )
        append(self.out, b"}", 1)
        return WRITTEN

    # ------------------------------------------------------------------------------------------------------ rendering

    cdef int32_t rendered_of(self, int32_t number, int shape) except -2:
        """An asset in one of its kind's shapes, among those kept; -1 where nothing of it can be read."""
        cdef uint64_t key = ((<uint64_t>shape + 1) << 32) | <uint32_t>number
        cdef int32_t at = self.rendered_at.get(key)
        cdef Rendered* rendered
        cdef Py_ssize_t text = self.texts_kept.length, holes = self.numbers_kept.length // 4
        if at >= 0:
            return at
        if not self.render(number, shape, self.texts_kept, self.numbers_kept):
            return -1
        at = self.rendered_count
        if at == self.rendered_capacity:
            rendered = <Rendered*>PyMem_Realloc(self.rendered, 2 * self.rendered_capacity * sizeof(Rendered))
            if rendered == NULL:
                raise MemoryError
            self.rendered = rendered
            self.rendered_capacity *= 2
        self.rendered[at] = Rendered(
            text, self.texts_kept.length - text, holes, self.numbers_kept.length // 4
        )
        self.rendered_count += 1
        self.rendered_at.put(key, at)
        return at

    cdef bint render(self, int32_t number, int shape, Buffer text, Buffer holes) except -1:
        """Put an asset's text and holes, in one of its shapes, behind what is there; false where it can't be read."""
        cdef Asset* asset = &self.assets[number]
        cdef const char* payload = self.payloads.at(asset.payload, asset.length)
        cutter = self.cutters[asset.kind]
        if cutter is not None and (<Cutter>cutter).take(
            self.uris.data + asset.uri, asset.uri_length, <const uint8_t*>payload, asset.length
        ) == 0:
            asset.state = READ
            self.shape(<Cutter>cutter, &(<Cutter>cutter).shapes[shape], text, holes)
            return True
        value = PyBytes_FromStringAndSize(payload, asset.length)
        found = self.owner.render(asset.kind, asset.offset, self.uri(number), value, asset.owned)
        if found is None:
            asset.state = UNKNOWN
            return False
        asset.state = READ
        self.place(found[shape], text, holes)
        return True

    cdef int shape(self, Cutter cutter, const CutShape* shape, Buffer text, Buffer holes) except -1:
        """What was cut, in one shape."""
        cdef Py_ssize_t begun = text.length, at, end, number = 0, counted, ref
        cdef Hole* hole
        cdef int run, path
        append(text, cutter.text.data, cutter.ends[0])
        for run in range(shape.runs_count):
            at = cutter.ends[shape.runs[2 * run]]
            end = cutter.ends[shape.runs[2 * run + 1]]
            while number < cutter.holes_count and cutter.holes[number].start < at:
                number += 1
            while number < cutter.holes_count and cutter.holes[number].start < end:
                hole = &cutter.holes[number]
                path = shape.kept[hole.path]
                if path >= 0:
                    append(text, cutter.text.data + at, hole.start - at)
                    at = hole.end
                    put_number(holes, text.length - begun)
                    put_number(holes, path)
                    put_number(holes, hole.refs_end - hole.refs)
                    for ref in range(hole.refs, hole.refs_end):
                        if cutter.refs[ref].length < 0:
                            put_number(holes, cutter.refs[ref].length)
                        else:
                            put_number(
                                holes, self.referred(<const char*>cutter.refs[ref].text, cutter.refs[ref].length)
                            )
                number += 1
            append(text, cutter.text.data + at, end - at)
        return append(text, b"}", 1)

    cdef int place(self, rendered, Buffer text, Buffer holes) except -1:
        """What Python rendered."""
        cdef Py_ssize_t begun = text.length, counted
        cdef bytes piece
        if isinstance(rendered, bytes):
            return text.add_bytes(<bytes>rendered)
        pieces, filled = rendered
        text.add_bytes(<bytes?>pieces[0])
        for piece, (path, value) in zip(pieces[1:], filled):
            put_number(holes, text.length - begun)
            put_number(holes, path)
            counted = holes.length
            put_number(holes, 0)
            self.put(value, holes)
            (<int32_t*>(holes.data + counted))[0] = (holes.length - counted) // 4 - 1
            text.add_bytes(piece)
        return 0

    cdef int put(self, value, Buffer holes) except -1:
        cdef Py_ssize_t length = 0
        cdef const char* text
        if value is None:
            return put_number(holes, NULL_REF)
        if isinstance(value, str):
            text = PyUnicode_AsUTF8AndSize(value, &length)
            return put_number(holes, self.referred(text, length))
        put_number(holes, OPEN)
        for item in value:
            self.put(item, holes)
        return put_number(holes, CLOSE)


cdef inline int put_number(Buffer numbers, Py_ssize_t value) except -1:
    cdef int32_t number = value
    return append(numbers, <const char*>&number, 4)
