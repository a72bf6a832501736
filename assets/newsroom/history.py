"""A seeded history of an invented newsroom, of any length: what is published when, edited, withdrawn and brought back.

The messages stream; what is kept is a few bytes for each asset and the names of the unpublished ones, so that a history of
ten million messages fits a small machine. The payloads are made in payloads.py, again for each edit.
"""

from array import array
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from assets.newsroom.numbering import OPENING_BYLINES, OPENING_TAGS, bylines_at, hub, tags_at
from assets.newsroom.payloads import IMAGES_PER_ARTICLE_MAX, Data, Payloads

Message = dict[str, Any]
"""A message as `publog publish` reads it: uri, kind, op, time, tx where several belong together, data where it publishes."""

_START: Final = int(datetime(2012, 1, 2, 6, tzinfo=UTC).timestamp())

# The kinds, with portraits apart from the pictures of articles.
_ARTICLE, _IMAGE, _PORTRAIT, _BYLINE, _TAG = range(5)
_KINDS: Final = ("article", "image", "image", "byline", "tag")
_URIS: Final = ("news://article/", "news://image/", "news://image/portrait-", "news://byline/", "news://tag/")

# Shares of articles, pictures, portraits, bylines and (the rest) tags, added up.
_EDITED: Final = (0.80, 0.91, 0.92, 0.95)
_UNPUBLISHED: Final = (0.70, 0.95, 0.96, 0.97)

# How often something live is looked for; where most is unpublished, the first tag is edited instead.
_TRIES: Final = 8

# How slowly messages come in each hour of the day, in hundredths of the mean gap; its harmonic mean is about 100.
_PACE: Final = (
    260,
    320,
    380,
    380,
    300,
    180,
    110,
    80,
    70,
    65,
    65,
    70,
    75,
    80,
    75,
    70,
    65,
    60,
    65,
    80,
    100,
    130,
    170,
    210,
)


def history(
    messages: int,
    seed: int = 2026,
    *,
    edits: float = 0.10,
    unpublishes: float = 0.01,
    returns: float = 0.4,
    images_per_article: float = 0.95,
    messages_per_day: int = 2_000,
) -> Iterator[Message]:
    """Yields exactly `messages` messages, the same ones for the same arguments on every machine.

    `edits` and `unpublishes` are shares of all messages; `returns` is the share of what was unpublished that comes back.
    Whatever a message refers to was published before it or in its transaction, and is not unpublished at that moment.

    Raises ValueError for shares that leave nothing to publish for the first time, or a mean of pictures outside 0 to 1.
    """
    fresh = 1 - edits - unpublishes * (1 + returns)
    if min(edits, unpublishes, returns) < 0 or fresh < 0.1:
        raise ValueError(
            "edits, unpublishes and returns are shares from 0 on that leave a tenth of the messages for new assets"
        )
    if not 0 <= images_per_article <= 1:
        raise ValueError("images_per_article is a mean from 0 to 1")
    newsroom = _Newsroom(seed, images_per_article, messages_per_day)
    random = newsroom.random.random
    left = messages
    edits_due = unpublishes_due = returns_due = 0.0

    while left:
        batch = newsroom.publish_new()
        if len(batch) > left:
            break
        yield from batch
        left -= len(batch)
        if not newsroom.articles:
            continue
        # What is due is rounded at random, so that edits come irregularly but in the right number.
        edits_due += len(batch) * edits / fresh
        unpublishes_due += len(batch) * unpublishes / fresh
        returns_due += len(batch) * unpublishes * returns / fresh
        while left and edits_due > random():
            batch = newsroom.edit()[:left]
            yield from batch
            left -= len(batch)
            edits_due -= len(batch)
        if left and unpublishes_due > random() and (message := newsroom.unpublish()):
            yield message
            left -= 1
            unpublishes_due -= 1
        if left and returns_due > random() and (message := newsroom.publish_again()):
            yield message
            left -= 1
            returns_due -= 1
    # A transaction that is too long for the end is left out; edits of the first tag fill its place.
    for _ in range(left):
        yield newsroom.edit_first_tag()


class _Newsroom:
    """What has been published so far, and what may happen next: each method is one turn and returns its messages."""

    def __init__(self, seed: int, images_per_article: float, messages_per_day: int) -> None:
        self.random = Random(seed)  # noqa: S311 - a history, not a secret
        self._gone: set[str] = set()
        self._gone_list: list[tuple[int, int]] = []
        self._payloads = Payloads(seed, images_per_article, self._gone)
        # A turn has about two messages.
        self._gap_seconds = 2 * 86_400 / messages_per_day
        self._now = _START
        self._transactions = 0
        self._openings = OPENING_TAGS + OPENING_BYLINES
        # By article number: when it was first published, in seconds since _START.
        self._published = array("I")
        # By kind and number: how often it was edited; counts over 255 go on at 1, which only repeats an old wording.
        self._revisions = (bytearray(), bytearray(), bytearray(), bytearray(), bytearray())

    @property
    def articles(self) -> int:
        """How many articles have been published."""
        return len(self._published)

    def publish_new(self) -> list[Message]:
        """The first tags and bylines one by one; then an article with its pictures and the tags and bylines it brings."""
        self._advance()
        if self._openings:
            self._openings -= 1
            if self._openings >= OPENING_BYLINES:
                return [self._first(_TAG, len(self._revisions[_TAG]))]
            return self._transaction(self._new_byline())
        article = self.articles
        self._published.append(self._now - _START)
        messages = [self._first(_TAG, number) for number in range(len(self._revisions[_TAG]), tags_at(article))]
        for _ in range(len(self._revisions[_BYLINE]), bylines_at(article)):
            messages += self._new_byline()
        first_image = article * IMAGES_PER_ARTICLE_MAX
        self._revisions[_IMAGE].extend(bytes(IMAGES_PER_ARTICLE_MAX))
        messages += [self._message(_IMAGE, first_image + place) for place in range(self._payloads.images_of(article))]
        self._revisions[_ARTICLE].append(0)
        story = self._message(_ARTICLE, article)
        # In some transactions the story stands before what it refers to.
        if article % 8 == 5:
            messages.insert(0, story)
        else:
            messages.append(story)
        return self._transaction(messages)

    def edit(self) -> list[Message]:
        """An edit of something live, most often a recent article; sometimes its first picture is edited with it."""
        self._advance()
        for _ in range(_TRIES):
            kind, number = self._choose(_EDITED)
            if self._uri(kind, number) not in self._gone:
                break
        else:
            kind, number = _TAG, 0
        messages = [self._edit(kind, number)]
        if kind == _ARTICLE and self.random.random() < 0.05:
            picture = number * IMAGES_PER_ARTICLE_MAX
            if self._payloads.images_of(number) and self._uri(_IMAGE, picture) not in self._gone:
                messages.append(self._edit(_IMAGE, picture))
        return self._transaction(messages)

    def edit_first_tag(self) -> Message:
        """An edit that is always possible: the first tags and bylines are never unpublished."""
        self._advance()
        return self._edit(_TAG, 0)

    def unpublish(self) -> Message | None:
        """Withdraws something; or nothing, if what was chosen is gone already or is one of the first tags and bylines."""
        kind, number = self._choose(_UNPUBLISHED)
        uri = self._uri(kind, number)
        if uri in self._gone or (kind >= _PORTRAIT and number < OPENING_BYLINES):
            return None
        self._advance()
        self._gone.add(uri)
        self._gone_list.append((kind, number))
        return {"uri": uri, "kind": _KINDS[kind], "op": "unpublish", "time": self._payloads.stamp(self._now)}

    def publish_again(self) -> Message | None:
        """Brings back one of the unpublished, if there is any."""
        if not self._gone_list:
            return None
        self._advance()
        at = self.random.randrange(len(self._gone_list))
        self._gone_list[at], self._gone_list[-1] = self._gone_list[-1], self._gone_list[at]
        kind, number = self._gone_list.pop()
        self._gone.remove(self._uri(kind, number))
        return self._edit(kind, number)

    def _new_byline(self) -> list[Message]:
        number = len(self._revisions[_BYLINE])
        return [self._first(_PORTRAIT, number), self._first(_BYLINE, number)]

    def _choose(self, shares: tuple[float, float, float, float]) -> tuple[int, int]:
        """A kind by shares that add up, and one of its numbers."""
        articles = self.articles
        share, random = self.random.random(), self.random.random
        if share < shares[_IMAGE]:
            # Seven times of ten a recent article.
            if random() < 0.7:
                article = articles - 1 - hub(articles, self.random.getrandbits(32))
            else:
                article = int(random() * articles)
            if share >= shares[_ARTICLE] and (count := self._payloads.images_of(article)):
                return _IMAGE, article * IMAGES_PER_ARTICLE_MAX + int(random() * count)
            return _ARTICLE, article
        kind = _PORTRAIT if share < shares[_PORTRAIT] else _BYLINE if share < shares[_BYLINE] else _TAG
        return kind, int(random() * len(self._revisions[kind]))

    def _first(self, kind: int, number: int) -> Message:
        self._revisions[kind].append(0)
        return self._message(kind, number)

    def _edit(self, kind: int, number: int) -> Message:
        revisions = self._revisions[kind]
        revisions[number] = revisions[number] % 255 + 1
        return self._message(kind, number)

    def _message(self, kind: int, number: int) -> Message:
        revision, now = self._revisions[kind][number], self._now
        return {
            "uri": self._uri(kind, number),
            "kind": _KINDS[kind],
            "op": "publish",
            "time": self._payloads.stamp(now),
            "data": self._data(kind, number, revision, now),
        }

    def _data(self, kind: int, number: int, revision: int, now: int) -> Data:
        payloads = self._payloads
        if kind == _ARTICLE:
            return payloads.article(number, revision, _START + self._published[number], now)
        if kind == _IMAGE:
            article, place = divmod(number, IMAGES_PER_ARTICLE_MAX)
            return payloads.image(article, place, revision, _START + self._published[article])
        if kind == _PORTRAIT:
            return payloads.portrait(number, revision)
        if kind == _BYLINE:
            return payloads.byline(number, revision)
        return payloads.tag(number, revision)

    def _uri(self, kind: int, number: int) -> str:
        if kind == _IMAGE:
            return f"news://image/{number // IMAGES_PER_ARTICLE_MAX}-{number % IMAGES_PER_ARTICLE_MAX}"
        return f"{_URIS[kind]}{number}"

    def _transaction(self, messages: list[Message]) -> list[Message]:
        """The same messages, with a transaction's id where there are several."""
        if len(messages) > 1:
            self._transactions += 1
            tx = f"tx-{self._transactions}"
            for message in messages:
                data = message.pop("data")
                message["tx"] = tx
                message["data"] = data
        return messages

    def _advance(self) -> None:
        pace = _PACE[self._now // 3_600 % 24]
        self._now += 1 + int(self.random.random() * self._gap_seconds * pace / 50)
