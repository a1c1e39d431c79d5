"""What MLMD says of a store that it does not open is caught, shortened, and has no password."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from tfx_wine_ext.lineage import opening
from tfx_wine_ext.lineage.errors import StoreError
from tfx_wine_ext.lineage.opening import check_reachable, opened, overheard, told


@pytest.fixture
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Of a server that says the parameter, and nothing else."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak() -> None:
            connection, _ = listener.accept()
            with connection:
                if request.param is not None:
                    connection.sendall(request.param)
                connection.recv(100)
                connection.recv(100)

        threading.Thread(target=speak, daemon=True).start()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
@pytest.mark.parametrize("port", [None], indirect=True)
def test_a_server_that_says_nothing_is_given_up(
    kind: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "CONNECT_SECONDS", 0.2)
    with pytest.raises(StoreError, match=r"^x: .*found none within 0\.2 s \(no answer\)"):
        check_reachable("127.0.0.1", port, "x", kind)


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
@pytest.mark.parametrize("port", [b"HTTP/1.1 400 Bad Request\r\n\r\n"], indirect=True)
def test_another_server_is_told(kind: str, port: int) -> None:
    with pytest.raises(StoreError, match=f"found one that is no {kind} server"):
        check_reachable("127.0.0.1", port, "x", kind)


@pytest.mark.parametrize(
    ("kind", "port"),
    [("postgresql", b"N"), ("postgresql", b"S"), ("mysql", b"J\x00\x00\x00\x0a5.5.5-10.11\x00")],
    indirect=["port"],
)
def test_the_server_that_is_looked_for_is_known_by_its_greeting(kind: str, port: int) -> None:
    check_reachable("127.0.0.1", port, "x", kind)


def test_what_others_write_to_stderr_meanwhile_gets_there(capfd: pytest.CaptureFixture) -> None:
    with overheard() as said:
        os.write(
            2,
            b"one\n"
            b"E1126 02:57:52.8 94 postgresql_metadata_source.cc:211] PostgreSQL error: FATAL: no\n"
            b"\tIs the server running?\n"
            b"E1126 02:57:52.9 9488 postgresql_metadata_source.cc:128] Execution failed: \n"
            b"two\n",
        )
        assert said() == "FATAL: no\n\tIs the server running?\n"
    assert capfd.readouterr().err == "one\ntwo\n"


def test_overhearing_in_several_threads_gives_stderr_back(capfd: pytest.CaptureFixture) -> None:
    def overhear(number: int) -> None:
        with overheard():
            os.write(2, b"%d\n" % number)

    threads = [threading.Thread(target=overhear, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"end\n")
    lines = capfd.readouterr().err.split()
    assert (sorted(map(int, lines[:-1])), lines[-1]) == ([*range(20)], "end")


def test_passwords_of_the_configuration_and_the_environment_are_masked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MYSQL_PWD", "from the environment")
    config = pb.ConnectionConfig()
    config.postgresql.password = "in the configuration"
    said = 'missing "=" after "in the configuration", from the environment'
    assert told(config, said) == 'missing "=" after "***", ***'
    monkeypatch.setenv("MYSQL_PWD", "two  spaces")
    assert told(config, "found  two  spaces") == "found ***"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("PostgreSQL metadata source error: ERROR:  no\nLINE 1: x", "ERROR: no LINE 1: x"),
        ("In ConnectImplmysql_query failed: errno: No 'x', error: No 'x'", "No 'x'"),
        ('Cannot create node "x"mysql_query failed: errno: 1, error: No', "errno: 1, error: No"),
    ],
)
def test_only_the_words_of_the_server_are_shown(said: str, shown: str) -> None:
    assert told(pb.ConnectionConfig(), said) == shown


def test_a_login_that_mysql_refuses_without_a_word_is_said() -> None:
    config = pb.ConnectionConfig()
    config.mysql.host = "db"

    def refuse() -> None:
        raise RuntimeError("mysql_real_connect failed: errno: , error: ")

    with pytest.raises(StoreError, match=r"that the server refuses the login; check .*\$MYSQL_PWD"):
        opened(refuse, config, "x")
