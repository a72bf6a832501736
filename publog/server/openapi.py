"""The OpenAPI 3.1 description, made from the declarations that requests are parsed by."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from publog import VERSION
from publog.server.endpoints import EVENTS_TYPE, Call, Endpoint, Parameters, Reply
from publog.server.problems import PROBLEM_TYPE, ProblemDocument

_COMMON: Final = (400, 421, 422, 500, 503)
"""Problems that every endpoint may answer with; 422 names what is unknown, repeated or out of bounds."""

_GUARDED: Final = (401, 403, 429)


def endpoint(others: Sequence[Endpoint[Any]]) -> Endpoint[Any]:
    """The endpoint that describes the others, and itself."""

    async def show(call: Call[Parameters]) -> Reply:  # noqa: ARG001 - it is the same for everyone
        return Reply(described)

    own = Endpoint(
        "GET",
        "/openapi.json",
        "openapi",
        "This description",
        show,
        {200: ("OpenAPI 3.1", dict[str, Any])},
        Parameters,
    )
    described = msgspec.json.encode(describe([*others, own]))
    return own


def describe(endpoints: Sequence[Endpoint[Any]]) -> dict[str, Any]:
    """The description of these endpoints."""
    types: list[Any] = [ProblemDocument]
    for one in endpoints:
        types += [type_ for _, type_ in one.answers.values() if type_ is not bytes]
        types += [*one.bodies.values(), one.parameters, one.error[1]]
    unique = list(dict.fromkeys(types))
    found, components = msgspec.json.schema_components(unique, ref_template="#/components/schemas/{name}")
    schemas = dict(zip(unique, found, strict=True))
    taken = {type_: components.pop(_name(schemas[type_])) for type_ in {one.parameters for one in endpoints}}
    paths: dict[str, dict[str, Any]] = {}
    for one in endpoints:
        paths.setdefault(one.shown_path, {})[one.method.lower()] = _operation(one, schemas, taken[one.parameters])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "publog",
            "version": VERSION,
            "description": "Normalized assets into one log; denormalized, searchable views out of it.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "See `publog keys`."},
                "parameter": {"type": "apiKey", "in": "query", "name": "api-key", "description": "The same key."},
            },
        },
    }


def _name(schema: dict[str, Any]) -> str:
    """Of the component that a schema refers to: types of one name have longer ones."""
    return schema["$ref"].rpartition("/")[2]


def _operation(one: Endpoint[Any], schemas: dict[Any, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    # The door and who routes know no API of others: their problems are plain.
    problem = {type_: {"schema": schemas[error]} for type_, error in (one.error, (PROBLEM_TYPE, ProblemDocument))}
    guarded = _GUARDED if one.scopes else ()
    responses: dict[str, Any] = {
        str(status): {
            "description": text,
            "content": {one.media_type: {"schema": {"type": "string"} if type_ is bytes else schemas[type_]}},
        }
        for status, (text, type_) in one.answers.items()
    }
    told = "A problem (RFC 9457)" if one.manners is None else "An error, as this API has it"
    statuses = {*_COMMON, *guarded, *one.problems}
    for status in sorted(statuses if one.manners is None else {one.manners.status(status) for status in statuses}):
        responses[str(status)] = {"description": told, "content": problem}
    if one.has_events:
        responses["200"]["content"][EVENTS_TYPE] = {"schema": {"type": "string"}}
    required = parameters.get("required", [])
    operation: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "parameters": [
            {
                "name": name,
                "in": "path" if name in one.in_path else "query",
                "required": name in one.in_path or name in required,
                "description": schema.get("description", ""),
                "schema": {key: value for key, value in schema.items() if key != "description"},
            }
            for name, schema in parameters["properties"].items()
        ],
        "responses": responses,
    }
    if one.bodies:
        operation["requestBody"] = {
            "required": True,
            "content": {type_: {"schema": schemas[body]} for type_, body in one.bodies.items()},
        }
    if one.scopes:
        in_query = one.manners is not None and one.manners.key_parameter is not None
        operation["security"] = [{"key": []}, *([{"parameter": []}] if in_query else []), {}]
        operation["description"] = f"A key that is shown must have the scope {' or '.join(one.scopes)}."
    return operation
