"""The built-in newsroom: the catalog that is used where no other is named, and invented histories that fit it.

`history` streams as many messages as wanted, for tests and measurements; `demo_history` is a short one made to be read.
Nothing here publishes anything: histories are plain messages, and catalog/ is a folder of data.
"""

from assets.newsroom.demo import demo_history
from assets.newsroom.history import Message, history

__all__ = ["Message", "demo_history", "history"]
