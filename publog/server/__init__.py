"""The newsroom over HTTP: publishing, searching and asking why, for one home.

What comes in is bounded and typed at the door, handed to the packages below, and what they answer or raise goes out as
JSON or as a problem. Nothing is decided here that the command line would have to decide again.
"""
