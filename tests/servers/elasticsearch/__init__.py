"""A real Elasticsearch of one node, from Maven Central's jars: `python -m tests.servers.elasticsearch FOLDER [PORT]`."""

from tests.servers.elasticsearch.node import Node, drop

__all__ = ["Node", "drop"]
