"""The log on Kafka: one topic of one partition, one writer at a time, and an index beside it that can be thrown away.

docs/adr/0018 says how, and why so.
"""

from assets.log.kafka.log import KafkaLog

__all__ = ["KafkaLog"]
