"""The join: normalized assets in log order become denormalized content views.

Pure: no I/O, no clock, no environment. Link expansion turns stored references into nested content; dependency
resolution, its exact inverse, finds the views that a changed asset touches; one fold does both.
"""
