"""A PostgreSQL of the tests' own, as the demo and the benchmarks start it."""

from scenesync.simulators.postgres import NoPostgresHere, PrivatePostgres, private_postgres

__all__ = ("NoPostgresHere", "PrivatePostgres", "private_postgres")
