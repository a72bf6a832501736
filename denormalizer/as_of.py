"""Single views at one watermark, from the messages of the few assets they need: nothing else is read."""

from collections.abc import Callable, Iterable, Iterator

from assets.errors import InvalidUri, Undecodable
from assets.model import Message, check_uri
from denormalizer.expansion import Asset, Bounds, Expander
from denormalizer.fragments import Payloads, Renderer
from denormalizer.limits import AS_OF_ASSETS_MAX
from denormalizer.plan import Plan
from denormalizer.view import View

History = Callable[[str], Iterable[Message]]
"""One asset's messages up to the watermark, newest first."""


class AsOf:
    """The assets and views at one watermark."""

    def __init__(
        self,
        plan: Plan,
        payloads: Payloads,
        history: History,
        bounds: Bounds = Bounds(),
        *,
        assets_max: int = AS_OF_ASSETS_MAX,
    ) -> None:
        self._plan = plan
        # Not this object's own method: what refers to itself waits for the cycle collector with all that it keeps.
        self._latest = _Latest(plan, payloads, history)
        self._expander = Expander(self._latest.asset, bounds)
        self._assets_max = assets_max

    def asset(self, uri: str) -> Asset | None:
        """The latest version that can be read, None where there is none. A kind that is in no view has none."""
        return self._latest.asset(uri)

    def views(self, uri: str, view: str | None = None) -> Iterator[View]:
        """The views rooted at a URI, or the one of that name."""
        if self._latest.count > self._assets_max:
            # It can all be read again: no view depends on what is kept.
            self._latest.forget()
            self._expander.forget()
        root = self._latest.root(uri)
        if root is not None:
            for plan in self._plan.roots.get(root.kind, ()):
                if view in (None, plan.definition.name):
                    yield self._expander.expand(plan, uri, root)


class _Latest:
    """The latest version of each asset, kept once it was read."""

    def __init__(self, plan: Plan, payloads: Payloads, history: History) -> None:
        self._plan = plan
        self._history = history
        self._renderer = Renderer(plan, payloads)
        self._assets: dict[str, Asset | None] = {}

    @property
    def count(self) -> int:
        return len(self._assets)

    def forget(self) -> None:
        self._assets.clear()

    def asset(self, uri: str) -> Asset | None:
        if uri not in self._assets:
            self._assets[uri] = self._load(uri)
        return self._assets[uri]

    def root(self, uri: str) -> Asset | None:
        root = self._assets[uri] if uri in self._assets else self._load(uri)
        # One that no view refers to is used here and nowhere else.
        if root is None or root.kind in self._plan.dependencies:
            self._assets[uri] = root
        return root

    def _load(self, uri: str) -> Asset | None:
        try:
            kind = check_uri(uri)
        except InvalidUri:
            # A reference may be any text.
            return None
        if kind not in self._plan.shapes:
            return None
        for message in self._history(uri):
            if message.value is None:
                return Asset(kind, message.offset, None)
            try:
                rendered = self._renderer.render(kind, uri, message.value)
            except (Undecodable, TypeError, ValueError):
                continue
            return Asset(kind, message.offset, rendered)
        return None
