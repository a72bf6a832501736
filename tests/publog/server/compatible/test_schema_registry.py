"""Tools that know the Schema Registry decode the log: Confluent's client and its Avro deserializer, unmodified."""

from collections.abc import Generator
from contextlib import closing
from typing import Any

import httpx2
import orjson
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient, SchemaRegistryError
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from assets.log import open_log
from tests.support.courier import Courier


@pytest.fixture
def registry(courier: Courier) -> Generator[Any]:
    with SchemaRegistryClient({"url": courier.url}) as client:
        yield client


def test_every_message_of_the_log_is_decoded(registry: Any, courier: Courier) -> None:
    decode = AvroDeserializer(registry)
    latest: dict[str, Any] = {}
    with closing(open_log(f"sqlite:{courier.home / '.publog' / 'log.sqlite'}")) as log:
        for message in log.read():
            latest.pop(message.uri, None)
            value = decode(message.value, SerializationContext("newsroom", MessageField.VALUE))
            if value is not None:
                latest[message.uri] = value
    assert latest.keys() == courier.latest.keys()
    for uri, value in latest.items():
        plain = ("headline", "name", "summary", "url", "bylines", "tags", "images", "parent", "word_count", "type")
        known = courier.latest[uri]
        assert [(name, value[name]) for name in plain if name in known] == [
            (name, known[name]) for name in plain if name in known
        ]


def test_the_client_finds_subjects_versions_and_schemas(registry: Any) -> None:
    assert sorted(registry.get_subjects()) == ["article", "byline", "image", "tag"]
    assert registry.get_versions("article") == [1]
    latest = registry.get_latest_version("article")
    assert (latest.subject, latest.version) == ("article", 1)
    named = registry.get_version("article", 1)
    assert named.schema_id == latest.schema_id
    schema = registry.get_schema(latest.schema_id)
    assert schema.schema_str == latest.schema.schema_str
    assert orjson.loads(schema.schema_str)["name"] == "article"


def test_what_is_not_there_has_the_registrys_codes(registry: Any) -> None:
    for code, ask in (
        (40401, lambda: registry.get_latest_version("nothing")),
        (40402, lambda: registry.get_version("article", 99)),
        (40403, lambda: registry.get_schema(99)),
        (40401, lambda: registry.get_versions("' OR 1=1 --")),
    ):
        with pytest.raises(SchemaRegistryError) as refused:
            ask()
        assert (refused.value.http_status_code, refused.value.error_code) == (404, code)


def test_the_rest_of_its_read_api(courier: Courier) -> None:
    def get(path: str, status: int = 200) -> Any:
        answer = httpx2.get(courier.url + path)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/vnd.schemaregistry.v1+json"
        return answer.json()

    id_ = get("/subjects/article/versions/latest")["id"]
    text = get(f"/schemas/ids/{id_}")["schema"]
    assert get(f"/schemas/ids/{id_}/schema") == orjson.loads(text) == get("/subjects/article/versions/1/schema")
    assert get(f"/schemas/ids/{id_}/versions") == [{"subject": "article", "version": 1}]
    assert get(f"/schemas/ids/{id_}/subjects") == ["article"]
    assert get("/subjects?subjectPrefix=a") == ["article"]
    assert get("/subjects?deletedOnly=true") == get("/subjects/article/versions?deleted_only=true") == []
    assert get("/subjects?offset=1&limit=2") == get("/subjects")[1:3]
    assert get("/subjects/article/versions/-1")["version"] == 1
    assert get("/schemas/types") == ["AVRO"]
    assert get("/config") == {"compatibilityLevel": "BACKWARD_TRANSITIVE"}
    assert get("/mode") == {"mode": "READONLY"}
    for wrong in ("0", "-2", "x", "1.0", "%F0%9F%A6%8A"):
        assert get(f"/subjects/article/versions/{wrong}", 422)["error_code"] == 42202
    assert get("/subjects?verbose=1", 422)["error_code"] == 422
    assert get("/schemas/ids/x", 422)["error_code"] == 422
