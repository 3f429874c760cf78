"""Units of Google's APIs: bytes as BigQuery counts and bills them, and the time in which it gives expiries."""

MEGABYTE = 1024**2
GIGABYTE = 1024 * MEGABYTE
TEBIBYTE = 1024 * GIGABYTE
DAY_MILLISECONDS = 24 * 60 * 60 * 1000
