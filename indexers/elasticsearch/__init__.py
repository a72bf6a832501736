"""`http(s)://HOST:PORT/NAME`: the index on Elasticsearch, each of whose generations is an index of that server's.

Elasticsearch's client is known here and nowhere else. Text is analysed by the server, as the mapping says; what a person
types is never parsed by it.
"""

from indexers.elasticsearch.index import ElasticsearchIndex

__all__ = ["ElasticsearchIndex"]
