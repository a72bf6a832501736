"""The error tree of the pipeline.

PipelineError
+- JobFailed      the runner failed, or said DONE without the work being done
+- JobRunning     another job is at work in the same folder
+- UnusableJob    settings that can't go together
"""


class PipelineError(Exception):
    """Root of everything the pipeline raises."""


class JobFailed(PipelineError):
    """The job did not do its work. Transient: the index is as it was, run it again."""


class JobRunning(PipelineError):
    """Another job is at work in the same folder. Transient: wait for it, or stop it."""


class UnusableJob(PipelineError):
    """Settings that can't go together. Terminal."""
