"""What the assets of the generated history say: each payload is a pure function of seed, asset and revision.

Nothing is kept of an asset but its number, so an edit makes the whole payload again.
"""

from collections.abc import Set as AbstractSet
from datetime import date
from hashlib import blake2b
from struct import Struct
from typing import Any, Final

from assets.newsroom.numbering import (
    SECTIONS,
    TREE_SIZE,
    bylines_at,
    hub,
    is_photographer,
    photographer,
    tag_parent,
    tag_place,
    tag_section,
    tags_at,
    writer,
)
from assets.newsroom.prose import PARAGRAPH_BYTES, Section, vocabulary

Data = dict[str, Any]

IMAGES_PER_ARTICLE_MAX: Final = 3

_SITE: Final = "https://courier.example"
_PICTURES: Final = "https://pictures.courier.example"
_PAPER: Final = "Calder Bay Courier"

# Eight numbers of 32 bits and 32 of 8 from one digest.
_PICKS: Final = Struct("<8I32s")
_Drawn = tuple[int, int, int, int, int, int, int, int, bytes]
# The picks of a revision that changes nothing: each of them is too high for any change.
_NO_CHANGES: Final = bytes([255]) * 64

_CROPS: Final = (("wide", 1600, 900), ("square", 800, 800), ("thumbnail", 150, 150))
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_MINUTES: Final = tuple(f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440))
_SECONDS: Final = tuple(f"{second:02d}Z" for second in range(60))


class Payloads:
    """The payloads of one seed's newsroom; `gone` holds the URIs that nothing may refer to at present.

    Times are whole seconds since 1970. Revision 0 is an asset's first; how later ones differ is up to each kind.
    """

    def __init__(self, seed: int, images_per_article: float, gone: AbstractSet[str]) -> None:
        self._words = vocabulary()
        self._digest_of = f"{seed}/%d/%d/%d"
        self._gone = gone
        # Of 256 articles, so many have at least one, two and three pictures.
        self._images_at_least = tuple(min(256, int(256 * share * images_per_article)) for share in (0.72, 0.22, 0.06))
        self._days: dict[int, str] = {}
        self._names: dict[int, str] = {}
        self._stamped_second = -1
        self._stamped = ""
        self._drawn_article = -1
        self._drawn: _Drawn

    def article(self, number: int, revision: int, published: int, now: int) -> Data:
        """An article. An edit rewrites a paragraph and perhaps the headline, corrects, or changes what it refers to."""
        words = self._words
        drawn = self._draw(number)
        _, _, _, _, _, w5, _, w7, picks = drawn
        changes = self._digest(0, number, revision) if revision else _NO_CHANGES
        tags, bylines = _article_references(number, drawn, changes)
        section = words.sections[tag_section(tags[0])]
        claim, style = w7 & 255, picks[3]
        if changes[1] < 90:
            claim, style = section.next_claim(claim), changes[3]
        place = f"{words.place_prefixes[picks[5]]} {words.place_roots[picks[6]]}".lstrip()
        lead = f"{section.openings[claim]}, {section.roles[picks[7]]} said in {place}, {words.asides[picks[8]]}."
        texts = [lead, *self._paragraphs(number, section, changes)]
        images = self._article_images(number, drawn)
        updated_at = self.stamp(now)
        published_at = self.stamp(published) if revision else updated_at
        path = f"{section.slug}/{self._day(published)}/{number}"
        is_corrected = changes[4] < 50
        data: Data = {
            "headline": words.headline(section, claim, style),
            "summary": f"{section.openings[claim]}. {words.endings[picks[10]]}",
            "lead_paragraph": lead,
            "body": self._body(number, picks, section, texts, images),
            "section": section.name,
            "subsection": section.subsections[picks[17]],
            "desk": section.desk,
            "pillar": section.pillar,
            "source": words.sources[picks[18]],
            "type_of_material": words.materials[picks[19]],
            "status": "corrected" if is_corrected else "developing" if picks[9] < 12 and not revision else "published",
            "published_at": published_at,
            "first_published_at": published_at,
            "updated_at": updated_at,
            "word_count": " ".join(texts).count(" ") + 1,
            "path": path,
            "web_url": f"{_SITE}/{path}",
            "byline_line": "By " + " and ".join([self.person_name(byline) for byline in bylines]),
            "bylines": self._live([f"news://byline/{byline}" for byline in bylines]),
            "tags": self._live([f"news://tag/{tag}" for tag in tags]),
        }
        if images:
            data["images"] = images
            data["lead_image"] = images[0]
        if picks[20] < 70:
            data["kicker"] = words.kickers[picks[21]]
        if picks[22] < 60:
            data["print_headline"] = section.headlines[claim]
            data["print_date"] = self._day(published + 86_400)
            data["print_section"] = "ABCD"[picks[23] & 3]
            data["print_page"] = str(1 + picks[24] % 24)
        if number and picks[25] < 80:
            data["related"] = self._live([f"news://article/{number - 1 - hub(number, w5)}"])
        if is_corrected:
            data["corrections"] = [{"date": self._day(now), "text": words.corrections[changes[5]]}]
        return data

    def images_of(self, article: int) -> int:
        """How many pictures are published with that article."""
        pick = self._draw(article)[8][0]
        one, two, three = self._images_at_least
        return (pick < one) + (pick < two) + (pick < three)

    def image(self, article: int, place: int, revision: int, taken: int) -> Data:
        """The picture at that place of an article's own. An edit crops it anew, changes its caption, perhaps its credit."""
        words = self._words
        number = article * IMAGES_PER_ARTICLE_MAX + place
        picks = self._digest(2, number, 0)
        changes = self._digest(2, number, revision) if revision else picks
        w0, _, _, _, _, _, _, claim, _ = self._draw(article)
        section = words.sections[tag_section(hub(tags_at(article), w0))]
        thing = section.things[claim & 255 if place == 0 else picks[1]]
        where = f"{words.place_prefixes[picks[2]]} {words.place_roots[picks[3]]}".lstrip()
        credited = changes if changes[14] < 128 else picks
        credit = photographer(bylines_at(article), int.from_bytes(credited[4:8], "little"))
        base = f"{_PICTURES}/{article}/{place}"
        version = f".{revision}" if revision else ""
        return {
            "url": f"{base}/original.jpg",
            "caption": f"{words.shots[picks[8]]} {thing} in {where}, {words.moments[changes[9]]}.",
            "alt": f"{words.shots[picks[8]]} {thing}",
            "credit": self._live_or_null(f"news://byline/{credit}"),
            "credit_line": f"{self.person_name(credit)} for the {_PAPER}",
            "source": words.picture_sources[picks[10]],
            "location": where,
            "taken_at": self.stamp(taken - 60 * picks[11]),
            "width": 2400,
            "height": 1600 if picks[12] & 1 else 1350,
            "mime": "image/jpeg",
            "crops": [
                {"name": name, "url": f"{base}/{name}{version}.jpg", "width": width, "height": height}
                for name, width, height in _CROPS[: 1 + changes[13] % 3]
            ],
        }

    def portrait(self, byline: int, revision: int) -> Data:
        """The portrait of a byline. A photographer's is a self-portrait: a cycle of references."""
        picks = self._digest(3, byline, revision)
        credit = byline if is_photographer(byline) else photographer(byline, int.from_bytes(picks[4:8], "little"))
        name = self.person_name(byline)
        version = f".{revision}" if revision else ""
        square = f"{_PICTURES}/portraits/{byline}-square{version}.jpg"
        return {
            "url": f"{_PICTURES}/portraits/{byline}.jpg",
            "type": "portrait",
            "caption": f"{name} of the {_PAPER}.",
            "alt": f"A portrait of {name}",
            "credit": self._live_or_null(f"news://byline/{credit}"),
            "width": 1000,
            "height": 1200,
            "mime": "image/jpeg",
            "crops": [{"name": "square", "url": square, "width": 400, "height": 400}],
        }

    def byline(self, number: int, revision: int) -> Data:
        """A byline. An edit moves the person to another job, or takes another name after an odd number of edits."""
        words = self._words
        picks = self._digest(4, number, 0)
        first, last = words.first_names[picks[0]], words.last_names[picks[1]]
        if revision & 1:
            last = f"{last}-{words.last_names[self._digest(4, number, revision)[0]]}"
        section = words.sections[(picks[2] + revision) % len(words.sections)]
        beat = section.topics[picks[6] & 7].lower()
        takes_pictures = is_photographer(number)
        title = "Photographer" if takes_pictures else words.titles[picks[3]]
        where = words.place_roots[picks[4]]
        slug = f"{first}-{last}-{number}".lower()
        data: Data = {
            "name": f"{first} {last}",
            "first_name": first,
            "last_name": last,
            "title": title,
            "role": "photographed" if takes_pictures else "reported",
            "organization": words.sources[picks[5]],
            "bio": f"{first} {last} has covered {beat} from {where} since {1985 + picks[7] % 35}.",
            "location": where,
            "slug": slug,
            "photo": self._live_or_null(f"news://image/portrait-{number}"),
        }
        if picks[8] < 100:
            data["social"] = [{"network": "post.example", "handle": f"@{slug}"}]
        return data

    def tag(self, number: int, revision: int) -> Data:
        """A tag. An edit rewrites its description; one in four takes it out of its tree."""
        words = self._words
        kind, index = tag_place(number)
        name = self._tag_name(number)
        section = words.sections[tag_section(number)]
        changes = self._digest(5, number, revision)
        data: Data = {
            "name": name,
            "type": kind,
            "description": f"News and comment about {name}. {words.endings[changes[0]]}",
            "section": section.name,
            "slug": f"{section.slug}-{number}",
        }
        parent = tag_parent(kind, index)
        if parent is not None and not (revision and changes[1] < 64):
            data["parent"] = self._live_or_null(f"news://tag/{parent}")
        if revision & 1:
            data["aliases"] = [f"{name} news"]
        return data

    def person_name(self, byline: int) -> str:
        """The name of a byline before any edit."""
        name = self._names.get(byline)
        if name is None:
            picks = self._digest(4, byline, 0)
            name = self._names[byline] = f"{self._words.first_names[picks[0]]} {self._words.last_names[picks[1]]}"
        return name

    def stamp(self, second: int) -> str:
        """Seconds since 1970 as RFC 3339 text in UTC."""
        if second != self._stamped_second:
            self._stamped_second = second
            of_day = second % 86_400
            self._stamped = self._day(second) + _MINUTES[of_day // 60] + _SECONDS[of_day % 60]
        return self._stamped

    def _article_images(self, number: int, drawn: _Drawn) -> list[str]:
        """An article's own pictures, or for some that have none an older article's, used again."""
        _, _, _, _, _, _, w6, _, picks = drawn
        count = self.images_of(number)
        if count:
            return self._live([f"news://image/{number}-{place}" for place in range(count)])
        if number and picks[11] < 64:
            older = hub(number, w6)
            if self.images_of(older):
                return self._live([f"news://image/{older}-0"])
        return []

    def _paragraphs(self, number: int, section: Section, changes: bytes) -> list[str]:
        picks = self._digest(1, number, 0)
        paragraph = self._words.paragraph
        end = (2 + picks[63] % 3) * PARAGRAPH_BYTES
        paragraphs = [paragraph(section, picks, at) for at in range(0, end, PARAGRAPH_BYTES)]
        if changes is not _NO_CHANGES:
            paragraphs[changes[0] % len(paragraphs)] = paragraph(section, changes, PARAGRAPH_BYTES)
        return paragraphs

    def _body(self, number: int, picks: bytes, section: Section, texts: list[str], images: list[str]) -> list[Data]:
        words = self._words
        body: list[Data] = [{"type": "text", "text": text} for text in texts]
        if images and picks[12] & 1:
            body.insert(2, {"type": "image", "image": images[0]})
        if picks[13] < 40:
            body.insert(3, {"type": "quote", "text": words.quotes[picks[14]], "attribution": section.roles[picks[15]]})
        if picks[16] < 12:
            body.append({"type": "embed", "embed_url": f"{_SITE}/charts/{number}"})
        return body

    def _draw(self, article: int) -> _Drawn:
        """All that is random about an article's first revision; kept for the one article that is being published."""
        if self._drawn_article != article:
            self._drawn_article = article
            self._drawn = _PICKS.unpack(self._digest(0, article, 0))
        return self._drawn

    def _tag_name(self, number: int) -> str:
        words = self._words
        kind, index = tag_place(number)
        picks = self._digest(5, number, 0)
        if kind == "person":
            return f"{words.first_names[picks[1]]} {words.last_names[picks[2]]}"
        if kind == "place":
            return f"{words.place_prefixes[index & 255]} {words.place_roots[picks[3]]}".lstrip()
        if kind == "organization":
            return f"{words.place_roots[picks[3]]} {words.bodies[index & 255]}"
        if kind == "creative_work":
            return f"The {words.work_adjectives[picks[4]]} {words.work_nouns[picks[5]]}"
        if kind == "series":
            return f"{words.series[picks[6]]} {1 + index}"
        if kind == "tone":
            return words.tones[index]
        section = words.sections[tag_section(number)]
        tree, member = divmod(index // SECTIONS, TREE_SIZE)
        name = f"{section.topics[tree & 7]} {words.aspects[member]}".rstrip()
        return name if tree < 8 else f"{name} in {words.place_roots[tree >> 3 & 15]}"

    def _live(self, uris: list[str]) -> list[str]:
        gone = self._gone
        for uri in uris:
            if uri in gone:
                return [uri for uri in uris if uri not in gone]
        return uris

    def _live_or_null(self, uri: str) -> str | None:
        return None if uri in self._gone else uri

    def _day(self, second: int) -> str:
        day = second // 86_400
        text = self._days.get(day)
        if text is None:
            text = self._days[day] = date.fromordinal(_EPOCH_DAY + day).isoformat()
        return text

    def _digest(self, family: int, number: int, revision: int) -> bytes:
        return blake2b((self._digest_of % (family, number, revision)).encode(), digest_size=64).digest()


def _article_references(number: int, drawn: _Drawn, changes: bytes) -> tuple[list[int], list[int]]:
    """The tags and the bylines of an article, by number."""
    w0, w1, w2, w3, w4, w5, w6, _, picks = drawn
    tag_count, byline_count = tags_at(number), bylines_at(number)
    tags = [hub(tag_count, w0), hub(tag_count, w1), hub(tag_count, w2)][: 1 + picks[1] % 3]
    if number and tag_count > tags_at(number - 1):
        tags.append(tag_count - 1)
    if changes[6] < 40 and len(tags) > 1:
        tags.pop()
    elif changes[6] < 100:
        tags.append(hub(tag_count, w6))
    bylines = [writer(byline_count, w5 if changes[7] < 30 else w3)]
    if picks[2] < 50:
        bylines.append(writer(byline_count, w4))
    return list(dict.fromkeys(tags)), list(dict.fromkeys(bylines))
