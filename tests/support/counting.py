"""What everybody says of a log whose offsets have gaps: messages are counted, never computed."""

from collections.abc import Callable
from contextlib import closing

from publog.server.newsroom import Newsroom
from publog.settings import Settings
from tests.support.newsroom import Shell, article, byline, unpublish, write_catalog, write_lines
from tests.support.serving import client_of

BLOCKS = [
    [byline("ada"), byline("bob")],
    [article(1, byline="news://byline/ada", tx="two"), article(2, byline="news://byline/bob", tx="two")],
    [unpublish("news://article/2")],
]
MESSAGES = 5


def check_counts(shell: Shell, log: str, index: str, settings_of: Callable[[], Settings]) -> None:
    """Publish to an empty log, and look at it with every command that says how many messages there are."""
    write_catalog(shell.folder / "catalog")
    for number, block in enumerate(BLOCKS):
        write_lines(shell.folder / f"{number}.jsonl", *block)
        shell("publish", f"{number}.jsonl", "--catalog", "catalog", "--log", log)
    both = ("--log", log, "--index", index)
    told = shell("log", "info", "--log", log, "--json").json
    last = told["last_offset"]
    assert told["messages"] == MESSAGES < last + 1
    assert told["first_time"] == told["last_time"] is not None
    assert f": 5 messages, the last at offset {last}\n" in shell("log", "info", "--log", log).out
    assert shell("log", "verify", "--log", log, "--json").json == {"messages": MESSAGES, "problems": []}
    planned = shell("backfill", "plan", *both, "--json").json
    assert (planned["messages"], planned["sample_messages"], planned["views"]) == (MESSAGES, MESSAGES, 4)
    assert shell("run", "--batch", *both).out.startswith("5 messages, 3 live views and 1 gone")
    ran = shell("run", "--batch", "--shards", 2, *both, "--json").json
    assert [shard["messages"] for shard in ran["shards"]] == [MESSAGES, MESSAGES]
    assert "5 messages, storage in order" in shell("doctor", *both).out

    with closing(Newsroom(settings_of())) as newsroom:
        client = client_of(newsroom)
        assert client.get("/v1/status").json()["lag"] == 0
        published = client.post("/v1/messages", json=[article(3), article(4)]).json()
        status = client.get("/v1/status").json()
        assert (status["lag"], status["applied_through"]) == (2, last)
        assert "publog_index_lag_messages 2.0\n" in client.get("/metrics").text
        offsets = [message["offset"] for message in client.get("/v1/log?limit=100").json()["messages"]]
        assert len(offsets) == MESSAGES + 2
        assert offsets[-2:] == [receipt["offset"] for receipt in published["receipts"]]
        assert [message["offset"] for message in client.get("/v1/log?limit=4").json()["messages"]] == offsets[-4:]
        paged, position = [], 0
        while found := client.get(f"/v1/log?from={position}&limit=2").json()["messages"]:
            paged += [message["offset"] for message in found]
            position = paged[-1] + 1
        assert paged == offsets
    shell("doctor", *both, code=1)
    assert "2 messages behind the log" in shell("doctor", *both, code=1).out
