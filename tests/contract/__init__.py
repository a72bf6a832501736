"""Contracts: what every adapter of a port must do, as test classes that each adapter's tests subclass."""

import pytest

# Assertions in modules that are not tests themselves are shown in full only if asked for.
pytest.register_assert_rewrite("tests.contract.index_contract", "tests.contract.log_contract")
