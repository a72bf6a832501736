"""PyPI's nyt-article-search, unmodified: generated from the API's official description, it refuses every other field."""

import warnings
from typing import Any

import httpx2
import pytest
import requests

from tests.support.courier import Courier

with warnings.catch_warnings():
    # Its code has escapes that a compiler warns of.
    warnings.simplefilter("ignore")
    from nyt_article_search import NytArticleSearch
    from nyt_article_search.models import Facet, FacetFields, FacetFilter, Sort
    from nyt_article_search.net.transport.request_error import RequestError


@pytest.fixture
def search(courier: Courier) -> Any:
    return NytArticleSearch(api_key="anything", base_url=f"{courier.url}/svc/search/v2").search.get_articlesearch_json


def test_an_answer_fits_the_models(search: Any, courier: Courier) -> None:
    told = search(q="ferry", sort=Sort.NEWEST, page=0)
    assert told.status == "OK"
    assert told.response.meta.offset == 0
    assert told.response.meta.hits >= len(told.response.docs) > 1
    for article in told.response.docs:
        data = courier.articles[article.uri]
        assert article.headline.main == data["headline"]
        assert article.section_name == data["section"]
        assert article.pub_date == data["published_at"].replace("Z", "+0000")
        assert [one.url for one in article.multimedia] == [courier.latest[uri]["url"] for uri in data["images"]]
        assert [one.firstname for one in article.byline.person] == [
            courier.latest[uri].get("first_name") or courier.latest[uri]["name"]
            for uri in data["bylines"]
            if courier.latest[uri]["type"] == "person"
        ]
        assert {one.value for one in article.keywords} <= {courier.latest[uri]["name"] for uri in data["tags"]}


def test_pages_and_dates(search: Any, courier: Courier) -> None:
    days = sorted(data["published_at"][:10] for data in courier.articles.values())
    wanted = [uri for uri, data in courier.articles.items() if days[5] <= data["published_at"][:10] <= days[60]]
    bounds = {"begin_date": days[5].replace("-", ""), "end_date": days[60].replace("-", ""), "sort": Sort.OLDEST}
    found: list[str] = []
    for page in range(8):
        told = search(**bounds, page=page).response
        assert (told.meta.hits, told.meta.offset) == (len(wanted), page * 10)
        found += [article.uri for article in told.docs]
    assert found == wanted[::-1]
    assert search(page=100).response.docs == []


def test_a_refusal_is_the_clients_error(search: Any) -> None:
    with pytest.raises(RequestError) as refused:
        search(fq="body:(")
    assert refused.value.status == 400


def test_what_its_models_have_no_place_for_is_kept_from_it_alone(search: Any, courier: Courier) -> None:
    """Its models take neither facets nor metadata, which others read."""
    told = search(facet=Facet.TRUE, facet_fields=FacetFields.SOURCE, facet_filter=FacetFilter.TRUE)
    assert told.response.meta.hits == len(courier.articles)
    assert search(facet=Facet.FALSE, fl="uri,headline").response.docs[0].headline.main
    url = f"{courier.url}/svc/search/v2/articlesearch.json"
    for parameters in (
        {"q": "ferry", "facet": "true"},
        {"api-key": "k", "q": "ferry"},
        {"q": "ferry", "sort": "newest"},
    ):
        assert "metadata" in requests.get(url, parameters, timeout=30).json()["response"]
    assert "metadata" in httpx2.get(url, params={"q": "ferry", "api-key": "k"}).json()["response"]
