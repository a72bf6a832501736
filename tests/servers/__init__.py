"""Real servers for tests, from packages alone: each in a folder of its own, with what it needs to start.

What they download through the ordinary clients is kept outside the tree, in `~/.cache/publog-servers`.
"""
