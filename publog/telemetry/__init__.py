"""What the programs say of themselves while they run: metrics, one line of log for an event, traces.

Nothing of it is on the path of a message: it reads numbers that are there anyway, when it is asked for them.
"""
