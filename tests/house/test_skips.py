"""A test that could not run is never mistaken for one that passed."""

from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

TESTS = """
    import pytest

    @pytest.mark.requires_tool("no-such-program")
    def test_needs_a_program(): raise AssertionError("must not run")

    @pytest.mark.requires_tool("sh")
    def test_has_its_program(): pass

    @pytest.mark.xfail(strict=True)
    def test_is_known_to_fail(): raise AssertionError
"""


@pytest.fixture
def house(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("PUBLOG_NO_SKIPS", raising=False)
    pytester.makeini("[pytest]\nmarkers = requires_tool(*names): needs these programs\n")
    pytester.makeconftest(CONFTEST.read_text())
    return pytester


def test_a_missing_tool_skips_loudly(house: pytest.Pytester) -> None:
    house.makepyfile(TESTS)
    result = house.runpytest_subprocess()
    result.assert_outcomes(passed=1, skipped=1, xfailed=1)
    result.stdout.fnmatch_lines(
        ["*NOT TESTED HERE: 1 skipped*", "*::test_needs_a_program: needs no-such-program, not found on PATH"]
    )
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize(
    "tests", [TESTS, "import pytest\npytest.importorskip('no_such_module')"], ids=["test", "module"]
)
def test_where_skips_are_forbidden_one_fails_the_run(
    house: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tests: str
) -> None:
    monkeypatch.setenv("PUBLOG_NO_SKIPS", "1")
    house.makepyfile(tests)
    result = house.runpytest_subprocess()
    result.stdout.fnmatch_lines(["*NOT TESTED HERE: 1 skipped*", "PUBLOG_NO_SKIPS=1: a skip is a failure"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_without_a_skip_forbidding_them_changes_nothing(
    house: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBLOG_NO_SKIPS", "1")
    house.makepyfile("def test_passes(): pass")
    result = house.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*NOT TESTED HERE*")
