"""The embedded environment: the same deployment on one machine, without a cloud account."""
