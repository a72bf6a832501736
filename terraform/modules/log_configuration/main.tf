# Brokers under this configuration keep a publishing log for ever and lose nothing they have acknowledged.

locals {
  server_properties = {
    # For ever. Kafka's default is a week, counted from the messages' own timestamps.
    "log.retention.ms"    = -1
    "log.retention.bytes" = -1
    # Compaction would drop every version of an asset but the last.
    "log.cleanup.policy" = "delete"
    # Kafka's timestamp is when the broker was handed the message. When an asset was published is in a header: archives
    # arrive years later, and out of order.
    "log.message.timestamp.type" = "CreateTime"

    # Rather no leader for a while than one that lacks acknowledged messages.
    "unclean.leader.election.enable" = false
    "default.replication.factor"     = var.replication_factor
    "min.insync.replicas"            = var.min_insync_replicas

    # A topic made by a misspelt name would be a second log.
    "auto.create.topics.enable" = false
  }
}

resource "aws_msk_configuration" "this" {
  name           = var.name
  description    = "A publishing log, kept for ever"
  kafka_versions = var.kafka_versions

  server_properties = join("", [for name, value in local.server_properties : "${name}=${value}\n"])
}
