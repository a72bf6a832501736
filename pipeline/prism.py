"""Beam's PrismRunner with a server that ends with its job."""

# apache_beam has types in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
from typing import Any

from apache_beam.runners.portability.prism_runner import PrismJobServer, PrismRunner

from pipeline.limits import PRISM_IDLE_SECONDS_MAX


class OwnPrism(PrismRunner):
    """Beam's own keeps its server until the process ends, asks it again when it was killed, and takes Ctrl-C for itself."""

    def __init__(self) -> None:
        super().__init__()
        self._server: _Server | None = None

    def default_job_server(self, options: Any) -> PrismJobServer:
        self._server = _Server(options)
        return self._server

    def end(self) -> None:
        """Stop the server, if there is one."""
        if self._server is not None:
            self._server.stop()
            self._server = None


class _Server(PrismJobServer):
    def __init__(self, options: Any) -> None:
        super().__init__(options)
        # What it says of itself is for nobody here; what went wrong, the job's state says.
        self._log_kind = "json"
        self._log_filter = None

    def prism_arguments(self, job_port: Any) -> list[Any]:
        # When this process is killed nobody stops it.
        return [*super().prism_arguments(job_port), f"--idle_shutdown_timeout={PRISM_IDLE_SECONDS_MAX}s"]
