"""Root file systems of Debian, made by debootstrap and entered in namespaces of their own."""

import os
import pathlib
import shlex
import shutil
import subprocess

_REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
_CACHE = _REPOSITORY / ".build-rootfs"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# A process in a root file system of its own: it sees no other processes, and ends with `unshare`.
_ENTER = """
set -e
mount -t proc proc "$root/proc"
exec chroot $options "$root" "$@"
"""


def codename():
    """The release of Debian that this machine is."""
    for line in pathlib.Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.split("=", 1)[1].strip('"')
    raise AssertionError("this machine is no Debian with a code name")


def sources():
    """The machine's own sources of Debian packages: (address, suite, component) each."""
    def ask():
        done = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(REPO_URI)|$(SUITE)|$(CODENAME)|"
             "$(RELEASE)|$(COMPONENT)", "Created-By: Packages"],
            capture_output=True, text=True, check=True)
        found = []
        for line in done.stdout.splitlines():
            origin, address, _, _, release, component = line.split("|")
            if origin == "Debian" and (address, release, component) not in found:
                found.append((address, release, component))
        return found

    found = ask()
    if not found:
        # The lists of packages were cleared away, and with them what tells Debian's from others.
        subprocess.run(["apt-get", "update"], capture_output=True, check=True)
        found = ask()
    assert found, "apt knows no source of Debian packages"
    return found


def _base():
    """An archive of Debian's smallest root file system, made once and kept."""
    suite = codename()
    archive = _CACHE / f"{suite}.tar"
    if archive.exists():
        return archive
    mirror = next(address for address, release, _ in sources() if release == suite)
    _CACHE.mkdir(exist_ok=True)
    root = _CACHE / f"{suite}.{os.getpid()}"
    try:
        done = subprocess.run(
            ["debootstrap", "--variant=minbase", suite, str(root), mirror], capture_output=True,
            text=True, timeout=280)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        partial = _CACHE / f"{suite}.{os.getpid()}.tar"
        subprocess.run(
            ["tar", "--create", "--numeric-owner", "--xattrs", "--one-file-system",
             f"--file={partial}", f"--directory={root}", "."], check=True)
        partial.rename(archive)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return archive


def _proxies():
    """How apt of this machine gets through to its sources, as lines of its configuration."""
    dump = subprocess.run(
        ["apt-config", "dump", "Acquire"], capture_output=True, text=True, check=True).stdout
    return "".join(line + "\n" for line in dump.splitlines() if "::Proxy" in line)


class RootFileSystem:
    """A directory that is the root of what is started in it."""

    def __init__(self, directory):
        self.path = pathlib.Path(directory)
        self.path.mkdir(parents=True, exist_ok=True)

    @classmethod
    def debian(cls, directory):
        """Debian as debootstrap leaves it, with the machine's own sources of packages."""
        root = cls(directory)
        subprocess.run(
            ["tar", "--extract", "--numeric-owner", "--xattrs", f"--file={_base()}",
             f"--directory={directory}"], check=True)
        lines = [
            f"deb [signed-by={_KEYRING}] {address} {release} {component}\n"
            for address, release, component in sources()]
        (root.path / "etc/apt/sources.list").write_text("".join(lines))
        (root.path / "etc/apt/apt.conf.d/99proxies").write_text(_proxies())
        shutil.copy("/etc/resolv.conf", root.path / "etc/resolv.conf")
        # As images of containers have it: no service is started by a package.
        policy = root.path / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        return root

    def command(self, *arguments, user=None):
        """The command line that runs `arguments` with this root, as `user` or as root."""
        options = f"--userspec={shlex.quote(user)}" if user else ""
        script = f"root={shlex.quote(str(self.path))}\noptions={shlex.quote(options)}\n{_ENTER}"
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh",
                *map(str, arguments)]

    def run(self, *arguments, user=None, check=True, timeout=250):
        done = subprocess.run(
            self.command(*arguments, user=user), capture_output=True, text=True, timeout=timeout,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C",
                 "DEBIAN_FRONTEND": "noninteractive"})
        if check:
            assert done.returncode == 0, f"{arguments}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done

    def apt(self, *arguments, **options):
        return self.run("apt-get", "-y", "--no-install-recommends", *arguments, **options)

    def entries(self, passed_over):
        """Everything in it by its path: kind, mode, owner, size and, for files, a digest."""
        found = {}
        for folder, folders, files in os.walk(self.path):
            inside = "/" + os.path.relpath(folder, self.path)
            folders[:] = [
                name for name in folders
                if os.path.normpath(f"{inside}/{name}") not in passed_over]
            for name in folders + files:
                path = os.path.normpath(f"{inside}/{name}")
                if path not in passed_over:
                    found[path] = _describe(os.path.join(folder, name))
        return found


def _describe(path):
    status = os.lstat(path)
    head = (oct(status.st_mode), status.st_uid, status.st_gid)
    if os.path.islink(path):
        return (*head, os.readlink(path))
    if os.path.isfile(path):
        with open(path, "rb") as file:
            return (*head, hash(file.read()))
    return head
