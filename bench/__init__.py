"""Measures publog against its rivals, all as whole processes in one run. README.md says what is measured and how."""
