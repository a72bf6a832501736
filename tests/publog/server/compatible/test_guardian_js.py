"""npm's guardian-js, unmodified, on Node."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.courier import Courier

pytestmark = pytest.mark.requires_tool("node", "npm")

Ask = Callable[..., list[Any]]
FERRY = "news/article/night-ferry-returns"


@pytest.fixture
def ask(courier: Courier, guardian_client: Path) -> Ask:
    """Calls of the client, each [endpoint, method, arguments...]; gives what came of each."""

    def asked(*calls: list[Any]) -> list[Any]:
        ended = subprocess.run(
            ["node", "guardian.js", courier.url, "anything"],
            cwd=guardian_client,
            input="".join(json.dumps(call) + "\n" for call in calls),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        told = [json.loads(line) for line in ended.stdout.splitlines()]
        assert len(told) == len(calls), ended.stderr
        return told

    return asked


def id_of(uri: str) -> str:
    return uri.replace("://", "/")


def ids(told: Any) -> list[str]:
    return [one["id"] for one in told["response"]["results"]]


def searched(ask: Ask, *filters: dict[str, Any], q: str = "") -> list[list[str]]:
    return [ids(told) for told in ask(*(["content", "search", q, {"pageSize": 200, **one}] for one in filters))]


def test_pages_hold_every_story_once(ask: Ask, courier: Courier) -> None:
    total = len(courier.articles)
    pages = ask(
        *(["content", "search", "", {"pageSize": 10, "page": page, "orderBy": "newest"}] for page in range(1, 11))
    )
    assert [id_ for page in pages for id_ in ids(page)] == [id_of(uri) for uri in courier.articles]
    for number, page in enumerate(pages, 1):
        envelope = {name: value for name, value in page["response"].items() if name != "results"}
        assert envelope == {
            "status": "ok",
            "userTier": "developer",
            "total": total,
            "startIndex": number * 10 - 9,
            "pageSize": 10,
            "currentPage": number,
            "pages": 10,
            "orderBy": "newest",
        }
    (beyond,) = ask(["content", "search", "", {"page": 11}])
    assert beyond == {"error": "requested page is beyond the number of available pages"}


def test_a_story_says_what_the_log_says(ask: Ask, courier: Courier) -> None:
    shown = dict.fromkeys(("showFields", "showTags", "showElements", "showBlocks"), "all")
    (told,) = ask(["content", "search", "", {"pageSize": 200, "showSection": "true", **shown}])
    stories = told["response"]["results"]
    assert [story["id"] for story in stories] == [id_of(uri) for uri in courier.articles]
    for story, (uri, data) in zip(stories, courier.articles.items(), strict=True):
        assert story["webTitle"] == data["headline"]
        assert story["webPublicationDate"] == data["published_at"]
        assert (story["webUrl"], story["apiUrl"]) == (data["web_url"], f"{courier.url}/{id_of(uri)}")
        assert (story["sectionId"], story["sectionName"]) == (data["section"].lower(), data["section"])
        assert story["section"]["id"] == story["sectionId"]
        fields = story["fields"]
        assert all(isinstance(value, str) for value in fields.values())
        assert fields["wordcount"] == str(data["word_count"])
        texts = [block["text"] for block in data["body"] if block.get("text")]
        assert fields["bodyText"] == "\n".join(texts)
        assert fields["charCount"] == str(len(fields["bodyText"]))
        assert fields["body"].count("<p>") == len(texts)
        assert fields["lastModified"] == data["updated_at"]
        assert fields.get("starRating") == (None if data["star_rating"] is None else str(data["star_rating"]))
        people = [courier.latest[byline] for byline in data["bylines"]]
        tags = [courier.latest[tag] for tag in data["tags"]]
        assert [tag["webTitle"] for tag in story["tags"]] == [one["name"] for one in [*tags, *people]]
        contributors = [tag for tag in story["tags"] if tag["type"] == "contributor"]
        assert [tag["id"] for tag in contributors] == [id_of(byline) for byline in data["bylines"]]
        pictures = [one for one in story["elements"] if one["relation"] == "body"]
        images = [image for image in data["images"] if image in courier.latest]
        assert [one["id"] for one in pictures] == [id_of(image) for image in images]
        assert [one["assets"][0]["file"] for one in pictures] == [courier.latest[image]["url"] for image in images]
        assert story["blocks"]["body"][0]["bodyTextSummary"] == fields["bodyText"]
        assert ("main" in story["blocks"]) == (data["lead_image"] in courier.latest)


def test_only_what_is_asked_for_is_shown(ask: Ask) -> None:
    plain, some, tagged = ask(
        ["content", "search", "ferry", {}],
        ["content", "search", "ferry", {"showFields": "headline,wordcount,score"}],
        ["content", "search", "ferry", {"showTags": "contributor,tone"}],
    )
    assert not {"fields", "tags", "elements", "blocks", "section"} & plain["response"]["results"][0].keys()
    assert set(some["response"]["results"][0]["fields"]) == {"headline", "wordcount"}
    kinds = {tag["type"] for story in tagged["response"]["results"] for tag in story["tags"]}
    assert "contributor" in kinds <= {"contributor", "tone"}


def test_filters_are_boolean_lists(ask: Ask, courier: Courier) -> None:
    def those(uris: list[str]) -> list[str]:
        return [id_of(uri) for uri in courier.articles if uri in uris]

    city, climate = courier.where(section="City"), courier.where(section="Climate")
    ferries, buses = courier.tagged("subject", "Ferries"), courier.tagged("subject", "Buses")
    tags = {data["name"]: id_of(uri) for uri, data in courier.latest.items() if uri.startswith("news://tag/")}
    (person, written), *_ = [
        (uri, [article for article, data in courier.articles.items() if uri in data["bylines"]])
        for uri in courier.latest
        if uri.startswith("news://byline/")
    ]
    assert ferries
    assert buses
    assert searched(
        ask,
        {"section": "city"},
        {"section": "city|climate"},
        {"section": "-city"},
        {"section": "-(city|climate)"},
        {"section": "city", "tag": tags["Ferries"]},
        {"tag": f"{tags['Ferries']},{tags['Buses']}"},
        {"tag": f"{tags['Ferries']}|{tags['Buses']}"},
        {"tag": f"{tags['Ferries']},-{tags['Buses']}"},
        {"tag": id_of(person)},
        {"tag": "news/tag/nothing"},
        {"productionOffice": "calder-bay", "lang": "en-GB"},
        {"ids": f"{id_of(city[0])},{id_of(climate[0])}"},
        {"starRating": "4|5"},
    ) == [
        those(city),
        those([*city, *climate]),
        those([uri for uri in courier.articles if uri not in city]),
        those([uri for uri in courier.articles if uri not in city and uri not in climate]),
        those([uri for uri in city if uri in ferries]),
        those([uri for uri in ferries if uri in buses]),
        those([*ferries, *buses]),
        those([uri for uri in ferries if uri not in buses]),
        those(written),
        [],
        those(list(courier.articles)),
        those([city[0], climate[0]]),
        those([*courier.where(star_rating=4), *courier.where(star_rating=5)]),
    ]


def test_dates_and_orders(ask: Ask, courier: Courier) -> None:
    articles = courier.articles
    days = sorted(data["published_at"][:10] for data in articles.values())

    def between(first: str, last: str, name: str) -> list[str]:
        return [id_of(uri) for uri, data in articles.items() if data.get(name) and first <= data[name][:10] <= last]

    first, last = days[10], days[40]
    found = searched(
        ask,
        {"fromDate": first, "toDate": last},
        {"fromDate": first, "toDate": last, "orderBy": "oldest"},
        {"fromDate": first, "toDate": last, "useDate": "last-modified"},
        {"fromDate": first, "toDate": last, "useDate": "newspaper-edition"},
        {"fromDate": first, "toDate": last, "useDate": "first-publication"},
    )
    assert found[0] == between(first, last, "published_at")
    assert found[1] == found[0][::-1]
    assert found[2] == between(first, last, "updated_at") != found[0]
    assert found[3] == between(first, last, "print_date") != []
    assert found[4] == between(first, last, "first_published_at")


def test_every_date_makes_an_order(ask: Ask, courier: Courier) -> None:
    for name, field in (
        ("last-modified", "updated_at"),
        ("newspaper-edition", "print_date"),
        ("published", "published_at"),
    ):
        newest, oldest = searched(ask, {"orderDate": name}, {"orderDate": name, "orderBy": "oldest"})
        assert set(newest) == set(oldest) == {id_of(uri) for uri in courier.articles}
        dates = {id_of(uri): data.get(field) for uri, data in courier.articles.items()}
        dated = sorted((date for date in dates.values() if date), reverse=True)
        assert [dates[id_] for id_ in newest] == dated + [None] * (len(newest) - len(dated))
        assert [dates[id_] for id_ in oldest] == dated[::-1] + [None] * (len(newest) - len(dated))


def test_words(ask: Ask, courier: Courier) -> None:
    ((everywhere,), (in_headline,), (phrase,), (without,)) = (
        searched(ask, {}, q="ferry"),
        searched(ask, {"queryFields": "headline"}, q="ferry"),
        searched(ask, {}, q='"night ferry"'),
        searched(ask, {}, q="ferry AND NOT (night OR bus)"),
    )
    assert FERRY in phrase
    assert set(phrase) < set(everywhere)
    assert set(in_headline) < set(everywhere)
    assert set(without) < set(everywhere)
    assert not set(without) & set(phrase)
    headlines = {id_of(uri): data["headline"].lower() for uri, data in courier.articles.items()}
    assert all("ferr" in headlines[id_] for id_ in in_headline)


def test_every_id_leads_to_its_item(ask: Ask, courier: Courier) -> None:
    tag = next(uri for uri in courier.latest if uri.startswith("news://tag/"))
    person = next(uri for uri in courier.latest if uri.startswith("news://byline/"))
    story, topic, contributor, section, nothing, odd = ask(
        ["item", "getById", FERRY],
        ["item", "getById", id_of(tag)],
        ["item", "getById", id_of(person)],
        ["item", "getById", "city"],
        ["item", "getById", "news/article/nothing"],
        ["item", "getById", "a/b/c/d"],
    )
    assert story["response"]["content"]["webTitle"] == courier.latest["news://article/night-ferry-returns"]["headline"]
    assert topic["response"]["tag"]["webTitle"] == courier.latest[tag]["name"]
    assert topic["response"]["results"][0]["id"] in [id_of(uri) for uri in courier.articles]
    assert contributor["response"]["tag"]["type"] == "contributor"
    assert section["response"]["section"]["webTitle"] == "City"
    assert section["response"]["total"] == len(courier.where(section="City"))
    assert "there is no story" in nothing["error"]
    assert "there is no story" in odd["error"]


def test_tags_sections_and_editions(ask: Ask, courier: Courier) -> None:
    everything = {uri: data for uri, data in courier.latest.items() if uri.split("/")[2] in ("tag", "byline")}
    keywords = {uri for uri, data in everything.items() if "/tag/" in uri and data["type"] not in ("series", "tone")}
    tags, of_type, others, named, words, sections, some, editions = ask(
        ["tags", "search", "", {"pageSize": 200}],
        ["tags", "search", "", {"pageSize": 200, "type": "keyword"}],
        ["tags", "search", "", {"pageSize": 200, "type": "-keyword"}],
        ["tags", "search", "", {"webTitle": "Ferries"}],
        ["tags", "search", "ferries", {"section": "city|climate"}],
        ["sections", "search"],
        ["sections", "search", "cit"],
        ["editions", "search"],
    )
    assert set(ids(tags)) == {id_of(uri) for uri in everything}
    assert set(ids(of_type)) == {id_of(uri) for uri in keywords}
    assert set(ids(others)) == {id_of(uri) for uri in everything.keys() - keywords}
    assert {one["webTitle"] for one in named["response"]["results"]} == {"Ferries"}
    assert all(one["sectionId"] in ("city", "climate") for one in words["response"]["results"])
    names = {data["section"] for data in courier.articles.values()}
    assert {one["webTitle"] for one in sections["response"]["results"]} == names
    assert ids(some) == ["city"]
    assert ids(editions) == ["calder-bay"]


def test_pages_of_tags_go_on_from_one_kind_to_the_next(ask: Ask) -> None:
    (whole,) = ask(["tags", "search", "", {"pageSize": 200}])
    pages = ask(
        *(
            ["tags", "search", "", {"pageSize": 7, "page": page}]
            for page in range(1, whole["response"]["total"] // 7 + 2)
        )
    )
    assert [id_ for page in pages for id_ in ids(page)] == ids(whole)


def test_what_is_refused_is_told(ask: Ask) -> None:
    for told in ask(
        ["content", "search", "", {"pageSize": 201}],
        ["content", "search", "", {"page": 0}],
        ["content", "search", "", {"section": "city,"}],
        ["content", "search", "", {"fromDate": "yesterday"}],
        ["content", "search", "", {"verbose": 1}],
        ["content", "search", "", {"format": "xml"}],
        ["content", "search", "", {"showFields": "nothing"}],
        ["content", "search", "", {"orderDate": "tomorrow"}],
        ["tags", "search", "", {"type": "((keyword"}],
    ):
        assert told["error"], told


@pytest.mark.parametrize(
    "query",
    [
        "",
        "q=ferry",
        "q=ferry&order-by=oldest",
        "order-by=oldest&order-date=newspaper-edition",
        "section=city|climate&order-by=oldest&page-size=3",
    ],
)
def test_deep_paging_visits_every_result_once(courier: Courier, query: str) -> None:
    def get(path: str) -> Any:
        answer = httpx2.get(f"{courier.url}{path}?{query}&api-key=x")
        assert answer.status_code == 200, answer.text
        return answer.json()["response"]

    page = get("/search")
    visited = [one["id"] for one in page["results"]]
    while page["results"]:
        page = get(f"/content/{visited[-1]}/next")
        visited += [one["id"] for one in page["results"]]
    assert len(visited) == len(set(visited)) == page["total"] > 10
    for wrong in ("news/article/nothing", "nothing", "%F0%9F%A6%8A"):
        answer = httpx2.get(f"{courier.url}/content/{wrong}/next?api-key=x")
        assert answer.status_code == 400
        assert "is no hit of this search" in answer.json()["message"]
