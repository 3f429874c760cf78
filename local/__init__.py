"""The embedded environment: the same deployment on one machine, without a cloud account."""


class LocalError(Exception):
    """The embedded environment cannot work; the message names the problem, the place and the fix."""
