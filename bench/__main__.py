"""Publish the newsroom's history, denormalize it, and see how long rivals take over the same.

    python -m bench [--only batch|stream|search|workers|elasticsearch] [--messages N] [--repeats N] [--json FILE] [--keep DIR]

Every round runs each command once, in turn, so that what else the machine does falls on all of them; a ratio is the
median of the rounds' own ratios. Nothing here passes or fails by time.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import elasticsearch, search, stream, workers
from bench.measuring import Failed
from bench.report import show, this_machine, to_json
from bench.rounds import Bench
from bench.search import SearchBench
from bench.stream import StreamBench
from bench.workers import WorkersBench


def main(arguments: Sequence[str] | None = None) -> int:
    parser = ArgumentParser(prog="python -m bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=200_000, metavar="N", help="of the history [%(default)s]")
    parser.add_argument("--stories", type=int, default=search.STORIES, metavar="N", help="to search [%(default)s]")
    parser.add_argument("--views", type=int, default=elasticsearch.VIEWS, metavar="N", help="to index [%(default)s]")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="rounds to measure [%(default)s]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there too")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="work there and leave history, logs and views [a temporary folder]"
    )
    parser.add_argument(
        "--only",
        choices=("batch", "stream", "search", "workers", "elasticsearch"),
        help="one section [batch; stream: how soon a write is found; search: how long a search takes; workers: a batch"
        " on a Dask cluster; elasticsearch: indexing there]",
    )
    options = parser.parse_args(arguments)
    here = this_machine()
    say(str(here))
    with TemporaryDirectory(prefix="publog-bench-") as temporary:
        folder: Path = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            if options.only == "stream":
                found = StreamBench(folder.resolve()).measure(say)
                say(stream.show(found))
                if options.json is not None:
                    options.json.write_bytes(stream.to_json(found))
                return 0
            if options.only == "search":
                searched = SearchBench(folder.resolve(), options.stories).measure(options.repeats, say)
                say(search.show(searched))
                if options.json is not None:
                    options.json.write_bytes(search.to_json(searched))
                return 0
            if options.only == "workers":
                worked = WorkersBench(folder.resolve(), options.messages).measure(options.repeats, say)
                say(workers.show(worked))
                if options.json is not None:
                    options.json.write_bytes(workers.to_json(worked))
                return 0
            if options.only == "elasticsearch":
                loaded = elasticsearch.BulkBench(folder.resolve(), options.views).measure(options.repeats, say)
                say(elasticsearch.show(loaded))
                if options.json is not None:
                    options.json.write_bytes(elasticsearch.to_json(loaded))
                return 0
            results = Bench(folder.resolve(), options.messages).measure(options.repeats, say)
        except Failed as failed:
            print(failed, file=sys.stderr)
            return 1
    say(show(results))
    if options.json is not None:
        options.json.write_bytes(to_json(results, here))
    return 0


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
