"""Where a metadata store is: paths, URLs and JSON become MLMD's configurations.

The password of a server stays out of the configuration of a pipeline, which TFX writes into its
logs and Beam into its pickles: the client libraries inside MLMD read it from the environment, as
the tools of the databases do.
"""

from __future__ import annotations

import contextlib
import os
import re
import urllib.parse
from typing import Any, NamedTuple

from google.protobuf import json_format
from ml_metadata.proto import metadata_store_pb2

from tfx_wine_ext.documents import DocumentError, open_regular, parse_json, read_bytes
from tfx_wine_ext.lineage.errors import StoreError

__all__ = ["PASSWORD_VARIABLES", "connection_config", "store_name"]

PASSWORD_VARIABLES = {"mysql": "MYSQL_PWD", "postgresql": "PGPASSWORD"}
"""Where the client libraries inside MLMD look for a password that a configuration lacks."""

_PORTS = {"mysql": 3306, "postgresql": 5432}
_WITHOUT_SLASHES = re.compile(r"(mysql|postgres(?:ql)?|grpc):", re.IGNORECASE)
# A ConnectionConfig is some hundred bytes long.
_CONFIG_BYTES = 2**20
_EXPECTED = (
    "the path of an SQLite file, sqlite:///path, mysql://user@host:port/db, "
    "postgresql://user@host:port/db, grpc://host:port, or a ConnectionConfig as JSON"
)


class Sqlite(NamedTuple):
    """An SQLite file. Its path is no part of a message: it may hold bytes that are no text.

    Attributes:
        path: Of the file.
        options: The other settings of a ConnectionConfig that was given as JSON.
    """

    path: str
    options: metadata_store_pb2.ConnectionConfig


def connection_config(where: str | os.PathLike[str]) -> metadata_store_pb2.ConnectionConfig:
    """Returns the configuration with which a pipeline writes its metadata. It never has a password.

    `check_writable` tells before the pipeline runs whether the store takes it.

    Args:
        where: Path of an SQLite file, created if it is missing, or ``sqlite:///path``;
            ``postgresql://user@host:port/db``, whose password is in the environment variable
            ``PGPASSWORD`` or in a password file (``PGPASSFILE``, ``~/.pgpass``);
            ``mysql://user@host:port/db`` or ``mysql://user@/db?socket=/path``, whose password is
            in ``MYSQL_PWD``; or a ``ConnectionConfig`` without a password as protobuf JSON, the
            text or the path of a file with it. A database must exist; MLMD makes its tables.

    Returns:
        What `Pipeline(metadata_connection_config=)` takes. The processes that run components need
        the environment variable, too.

    Raises:
        StoreError: `where` cannot be parsed, lacks host, user or database, or has a password.

    Example:
        >>> connection_config("postgresql://wine@db.example.com/mlmd").postgresql.port
        '5432'
        >>> connection_config("postgresql://wine:s3cret@db.example.com/mlmd")
        Traceback (most recent call last):
        ...
        tfx_wine_ext.lineage.errors.StoreError: postgresql://wine@db.example.com:5432/mlmd: \
expected an address without a password, found one with it, which TFX would write into its logs; \
take it out, and give it in the environment variable PGPASSWORD
    """
    config = parsed(where)
    if isinstance(config, Sqlite):
        written = metadata_store_pb2.ConnectionConfig()
        written.CopyFrom(config.options)
        if not written.HasField("sqlite"):
            written.sqlite.filename_uri = os.path.abspath(config.path)
            mode = metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
            written.sqlite.connection_mode = mode
        return written
    name = name_of(config)
    if isinstance(config, metadata_store_pb2.MetadataStoreClientConfig):
        raise StoreError(
            name,
            "an SQLite file, or a database on PostgreSQL or MySQL",
            "a gRPC server",
            "give the database behind it",
        )
    if passwords(config):
        raise StoreError(
            name,
            "an address without a password",
            "one with it, which TFX would write into its logs",
            "take it out, and give it in the environment variable "
            f"{PASSWORD_VARIABLES[config.WhichOneof('config')]}",
        )
    return quoted(config)


def store_name(where: str | os.PathLike[str]) -> str:
    """Returns the name of a store for pages and messages, without a password.

    Args:
        where: As for `tfx_wine_ext.lineage.store.open_store`.

    Raises:
        StoreError: `where` cannot be parsed.

    Example:
        >>> store_name("mysql://me:secret@db.example.com:3306/mlmd")
        'mysql://me@db.example.com:3306/mlmd'
    """
    return name_of(parsed(where))


def parsed(where: str | os.PathLike[str]) -> Any:
    """Returns a `Sqlite`, or the message that names a server.

    Raises:
        StoreError: `where` cannot be parsed, or lacks host, user or database.
    """
    text = os.fsdecode(where).strip()
    if text.startswith("{"):
        return _from_json(text, "the ConnectionConfig given as text")
    scheme, separator, _ = text.partition("://")
    if separator:
        return _from_url(text, scheme.lower())
    if cut_short := _WITHOUT_SLASHES.match(text):
        # Not quoted: what is no URL may have a password, too.
        raise StoreError(
            f"the {cut_short[1].lower()} URL of a metadata store",
            _EXPECTED,
            f"{cut_short[1]}: without two slashes",
            f"write {cut_short[1].lower()}://; or ./ before a file of that name",
        )
    try:
        with open_regular(text) as file:
            is_json = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
        if is_json:
            return _from_json(read_bytes(text, _CONFIG_BYTES), text)
    except (OSError, DocumentError):
        pass  # What is wrong with it is said by `readable_file`.
    return _sqlite(text)


def _sqlite(path: str) -> Sqlite:
    return Sqlite(path, metadata_store_pb2.ConnectionConfig())


def _from_json(text: str | bytes, where: str) -> Any:
    """Parses whichever of the two messages it is."""
    # What the parsers say may hold a part of the text, and so a password.
    with contextlib.suppress(DocumentError):
        value = parse_json(text, where).value
        for message in (
            metadata_store_pb2.ConnectionConfig(),
            metadata_store_pb2.MetadataStoreClientConfig(),
        ):
            # Of a wrong type each version of protobuf raises another exception.
            try:
                json_format.ParseDict(value, message)
            except Exception:
                continue
            if isinstance(message, metadata_store_pb2.MetadataStoreClientConfig):
                return message
            kind = message.WhichOneof("config")
            if kind == "sqlite":
                return Sqlite(file_of(message.sqlite), message)
            if kind in ("mysql", "postgresql"):
                return _complete(message, where)
    raise StoreError(
        where,
        "MLMD's ConnectionConfig as JSON with one of sqlite, mysql and postgresql",
        "JSON that is none",
        'an example: {"sqlite": {"filename_uri": "metadata.db"}}',
    )


def _from_url(text: str, scheme: str) -> Any:
    unquote = urllib.parse.unquote
    if scheme == "sqlite":
        # Three slashes: a path from the folder one is in; four: from the root.
        return _sqlite(unquote(text[len("sqlite://") :]).removeprefix("/"))
    try:
        url = urllib.parse.urlsplit(text)
        port = url.port
        # A special character of the password has ended the host: what follows may be the password.
        ended_early = "@" in url.path + url.query or bool(url.fragment)
    except ValueError:
        ended_early = True
    if ended_early:
        raise StoreError(
            f"the {scheme} URL of a metadata store",
            "a port between 0 and 65535, and user, password and host without special characters",
            "another port, or a character that ends the host",
            "write special characters as %XX",
        ) from None
    host, user, password = (unquote(x or "") for x in (url.hostname, url.username, url.password))
    database, options = unquote(url.path[1:]), dict(urllib.parse.parse_qsl(url.query))
    if scheme == "grpc":
        if not host or not port:
            raise StoreError(
                _bare(url), "grpc://host:port", "no host or no port", "add what is missing"
            )
        client = metadata_store_pb2.MetadataStoreClientConfig()
        client.host, client.port = host, port
        return client
    config = metadata_store_pb2.ConnectionConfig()
    server: Any
    if scheme == "mysql":
        server = config.mysql
        server.database, server.socket = database, options.pop("socket", "")
        server.port = port or _PORTS["mysql"]
    elif scheme in ("postgresql", "postgres"):
        server = config.postgresql
        server.dbname = database
        server.port = str(port or _PORTS["postgresql"])
        if "sslmode" in options:
            server.ssloption.sslmode = options.pop("sslmode")
    else:
        raise StoreError(_bare(url), _EXPECTED, f"the scheme {scheme!r}", "give one of these")
    server.skip_db_creation = True
    # PostgreSQL's library looks into the environment only for what is not set at all.
    for field, value in (("host", host), ("user", user), ("password", password)):
        if value:
            setattr(server, field, value)
    if options:
        raise StoreError(
            _bare(url),
            "socket (mysql) or sslmode (postgresql) as the options of the URL",
            ", ".join(sorted(options)),
            "give a ConnectionConfig as JSON for others",
        )
    return _complete(config, _bare(url))


def _complete(config: Any, name: str) -> Any:
    """Returns the configuration of a server, which has what MLMD ends the process without."""
    kind = config.WhichOneof("config")
    if kind == "mysql":
        mysql = config.mysql
        missing = {
            "database": not mysql.database,
            "host": not (mysql.host or mysql.socket),
        }
    else:
        server = config.postgresql
        server.port = server.port or str(_PORTS[kind])
        if not server.port.isdecimal():
            raise StoreError(name, "a number as the port", "something else", "give the number")
        missing = {
            "database": not server.dbname,
            "host": not (server.host or server.hostaddr),
            "user": not server.user,
        }
        if server.hostaddr:
            server.ClearField("host")
    for what, is_missing in missing.items():
        if is_missing:
            raise StoreError(name, f"{kind}://user@host:port/database", f"no {what}", "add it")
    return config


def _bare(url: urllib.parse.SplitResult) -> str:
    """Returns a URL without its password."""
    user, at, host = url.netloc.rpartition("@")
    return f"{url.scheme}://{user.partition(':')[0]}{at}{host}{url.path}"


def quoted(config: metadata_store_pb2.ConnectionConfig) -> metadata_store_pb2.ConnectionConfig:
    """Returns a configuration as MLMD has to get it: for PostgreSQL it joins the values, unquoted.

    Of a password with a space it would write the second word to stderr.
    """
    if config.HasField("postgresql"):
        server = config.postgresql
        for field in ("dbname", "host", "user", "password", "passfile"):
            value = getattr(server, field)
            is_quoted = len(value) > 1 and value[0] == value[-1] == "'"
            if not is_quoted and any(c.isspace() or c in "'\\" for c in value):
                escaped = value.replace("\\", r"\\").replace("'", r"\'")
                setattr(server, field, f"'{escaped}'")
    return config


def passwords(config: Any) -> list[str]:
    """Returns the secrets that a configuration holds itself."""
    if not isinstance(config, metadata_store_pb2.ConnectionConfig):
        return []
    server = config.postgresql
    values = (config.mysql.password, server.password, server.ssloption.sslpassword)
    return [value for value in values if value]


def name_of(config: Any) -> str:
    """Returns the name of a store for people, without the password."""
    if isinstance(config, Sqlite):
        return config.path
    if isinstance(config, metadata_store_pb2.MetadataStoreClientConfig):
        return f"grpc://{config.host}:{config.port}"
    kind = config.WhichOneof("config")
    server = config.mysql if kind == "mysql" else config.postgresql
    database = server.database if kind == "mysql" else server.dbname
    host, port = address(config)
    user = f"{server.user}@" if server.user else ""
    if port:
        host = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{kind}://{user}{host}/{database}"


def address(config: Any) -> tuple[str, int | None]:
    """Returns host and port of a database server; no port for a socket."""
    if config.WhichOneof("config") == "mysql":
        if config.mysql.socket:
            return str(config.mysql.socket), None
        return str(config.mysql.host), int(config.mysql.port or _PORTS["mysql"])
    server = config.postgresql
    host = str(server.hostaddr or server.host)
    return host, None if host.startswith("/") else int(server.port or _PORTS["postgresql"])


def file_of(sqlite: metadata_store_pb2.SqliteMetadataSourceConfig) -> str:
    """Returns the path that the file name of a configuration means: it may be a URI."""
    filename = str(sqlite.filename_uri)
    if not filename.startswith("file:"):
        return filename
    return urllib.parse.unquote(urllib.parse.urlsplit(filename).path)
