"""The Schema Registry's read API: tools that know Avro decode the log with the schemas that lie beside it.

A subject is a kind, as in the RecordNameStrategy: the values of one topic are of several kinds.
"""

from typing import Annotated, Any, Final, Literal

import msgspec

from assets.model import RegisteredSchema
from publog.server.endpoints import Call, Endpoint, Manners, Parameters, Reply
from publog.server.problems import Problem

MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"


class RegistryError(msgspec.Struct):
    """An error, as the Schema Registry has it."""

    error_code: int
    message: str


class _Coded(Problem):
    """A problem for which the registry has a code of its own."""

    def __init__(self, code: int, detail: str) -> None:
        status = code // 100
        super().__init__(status, "not-found" if status == 404 else "invalid-parameter", "It is not there", detail)
        self.code = code


def _error(problem: Problem) -> RegistryError:
    code = problem.code if isinstance(problem, _Coded) else problem.status
    return RegistryError(code, problem.document.detail)


MANNERS: Final = Manners(RegistryError, _error, media_type=MEDIA_TYPE)

Flag = Annotated[
    Literal["true", "false"], msgspec.Meta(description="Nothing is ever deleted here, so it changes nothing.")
]
Offset = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1, description="Items to leave out.")]
Limit = Annotated[int, msgspec.Meta(ge=-1, le=2**31 - 1, description="Items to give; -1 for all.")]
SubjectName = Annotated[str, msgspec.Meta(description="A kind of the catalog.", examples=["article"])]
VersionName = Annotated[str, msgspec.Meta(description="A version from 1, or latest (-1 as well).", examples=["latest"])]
SchemaId = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1, description="As it stands in a message's first bytes.")]
Normalize = Annotated[Literal["true", "false"], msgspec.Meta(description="A schema is given as it was registered.")]
Format = Annotated[Literal[""], msgspec.Meta(description="Only as it was registered.")]


class SubjectsParameters(Parameters, frozen=True):
    subjectPrefix: Annotated[str, msgspec.Meta(max_length=500, description="Only subjects that begin so.")] = ""  # noqa: N815
    deleted: Flag = "false"
    deletedOnly: Flag = "false"  # noqa: N815
    deleted_only: Flag = "false"
    offset: Offset = 0
    limit: Limit = -1


class SubjectParameters(Parameters, frozen=True):
    subject: SubjectName
    deleted: Flag = "false"
    deletedOnly: Flag = "false"  # noqa: N815
    deleted_only: Flag = "false"
    offset: Offset = 0
    limit: Limit = -1


class VersionParameters(Parameters, frozen=True):
    subject: SubjectName
    version: VersionName
    deleted: Flag = "false"
    format: Format = ""


class IdParameters(Parameters, frozen=True):
    id: SchemaId
    subject: Annotated[str, msgspec.Meta(max_length=500, description="A hint, which is not needed.")] = ""
    fetchMaxId: Flag = "false"  # noqa: N815
    format: Format = ""
    deleted: Flag = "false"


class Registered(msgspec.Struct):
    """A version of a subject."""

    subject: str
    version: int
    id: int
    schema: str


class SchemaText(msgspec.Struct):
    """A schema."""

    schema: str


class SubjectVersion(msgspec.Struct):
    """Where a schema is registered."""

    subject: str
    version: int


class Config(msgspec.Struct):
    """How schemas may change."""

    compatibilityLevel: str  # noqa: N815


class Mode(msgspec.Struct):
    """What may be done here."""

    mode: str


async def subjects(call: Call[SubjectsParameters]) -> Reply:
    found = dict.fromkeys(schema.kind for schema in await call.in_thread(_schemas, call))
    asked = call.parameters
    names = [kind for kind in found if kind.startswith(asked.subjectPrefix)]
    return _reply(_part(names, asked))


async def versions(call: Call[SubjectParameters]) -> Reply:
    found = _of_subject(await call.in_thread(_schemas, call), call.parameters.subject)
    return _reply(_part([schema.version for schema in found], call.parameters))


async def version(call: Call[VersionParameters]) -> Reply:
    found = _version(await call.in_thread(_schemas, call), call.parameters)
    return _reply(Registered(found.kind, found.version, found.id, found.text))


async def version_text(call: Call[VersionParameters]) -> Reply:
    return _reply(_version(await call.in_thread(_schemas, call), call.parameters).text.encode())


async def by_id(call: Call[IdParameters]) -> Reply:
    return _reply(SchemaText(_by_id(await call.in_thread(_schemas, call), call.parameters.id).text))


async def text_by_id(call: Call[IdParameters]) -> Reply:
    return _reply(_by_id(await call.in_thread(_schemas, call), call.parameters.id).text.encode())


async def versions_by_id(call: Call[IdParameters]) -> Reply:
    found = _by_id(await call.in_thread(_schemas, call), call.parameters.id)
    return _reply([SubjectVersion(found.kind, found.version)])


async def subjects_by_id(call: Call[IdParameters]) -> Reply:
    return _reply([_by_id(await call.in_thread(_schemas, call), call.parameters.id).kind])


async def types(call: Call[Parameters]) -> Reply:  # noqa: ARG001 - it is the same for everyone
    return _reply(["AVRO"])


async def config(call: Call[Parameters]) -> Reply:  # noqa: ARG001
    # A schema must read what every version before it wrote.
    return _reply(Config("BACKWARD_TRANSITIVE"))


async def mode(call: Call[Parameters]) -> Reply:  # noqa: ARG001
    # Schemas come with messages, through the gateway.
    return _reply(Mode("READONLY"))


def _schemas(call: Call[Any]) -> list[RegisteredSchema]:
    with call.newsroom.reading() as reader:
        return list(reader.log.schemas())


def _part(items: list[Any], asked: SubjectsParameters | SubjectParameters) -> list[Any]:
    if "true" in (asked.deletedOnly, asked.deleted_only):
        return []
    return items[asked.offset :][: len(items) if asked.limit < 0 else asked.limit]


def _of_subject(schemas: list[RegisteredSchema], subject: str) -> list[RegisteredSchema]:
    found = [schema for schema in schemas if schema.kind == subject]
    if not found:
        raise _Coded(40401, f"Subject '{subject[:200]}' not found.")
    return found


def _version(schemas: list[RegisteredSchema], asked: VersionParameters) -> RegisteredSchema:
    found = _of_subject(schemas, asked.subject)
    if asked.version in ("latest", "-1"):
        return max(found, key=lambda schema: schema.version)
    for schema in found:
        if str(schema.version) == asked.version:
            return schema
    if not (asked.version.isascii() and asked.version.isdigit() and int(asked.version[:10]) > 0):
        told = f"The specified version '{asked.version[:20]}' is not a valid version id. Use a number from 1 on, or latest."
        raise _Coded(42202, told)
    raise _Coded(40402, f"Version {asked.version[:20]} not found.")


def _by_id(schemas: list[RegisteredSchema], id_: int) -> RegisteredSchema:
    for schema in schemas:
        if schema.id == id_:
            return schema
    raise _Coded(40403, f"Schema {id_} not found.")


def _reply(value: Any) -> Reply:
    return Reply(value, media_type=MEDIA_TYPE)


def _get(path: str, name: str, summary: str, handle: Any, answer: Any, parameters: Any) -> Endpoint[Any]:
    return Endpoint(
        "GET",
        path,
        f"registry_{name}",
        f"Schema Registry: {summary}",
        handle,
        {200: ("As the Schema Registry has it", answer)},
        parameters,
        scopes=("search",),
        problems=(404, 503),
        media_type=MEDIA_TYPE,
        manners=MANNERS,
    )


_VERSION: Final = "/subjects/{subject}/versions/{version}"
_ID: Final = "/schemas/ids/{id}"

ENDPOINTS: Final = [
    _get("/subjects", "subjects", "the kinds", subjects, list[str], SubjectsParameters),
    _get("/subjects/{subject}/versions", "versions", "a kind's versions", versions, list[int], SubjectParameters),
    _get(_VERSION, "version", "a version of a kind", version, Registered, VersionParameters),
    _get(f"{_VERSION}/schema", "version_schema", "its schema alone", version_text, dict[str, Any], VersionParameters),
    _get("/schemas/types", "types", "the sorts of schemas", types, list[str], Parameters),
    _get(_ID, "schema", "a schema by its id", by_id, SchemaText, IdParameters),
    _get(f"{_ID}/schema", "schema_text", "a schema alone by its id", text_by_id, dict[str, Any], IdParameters),
    _get(
        f"{_ID}/versions",
        "schema_versions",
        "where it is registered",
        versions_by_id,
        list[SubjectVersion],
        IdParameters,
    ),
    _get(f"{_ID}/subjects", "schema_subjects", "the kinds that have it", subjects_by_id, list[str], IdParameters),
    _get("/config", "config", "how schemas may change", config, Config, Parameters),
    _get("/mode", "mode", "what may be done", mode, Mode, Parameters),
]
