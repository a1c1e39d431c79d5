"""What holds for all tests. The marks, and which warnings are errors, stand in setup.cfg."""

from __future__ import annotations

import gc
import importlib.metadata
import importlib.util
import logging
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import sysconfig
import threading
import uuid
from collections.abc import Iterator

import hypothesis
import pytest

# How fast an example is depends on the machine and on what else it does.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

# Said before anything imports TensorFlow, which reads them once: no banners between the tests'
# dots, and no search for a GPU that no test needs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def pytest_configure() -> None:
    """Refuses to test a checkout where it is said that the installed package is to be tested."""
    import tfx_wine_ext

    found = pathlib.Path(tfx_wine_ext.__file__).parent
    installed = pathlib.Path(sysconfig.get_path("purelib"), "tfx_wine_ext")
    if os.environ.get("TFX_WINE_EXT_TEST_INSTALLED") and found != installed:
        raise pytest.UsageError(
            f"$TFX_WINE_EXT_TEST_INSTALLED is set: tfx_wine_ext must be imported from {installed}\n"
            f"  found: {found}\n"
            "  to do: run the tests in a folder without the package, without PYTHONPATH"
        )


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collects no garbage while modules are imported, which all stay."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="module", autouse=True)
def _what_was_there_before_is_not_traced_again() -> None:
    """Takes TFX, TensorFlow and Beam from the garbage collector's eyes.

    To go through them again and again, and at each `gc.collect` of a test, takes more than a tenth
    of the time of all tests.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def checkout() -> pathlib.Path:
    """The checkout's top folder."""
    return pathlib.Path(__file__).resolve().parent.parent


class S3Server:
    """moto, a server that speaks S3 and keeps everything in memory, in a thread of this process.

    Attributes:
        url: Its address.
        requests: Method and path of each request so far.
        denies_strangers: Whether it denies what moto allows, requests without credentials.
    """

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.requests: list[str] = []
        self.denies_strangers = False
        application = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._noting(application), threaded=True)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def _noting(self, application):
        def noting(environment, start_response):
            self.requests.append(f"{environment['REQUEST_METHOD']} {environment['PATH_INFO']}")
            if self.denies_strangers and "HTTP_AUTHORIZATION" not in environment:
                start_response("403 Forbidden", [])
                return []
            return application(environment, start_response)

        return noting

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()


@pytest.fixture(scope="session")
def s3_server():
    """A server of S3."""
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def s3(s3_server, monkeypatch, tmp_path) -> str:
    """An empty bucket as ``s3://NAME``; the environment of this process says how it is reached."""
    import pyarrow.fs

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/no config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/no credentials")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    client = pyarrow.fs.S3FileSystem(endpoint_override=s3_server.url, allow_bucket_creation=True)
    client.create_dir(bucket)
    return f"s3://{bucket}"


@pytest.fixture(scope="session")
def gcs_server():
    """A server that speaks Google Cloud Storage and keeps everything in memory."""
    from gcp_storage_emulator import server as emulator

    class Handler(emulator.RequestHandler):
        def parse_request(self):
            parsed = super().parse_request()
            # Otherwise pyarrow 10 waits for a second before it sends a file.
            if parsed and self.headers.get("Expect") == "100-continue":
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return parsed

    logging.getLogger("gcp_storage_emulator").setLevel(logging.ERROR)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(emulator, "RequestHandler", Handler)
        server = emulator.create_server("127.0.0.1", port, in_memory=True)
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop()


@pytest.fixture
def gs(gcs_server, monkeypatch, tmp_path) -> str:
    """An empty bucket as ``gs://NAME``; the environment of this process says how it is reached."""
    import pyarrow.fs

    if int(pyarrow.__version__.partition(".")[0]) > 10:
        pytest.skip("reading from this server takes for ever with later clients of Google's")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server)
    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    options = {"anonymous": True, "endpoint_override": gcs_server, "scheme": "http"}
    pyarrow.fs.GcsFileSystem(**options).create_dir(bucket)
    return f"gs://{bucket}"


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory):
    """A PostgreSQL server with the accounts and databases of `engines.stores`."""
    from engines import postgres

    if postgres.programs() is None:
        found = "PostgreSQL is not installed: no postgres in PATH or /usr/lib/postgresql"
        if os.environ.get("TFX_WINE_EXT_REQUIRE_POSTGRESQL"):
            pytest.fail(found)
        pytest.skip(found)
    log = tmp_path_factory.mktemp("postgresql") / "log"
    with postgres.postgresql(log) as server, server.running():
        server.make()
        yield server


@pytest.fixture(scope="session")
def distributions(tmp_path_factory, checkout) -> pathlib.Path:
    """A folder with the sdist and the wheel: ``$TFX_WINE_EXT_DIST``, or both are built here.

    They are built from a copy, since setuptools writes into the folder that it builds.
    """
    if os.environ.get("TFX_WINE_EXT_DIST"):
        return checkout / os.environ["TFX_WINE_EXT_DIST"]
    folder = tmp_path_factory.mktemp("dist")
    source = tmp_path_factory.mktemp("to build") / "source"
    left_out = shutil.ignore_patterns(".*", "build", "dist", "__pycache__", "*.egg-info")
    shutil.copytree(checkout, source, ignore=left_out)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*build, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-6000:]
    return folder


@pytest.fixture(scope="session")
def wheel(distributions) -> pathlib.Path:
    """The wheel, which is built from the sdist."""
    [wheel] = distributions.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def sdist(distributions) -> pathlib.Path:
    """The source distribution."""
    [sdist] = distributions.glob("*.tar.gz")
    return sdist


@pytest.fixture(scope="session")
def constraints(checkout) -> pathlib.Path:
    """The file of the set of versions that the tests run on."""
    tfx = importlib.metadata.version("tfx").rpartition(".")[0]
    python = "" if tfx == "1.16" else "-py{}{}".format(*sys.version_info)
    return checkout / "constraints" / f"tfx-{tfx}{python}.txt"


@pytest.fixture(scope="session")
def uv(checkout) -> tuple[pathlib.Path, dict[str, str]]:
    """The checkout's uv, and the environment in which it finds the user's package index."""
    spec = importlib.util.spec_from_file_location("bootstrap", checkout / "scripts/bootstrap.py")
    bootstrap = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bootstrap)
    path = checkout / ".bootstrap" / "uv-venv" / "bin" / "uv"
    return path, bootstrap.uv_environment(str(path))
