"""The error tree of the pipeline.

PipelineError
+- JobFailed      the runner failed, or said DONE without the work being done
+- JobRunning     another job is at work in the same folder
+- UnusableJob    settings that can't go together
+- NoWatermark    a text that names no offset and no time of a log (pipeline.as_of)
+- UnusableFile   a file that jobs keep in their folder can't be used
"""


class PipelineError(Exception):
    """Root of everything the pipeline raises."""


class JobFailed(PipelineError):
    """The job did not do its work. Transient: the index is as it was, run it again."""


class JobRunning(PipelineError):
    """Another job is at work in the same folder. Transient: wait for it, or stop it."""


class UnusableJob(PipelineError):
    """Settings that can't go together. Terminal."""


class UnusableFile(PipelineError):
    """A file that jobs keep in their folder can't be used: a full disk, or something else in its place."""
