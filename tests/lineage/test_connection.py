"""What says where a metadata store is becomes MLMD's configuration, which never has a password."""

from __future__ import annotations

import json

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from tfx_wine_ext.lineage.connection import connection_config, parsed, quoted, store_name
from tfx_wine_ext.lineage.errors import StoreError


def test_a_url_of_postgresql_becomes_a_configuration_that_leaves_the_password_to_the_environment():
    config = connection_config("postgresql://wine@db.example.com/mlmd?sslmode=require")
    expected = pb.ConnectionConfig()
    server = expected.postgresql
    server.host, server.port, server.dbname, server.user = "db.example.com", "5432", "mlmd", "wine"
    server.skip_db_creation = True
    server.ssloption.sslmode = "require"
    assert config == expected
    # An empty password that is set would keep the client library from looking elsewhere.
    assert not config.postgresql.HasField("password")


def test_a_url_of_mysql_becomes_a_configuration():
    config = connection_config("mysql://wine@127.0.0.1:3307/mlmd")
    expected = pb.ConnectionConfig()
    server = expected.mysql
    server.host, server.port, server.database, server.user = "127.0.0.1", 3307, "mlmd", "wine"
    server.socket = ""
    server.skip_db_creation = True
    assert config == expected


def test_a_socket_of_mysql_needs_no_host():
    config = connection_config("mysql://wine@/mlmd?socket=/run/mysqld.sock")
    assert (config.mysql.socket, config.mysql.user) == ("/run/mysqld.sock", "wine")


@pytest.mark.parametrize("where", ["store/metadata.db", "sqlite:///store/metadata.db"])
def test_an_sqlite_file_is_written_in_the_folder_that_one_is_in_now(where, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = connection_config(where)
    monkeypatch.chdir("/")
    assert config.sqlite.filename_uri == f"{tmp_path}/store/metadata.db"
    assert config.sqlite.connection_mode == pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    assert list(tmp_path.iterdir()) == []


def test_json_is_taken_as_it_is(tmp_path):
    sqlite = {"sqlite": {"filename_uri": "file:a%20b.db", "connection_mode": "READWRITE"}}
    config = connection_config(json.dumps(sqlite))
    assert config.sqlite.filename_uri == "file:a%20b.db"
    assert config.sqlite.connection_mode == pb.SqliteMetadataSourceConfig.READWRITE
    server = {"host": "db", "user": "me", "dbname": "mlmd", "passfile": "/run/secrets/pgpass"}
    (tmp_path / "config.json").write_text(json.dumps({"postgresql": server}))
    config = connection_config(tmp_path / "config.json")
    assert (config.postgresql.passfile, config.postgresql.port) == ("/run/secrets/pgpass", "5432")


@pytest.mark.parametrize(
    ("where", "variable"),
    [
        ("postgresql://me:pw@db/mlmd", "PGPASSWORD"),
        ("mysql://me:pw@db/mlmd", "MYSQL_PWD"),
        ('{"mysql": {"host": "db", "database": "m", "password": "pw"}}', "MYSQL_PWD"),
        (
            '{"postgresql": {"host": "db", "dbname": "m", "user": "me", '
            '"ssloption": {"sslpassword": "pw"}}}',
            "PGPASSWORD",
        ),
    ],
)
def test_a_password_does_not_get_into_the_configuration_of_a_pipeline(where, variable):
    message = f"expected an address without a password, found one with it.*{variable}$"
    with pytest.raises(StoreError, match=message) as caught:
        connection_config(where)
    assert "pw" not in str(caught.value)


def test_a_pipeline_is_not_given_a_grpc_server():
    with pytest.raises(StoreError, match=r"^grpc://db:8080: .*found a gRPC server"):
        connection_config("grpc://db:8080")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("postgresql://db/mlmd", "^postgresql://db/mlmd: .*found no user; add it"),
        ("postgresql://me@db", "found no database"),
        ("postgresql://me@/mlmd", "found no host"),
        ("mysql:///mlmd", "found no host"),
        ('{"postgresql": {"hostaddr": "::1", "dbname": "m"}}', "found no user"),
        ('{"postgresql": {"host": "db", "user": "me"}}', "found no database"),
        ('{"postgresql": {"user": "me", "dbname": "m"}}', "found no host"),
        (
            '{"postgresql": {"host": "db", "user": "me", "dbname": "m", "port": "pg"}}',
            "expected a number as the port",
        ),
        ('{"mysql": {"host": "db"}}', "found no database"),
    ],
)
def test_what_mlmd_would_end_the_process_for_is_an_error(where, message):
    with pytest.raises(StoreError, match=message):
        connection_config(where)


def test_of_two_addresses_of_a_host_mlmd_gets_one():
    server = {"host": "db", "hostaddr": "10.0.0.1", "user": "me", "dbname": "m"}
    config = connection_config(json.dumps({"postgresql": server}))
    assert (config.postgresql.host, config.postgresql.hostaddr) == ("", "10.0.0.1")


@pytest.mark.parametrize(
    "password", ["12/sec@ret", "12?sec@ret", "12#sec@ret", "sec/ret", "sec?ret", "sec#ret", "[sec"]
)
@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_a_password_with_a_character_that_ends_the_host_is_not_shown(kind, password):
    with pytest.raises(StoreError, match=f"^the {kind} URL .* as %XX$") as caught:
        store_name(f"{kind}://me:{password}@db/mlmd")
    assert "sec" not in str(caught.value)
    assert "12" not in str(caught.value)


@pytest.mark.parametrize("where", ["mysql:/me:sec@db/m", "postgres:me:sec@db/m", "GRPC:db:1"])
@pytest.mark.parametrize("read", [store_name, connection_config])
def test_a_url_without_its_slashes_is_no_path_and_is_not_shown(read, where):
    with pytest.raises(
        StoreError, match=r"^the (mysql|postgres|grpc) URL .* two slashes"
    ) as caught:
        read(where)
    assert "sec" not in str(caught.value)
    assert store_name(f"./{where}") == f"./{where}"


@pytest.mark.parametrize(
    ("password", "given"),
    [
        ("plain", "plain"),
        ("two words", "'two words'"),
        (r"o'\ne", r"'o\'\\ne'"),
        ("'a b'", "'a b'"),
    ],
)
def test_postgresql_gets_a_password_quoted_where_it_must_be(password, given):
    server = {"host": "db", "user": "me", "dbname": "m", "password": password}
    config = quoted(parsed(json.dumps({"postgresql": server})))
    assert config.postgresql.password == given


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("metadata.db", "metadata.db"),
        ("sqlite:////data/metadata.db", "/data/metadata.db"),
        ("mysql://me:pw@db:33/mlmd", "mysql://me@db:33/mlmd"),
        ("mysql:///mlmd?socket=/run/mysqld.sock", "mysql:///run/mysqld.sock/mlmd"),
        ("postgres://me:pw@db/mlmd?sslmode=require", "postgresql://me@db:5432/mlmd"),
        ("postgresql://me:pw@[::1]/mlmd", "postgresql://me@[::1]:5432/mlmd"),
        ("grpc://db:8080", "grpc://db:8080"),
        ('{"host": "db", "port": 8080}', "grpc://db:8080"),
        ('{"mysql": {"host": "db", "database": "m", "password": "pw"}}', "mysql://db:3306/m"),
    ],
)
def test_the_name_of_a_store_has_no_password(where, name):
    assert store_name(where) == name
