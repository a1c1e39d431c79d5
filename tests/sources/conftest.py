from __future__ import annotations

import contextlib
import sqlite3

import pytest

from engines import stores
from tfx_wine_ext.sources import Sql
from tfx_wine_ext.sources.formats import Reading, every


class Cellar:
    """A database of a PostgreSQL server that asks for the password of `WRITER`."""

    password = stores.PASSWORDS[stores.WRITER]

    def __init__(self, server) -> None:
        self.server, self.uri = server, server.url(stores.WRITER, "cellar")

    def run(self, *statements: str) -> str:
        return self.server.sql("cellar", *statements)

    def source(self, query, reads=every, **fields):
        return Sql(self.uri, query, **fields).open(Reading(reads))


@pytest.fixture(scope="session")
def _cellar(postgresql):
    postgresql.sql("postgres", f"CREATE DATABASE cellar OWNER {stores.WRITER}")
    cellar = Cellar(postgresql)
    cellar.run("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC")
    return cellar


@pytest.fixture
def cellar(_cellar, monkeypatch):
    """A database of PostgreSQL; the environment has the password."""
    monkeypatch.setenv("PGPASSWORD", _cellar.password)
    return _cellar


@pytest.fixture
def sqlite(tmp_path):
    """Makes a database of SQLite by statements, and returns its address."""

    def made(*statements: str) -> str:
        with contextlib.closing(sqlite3.connect(tmp_path / "a b%#?.db")) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()
        return f"sqlite:///{tmp_path}/a b%25%23%3F.db"

    return made


@pytest.fixture
def duckdb(tmp_path):
    """Makes a database of DuckDB by statements, and returns its address."""
    import duckdb

    def made(*statements: str) -> str:
        with contextlib.closing(duckdb.connect(str(tmp_path / "a.duckdb"))) as database:
            for statement in statements:
                database.execute(statement)
        return f"duckdb:///{tmp_path}/a.duckdb"

    return made
