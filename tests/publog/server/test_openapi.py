"""The OpenAPI description says what there is: every route, and no parameter that is not taken."""

from urllib.parse import quote

from starlette.testclient import TestClient

from publog.server.app import table
from publog.server.metrics import Metrics
from publog.server.newsroom import Newsroom
from tests.support.newsroom import Json, byline
from tests.support.serving import FLOOD


def described(client: TestClient) -> Json:
    return client.get("/openapi.json").json()


def test_every_route_is_in_it_and_nothing_else(newsroom: Newsroom, client: TestClient) -> None:
    paths = described(client)["paths"]
    routes = {(one.shown_path, one.method.lower()) for one in table(Metrics(newsroom)) if not one.is_page}
    assert {(path, method) for path, methods in paths.items() for method in methods} == routes
    names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(set(names)) == len(names)


def test_every_reference_in_it_leads_somewhere(client: TestClient) -> None:
    document = described(client)
    assert document["openapi"] == "3.1.0"

    def check(value: Json) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                assert value["$ref"].removeprefix("#/components/schemas/") in document["components"]["schemas"]
            for item in value.values():
                check(item)
        elif isinstance(value, list):
            for item in value:
                check(item)

    check(document)


def test_every_parameter_has_a_type_and_a_description(client: TestClient) -> None:
    for path, methods in described(client)["paths"].items():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                where = (path, parameter["name"])
                assert {"type", "enum", "anyOf"} & parameter["schema"].keys(), where
                if parameter["name"] not in ("view", "uri"):
                    assert parameter["description"], where


EXAMPLES = {"view": "story", "uri": FLOOD, "id": "1", "since": "2020", "until": "2030", "as_of": "4"}


def example(parameter: Json) -> str:
    schema = parameter["schema"]
    if parameter["name"] in EXAMPLES:
        return EXAMPLES[parameter["name"]]
    if "enum" in schema:
        return schema["enum"][0]
    match schema["type"]:
        case "integer":
            return str(schema["minimum"])
        case "boolean":
            return "true"
        case "array":
            return schema["items"].get("examples", ["headline"])[0]
        case _:
            return "x"


def test_every_documented_parameter_is_taken(indexed: TestClient) -> None:
    for path, methods in described(indexed)["paths"].items():
        for method, operation in methods.items():
            parameters = operation["parameters"]
            address = path
            for parameter in parameters:
                address = address.replace("{" + parameter["name"] + "}", quote(example(parameter), safe=""))
            queries = [parameter for parameter in parameters if parameter["in"] == "query"]
            required = {parameter["name"]: example(parameter) for parameter in queries if parameter["required"]}
            for parameter in queries:
                query = {**required, parameter["name"]: example(parameter)}
                # What is sent is no message, so that nothing is written.
                body = {"json": byline("x", name=7)} if method == "post" else {}
                answer = indexed.request(method, address, params=query, **body)
                assert "is no parameter" not in answer.text, (path, parameter)
                assert answer.status_code != 500, (path, parameter, answer.text)
