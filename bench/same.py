"""Whether the rivals' views are publog's: every live view and its whole content, compared as JSON."""

import sys
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import orjson

_SHOWN_MAX: Final = 10

_Key = tuple[str, str]


def compare(expected: Path, found: Iterable[Path]) -> dict[str, Any]:
    """How many live views `found` has, how large its files are, and a sentence for each view not as in `expected`."""
    paths = list(found)
    views = _digests(paths)
    wanted = _digests([expected])
    differences = [f"{name} {uri}: there should be none" for name, uri in views.keys() - wanted.keys()]
    differences += [f"{name} {uri}: missing" for name, uri in wanted.keys() - views.keys()]
    differences += [
        f"{key[0]} {key[1]}: the content differs" for key in wanted if views.get(key, wanted[key]) != wanted[key]
    ]
    return {"views": len(views), "bytes": sum(path.stat().st_size for path in paths), "differences": differences}


def _digests(paths: Iterable[Path]) -> dict[_Key, bytes]:
    """A digest of each live view's content that does not depend on the order of its fields."""
    digests: dict[_Key, bytes] = {}
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                record: dict[str, Any] = orjson.loads(line)
                if record.get("state", "live") != "live":
                    continue
                key = record["view"], record["uri"]
                assert key not in digests, f"{key} twice in {path}"
                content = orjson.dumps(record["content"], option=orjson.OPT_SORT_KEYS)
                digests[key] = blake2b(content, digest_size=16).digest()
    return digests


if __name__ == "__main__":
    compared = compare(Path(sys.argv[1]), map(Path, sys.argv[2:]))
    for difference in compared["differences"][:_SHOWN_MAX]:
        print(difference, file=sys.stderr)
    if compared["differences"]:
        sys.exit(f"{len(compared['differences'])} views differ")
    print(orjson.dumps(compared).decode())
