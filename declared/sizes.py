"""Numbers of bytes as BigQuery counts and bills them."""

MEGABYTE = 1024**2
GIGABYTE = 1024 * MEGABYTE
TEBIBYTE = 1024**4
