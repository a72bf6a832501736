"""What tests of several packages share: strategies, builders, and the oracle that says what a view must be."""

import pytest

pytest.register_assert_rewrite("tests.support.building")
