"""Beam's FnApiRunner, in this process, keeps the runners' contract."""

from tests.contract.runner_contract import RunnerContract


class TestFnApiRunner(RunnerContract):
    pass
