"""What the New York Times' APIs have in common here: their errors, their key, the interface in the catalog."""

from typing import Annotated, Any, Final

import msgspec

from publog.server.compatible.serving import Served, served
from publog.server.endpoints import Call, Endpoint, Manners, Parameters
from publog.server.problems import Problem


class FaultDetail(msgspec.Struct):
    errorcode: str


class FaultText(msgspec.Struct):
    faultstring: str
    detail: FaultDetail


class Fault(msgspec.Struct):
    """An error, as the New York Times' APIs have it."""

    fault: FaultText


def _fault(problem: Problem) -> Fault:
    document = problem.document
    return Fault(FaultText(document.detail, FaultDetail(document.type)))


MANNERS: Final = Manners(Fault, _fault, {422: 400}, key_parameter="api-key")


class KeyParameters(Parameters, frozen=True, kw_only=True):
    """Of every endpoint."""

    key: (
        Annotated[
            str,
            msgspec.Meta(
                max_length=200, description="A key; any text where this newsroom never made one, on its machine."
            ),
        ]
        | msgspec.UnsetType
    ) = msgspec.field(default=msgspec.UNSET, name="api-key")


def interface(call: Call[Any]) -> Served:
    """The interface that the newsroom's catalog has.

    Raises:
        NotThere: it has none.
    """
    return served(call.newsroom, "nyt")


def rights(nyt: Served) -> str:
    """Who has the rights in what is answered."""
    return nyt.interface.settings.get("copyright", "")


def reading(path: str, name: str, summary: str, handle: Any, answer: Any, parameters: Any) -> Endpoint[Any]:
    """An endpoint of these APIs."""
    return Endpoint(
        "GET",
        path,
        name,
        summary,
        handle,
        {200: ("As the New York Times' API has it", answer)},
        parameters,
        scopes=("search",),
        problems=(404, 503),
        manners=MANNERS,
    )
