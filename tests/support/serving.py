"""A server in a test's own process, on a small newsroom."""

from starlette.testclient import TestClient

from publog.server.app import build_app
from publog.server.newsroom import Newsroom
from tests.support.newsroom import Json, article, byline, image, unpublish

BASE = "http://127.0.0.1:8420"
ADA, FLOOD, PICTURE = "news://byline/ada", "news://article/flood", "news://image/flood"

HISTORY = [
    byline("ada", name="Ada"),
    image("flood", credit=ADA),
    article("flood", headline="Flood at the mill", byline=ADA, images=[PICTURE], tx="t"),
    article("storm", headline="Storm over the hills", byline=ADA, tx="t"),
    unpublish("news://article/storm"),
    byline("ada", name="Ada Lovelace"),
    article("calm", headline="Calm after the flood"),
    article("a/b 100%25/history", headline="An awkward name"),
]


def client_of(newsroom: Newsroom, *, is_loopback: bool = True) -> TestClient:
    return TestClient(build_app(newsroom, is_loopback=is_loopback), base_url=BASE)


def check_problem(answer: Json, status: int, code: str) -> Json:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:publog:problem:{code}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    return problem
