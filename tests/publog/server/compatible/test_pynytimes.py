"""PyPI's pynytimes, unmodified: it takes the server for a proxy, so that its own addresses lead there."""

from collections.abc import Generator
from datetime import UTC, date, datetime
from typing import Any

import pynytimes
import pytest

from tests.support.courier import Courier

FERRY = "news://article/night-ferry-returns"


@pytest.fixture
def nyt(courier: Courier, monkeypatch: pytest.MonkeyPatch) -> Generator[Any]:
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", courier.url)
    monkeypatch.setenv("http_proxy", courier.url)
    with pynytimes.NYTAPI("anything", https=False, parse_dates=True) as client:
        yield client


def uris(documents: list[Any]) -> list[str]:
    return [document["uri"] for document in documents]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_a_search_goes_through_every_page(nyt: Any, courier: Courier) -> None:
    found = nyt.article_search(options={"sort": "newest"}, results=99)
    assert uris(found) == list(courier.articles)[:99]
    assert len(courier.articles) > 90
    for document in found:
        data = courier.articles[document["uri"]]
        assert document["_id"] == document["uri"]
        assert document["pub_date"] == moment(data["published_at"])
        assert document["headline"]["main"] == data["headline"]
        assert (document["abstract"], document["web_url"]) == (data["summary"], data["web_url"])
        assert (document["word_count"], document["print_page"]) == (data["word_count"], data.get("print_page"))


def test_a_document_has_its_people_pictures_and_keywords(nyt: Any, courier: Courier) -> None:
    (document,) = [one for one in nyt.article_search("ferry", results=30) if one["uri"] == FERRY]
    data = courier.latest[FERRY]
    people = [courier.latest[uri] for uri in data["bylines"]]
    names = [(person["firstname"], person["lastname"]) for person in document["byline"]["person"]]
    assert names == [(person["first_name"], person["last_name"]) for person in people]
    assert document["byline"]["original"] == "By " + " and ".join(person["name"] for person in people)
    pictures = [courier.latest[uri] for uri in data["images"]]
    assert [one["url"] for one in document["multimedia"]] == [picture["url"] for picture in pictures]
    assert document["multimedia"][0]["credit"] == courier.latest[pictures[0]["credit"]]["name"]
    tags = [courier.latest[uri] for uri in data["tags"]]
    names = {"subject": "subject", "organization": "organizations", "place": "glocations", "person": "persons"}
    expected = [(names[tag["type"]], tag["name"]) for tag in tags if tag["type"] in names]
    assert [(keyword["name"], keyword["value"]) for keyword in document["keywords"]] == expected
    assert [keyword["rank"] for keyword in document["keywords"]] == list(range(1, len(expected) + 1))


def test_words_are_found_and_the_best_comes_first(nyt: Any, courier: Courier) -> None:
    found = nyt.article_search("night ferry", options={"sort": "relevance"}, results=20)
    assert FERRY in uris(found[:3])
    assert all(FERRY in uris(nyt.article_search(text)) for text in ('"night ferry"', "ferry AND quay", "ferry NOT bus"))


def test_dates_are_both_included(nyt: Any, courier: Courier) -> None:
    days = sorted({data["published_at"][:10] for data in courier.articles.values()})
    begin, end = date.fromisoformat(days[3]), date.fromisoformat(days[9])
    found = nyt.article_search(dates={"begin": begin, "end": end}, options={"sort": "oldest"}, results=90)
    between = [uri for uri, data in courier.articles.items() if days[3] <= data["published_at"][:10] <= days[9]]
    assert uris(found) == between[::-1]


def test_every_filter_that_the_client_has(nyt: Any, courier: Courier) -> None:
    def of(**options: Any) -> set[str]:
        return set(uris(nyt.article_search(options=options, results=99)))

    assert of(section_name=["City", "Food"]) == {*courier.where(section="City"), *courier.where(section="Food")}
    assert of(news_desk=["Arts"]) == set(courier.where(desk="Arts"))
    assert of(source=["Calder Bay Courier"]) == set(courier.articles)
    assert of(source=["Another"]) == set()
    assert of(type_of_material=["Review"]) == set(courier.where(type_of_material="Review")) != set()
    assert of(subject=["Ferries"]) == set(courier.tagged("subject", "Ferries")) != set()
    assert of(subject=["Ferries", "Buses"]) == {
        *courier.tagged("subject", "Ferries"),
        *courier.tagged("subject", "Buses"),
    }
    places = {data["name"] for data in courier.latest.values() if data.get("type") == "place"}
    for place in sorted(places)[:2]:
        assert of(glocation=[place]) == set(courier.tagged("place", place))
    assert FERRY in of(headline=["ferry"]) < {FERRY, *of(body=["ferry"]), *of(headline=["ferry"])}
    assert of(section_name=["City"], subject=["Ferries"]) == of(section_name=["City"]) & of(subject=["Ferries"])
    assert of(fq='NOT section_name:"City"', source=["Calder Bay Courier"]) == of() - of(section_name=["City"])


def test_what_the_api_refuses_is_an_error_of_the_client(nyt: Any) -> None:
    with pytest.raises(ValueError, match="400"):
        nyt.article_search(options={"fq": "section_name:("})
    with pytest.raises(ValueError, match="400"):
        nyt.article_search(options={"fq": "no_such_field:1"})
    with pytest.raises(ValueError, match="Section is not a valid option"):
        nyt.latest_articles(section="nowhere")
    with pytest.raises(RuntimeError, match="404"):
        nyt.article_metadata("https://courier.example/nothing")


def test_a_month_of_the_archive_is_whole(nyt: Any, courier: Courier) -> None:
    for month in sorted({data["published_at"][:7] for data in courier.articles.values()}):
        found = nyt.archive_metadata(date.fromisoformat(f"{month}-01"))
        of_month = [uri for uri, data in courier.articles.items() if data["published_at"].startswith(month)]
        assert uris(found) == of_month[::-1]
        assert all(document["pub_date"].strftime("%Y-%m") == month for document in found)
    assert nyt.archive_metadata(date(1999, 1, 1)) == []


def test_the_newswire_gives_the_latest(nyt: Any, courier: Courier) -> None:
    assert uris(nyt.latest_articles()) == list(courier.articles)[:20]
    for source in ("all", "nyt", "inyt"):
        found = nyt.latest_articles(source=source, section="climate")
        assert uris(found) == courier.where(section="Climate")[:20]
        for story in found:
            data = courier.articles[story["uri"]]
            assert (story["title"], story["url"]) == (data["headline"], data["web_url"])
            assert story["updated_date"] == moment(data["updated_at"])
            assert story["published_date"] == moment(data["published_at"])
            subjects = [courier.latest[tag]["name"] for tag in data["tags"] if courier.latest[tag]["type"] == "subject"]
            assert story["des_facet"] == subjects


def test_a_story_is_found_by_its_page(nyt: Any, courier: Courier) -> None:
    for uri, data in list(courier.articles.items())[:3]:
        (story,) = nyt.article_metadata(data["web_url"])
        assert (story["uri"], story["title"]) == (uri, data["headline"])


def test_the_sections_lead_to_their_stories(nyt: Any, courier: Courier) -> None:
    sections = nyt.section_list()
    assert {one["display_name"] for one in sections} == {data["section"] for data in courier.articles.values()}
    for one in sections:
        found = nyt.latest_articles(section=one["section"])
        assert uris(found) == courier.where(section=one["display_name"])[:20]
