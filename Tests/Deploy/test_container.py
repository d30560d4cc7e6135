"""What goes into the container: assembled, measured, and run as the user that it names, without an engine."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import REPOSITORY
from deploy.daemon import DaemonInRoot
from deploy.debian import RootFileSystem
from harness.page import Page
from harness.redis_server import Redis
from harness.waiting import free_port

CONTAINERFILE = (REPOSITORY / "Deploy/container/Containerfile").read_text()
LIMIT = 50 * 1000 * 1000


@pytest.fixture(scope="module")
def image(unpacked_program, tmp_path_factory):
    """The image's root file system, as the Containerfile's last stage copies it."""
    directory = tmp_path_factory.mktemp("image") / "root"
    subprocess.run(
        [REPOSITORY / "Scripts/container-root", unpacked_program, directory], check=True)
    return RootFileSystem(directory)


def _files(root):
    return [
        os.path.join(folder, name) for folder, _, names in os.walk(root.path) for name in names]


def test_the_image_is_small_and_has_no_shell(image):
    files = _files(image)
    assert sum(os.lstat(path).st_size for path in files) < LIMIT
    programs = [path for path in files if os.access(path, os.X_OK) and "/bin/" in path]
    assert [os.path.basename(path) for path in programs] == ["status2"]
    # Nothing in it runs with more rights than whoever starts it.
    assert not any(os.lstat(path).st_mode & 0o6000 for path in files)


def test_the_containerfile_makes_this_image_and_no_root():
    stages = re.split(r"^FROM ", CONTAINERFILE, flags=re.MULTILINE)[1:]
    assert len(stages) == 2 and stages[1].startswith("scratch\n")
    assert "Scripts/dist" in stages[0] and "Scripts/container-root" in stages[0]
    user = re.search(r"^USER (\d+):(\d+)$", stages[1], re.MULTILINE)
    assert user and user[1] == user[2] == "65532"
    assert re.search(r'^ENTRYPOINT \["/usr/bin/status2"\]$', stages[1], re.MULTILINE)
    assert "COPY --from=build /image /" in stages[1]


@pytest.mark.root
def test_it_serves_a_page_as_a_user_without_rights(image, cleanup):
    port = free_port()
    daemon = DaemonInRoot(image, {}, f"--embedded-redis=127.0.0.1:{port}", user="65532:65532")
    cleanup.callback(daemon.stop)
    daemon.wait_ready()
    assert daemon.get("/health").body == b"OK"
    with Page(daemon, "run:status") as page:
        page.live()
        from redis import Redis as RedisClient
        assert RedisClient(port=port).publish("run:status", "hello") == 1
        assert page.status() == "hello"


@pytest.mark.root
def test_it_finds_redis_by_its_name(image, cleanup, tmp_path):
    """An engine mounts /etc/hosts and /etc/resolv.conf; what reads them is in the image."""
    redis = Redis(tmp_path)
    cleanup.callback(redis.stop)
    (image.path / "etc/hosts").write_text("127.0.0.1 redis.example.internal\n")
    url = redis.url.replace("127.0.0.1", "redis.example.internal")
    daemon = DaemonInRoot(image, {"STATUS_REDIS_URL": url}, user="65532:65532")
    cleanup.callback(daemon.stop)
    daemon.wait_ready()


@pytest.mark.root
def test_it_finds_the_certificates_that_redis_s_may_be_signed_by(image):
    """A server that is no TLS server at all is told from one whose certificates cannot be judged."""
    found = image.run(
        "/usr/bin/status2", "--check-config", "--redis-url", "rediss://localhost:6379/2",
        user="65532:65532")
    assert "STATUS_REDIS_TLS_CA_FILE" in found.stdout
    certificates = image.path / "etc/ssl/certs/ca-certificates.crt"
    assert certificates.read_text().count("BEGIN CERTIFICATE") > 50
    assert os.readlink(image.path / "usr/lib/ssl/cert.pem") == "/etc/ssl/certs/ca-certificates.crt"


def test_the_image_can_be_built_where_an_engine_is():
    engine = shutil.which("podman") or shutil.which("docker")
    if not engine or subprocess.run([engine, "info"], capture_output=True, timeout=60).returncode:
        pytest.skip("there is no container engine here; its root file system was run without one")
    done = subprocess.run(
        [engine, "build", "--file", "Deploy/container/Containerfile", "--tag", "status2-test", "."],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
