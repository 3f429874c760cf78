"""The embedded environment: the same deployment on one machine, without a cloud account."""


class LocalError(Exception):
    """Something that keeps the embedded environment from working; the message says what, where and what to do."""
