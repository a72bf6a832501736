"""A real Kafka broker (KRaft, one node) on loopback, from Maven Central's packages.

    python -m tests.servers.kafka FOLDER [PORT]

runs one until it is interrupted, and prints its address once clients may come.
"""

from tests.servers.kafka.broker import Broker

__all__ = ["Broker"]
