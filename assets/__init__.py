"""What is published: normalized assets, the catalog that describes them, and the one log that keeps them.

Assets come in through the gateway, which validates them, and are appended to the log, which never
forgets. Nothing here knows how assets are joined, indexed or shown.
"""
