"""Passwords and URLs from files, with a real Redis: at the start, and changed while pages are open."""

import os

import pytest

from harness.waiting import wait_until


def _write(path, text):
    """Replaces a file as a whole, as orchestrators do."""
    other = path.with_name(path.name + ".new")
    other.write_text(text)
    os.replace(other, path)


def _change_password(redis, old, new):
    """Changes the password and ends all connections that know the former one only."""
    redis.cli("CONFIG", "SET", "requirepass", new)
    redis.password = new
    redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
    redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def _hears(redis, page, channel, line):
    redis.wait_for_subscribers(channel, 1)
    redis.publish(channel, line)
    assert page.status() == line


@pytest.fixture
def secured(start_redis):
    return start_redis("--requirepass", "first", password="first")


@pytest.mark.parametrize("variable", ["STATUS_REDIS_PASSWORD_FILE", "REDIS_PASSWORD_FILE"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_password_comes_from_a_file(start_daemon, secured, tmp_path, variable, end):
    secret = tmp_path / "password"
    secret.write_bytes(f"first{end}".encode())
    start_daemon(secured, **{variable: secret})


@pytest.mark.parametrize("variable", ["STATUS_REDIS_URL_FILE", "REDIS_URL_FILE"])
def test_a_url_comes_from_a_file(start_daemon, secured, tmp_path, variable):
    secret = tmp_path / "url"
    secret.write_text(f"redis://:first@127.0.0.1:{secured.port}/2\n")
    start_daemon(None, **{variable: secret})


def test_a_flag_names_the_file_too(start_daemon, secured, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("first\n")
    start_daemon(secured, f"--redis-password-file={secret}", STATUS_REDIS_PASSWORD="wrong")


def test_a_password_that_has_changed_makes_the_daemon_not_ready_though_its_probe_was_let_in(
        start_daemon, secured, open_page, channel, tmp_path):
    secret = tmp_path / "password"
    _write(secret, "first\n")
    daemon = start_daemon(secured, STATUS_REDIS_PASSWORD_FILE=secret, STATUS_REDIS_RETRY_MAX="1s")
    page = open_page(daemon, channel).live()
    secured.cli("CONFIG", "SET", "requirepass", "second")
    secured.password = "second"
    # Nobody has met it yet: Redis keeps whom it has let in.
    assert daemon.is_ready()
    other = open_page(daemon, channel + "2")
    wait_until(lambda: not daemon.is_ready(), "/ready to answer 503")
    _hears(secured, page, channel, "by the older link")
    _write(secret, "second\n")
    wait_until(daemon.is_ready, "/ready to answer 200")
    _hears(secured, other.live(), channel + "2", "by the new one")


@pytest.mark.parametrize("variable", ["STATUS_REDIS_PASSWORD_FILE", "STATUS_REDIS_URL_FILE"])
def test_pages_come_back_after_a_change_of_the_password_without_a_restart(
        start_daemon, secured, open_page, channel, tmp_path, variable):
    def content(password):
        url = f"redis://:{password}@127.0.0.1:{secured.port}/2"
        return f"{url if 'URL' in variable else password}\n"

    secret = tmp_path / "secret"
    _write(secret, content("first"))
    url = None if "URL" in variable else secured.url
    daemon = start_daemon(None, **{variable: secret, "STATUS_REDIS_URL": url})
    page = open_page(daemon, channel).live()
    for old, new in (("first", "second"), ("second", "third")):
        _write(secret, content(new))
        _change_password(secured, old, new)
        _hears(secured, page, channel, f"under {new}")
    wait_until(daemon.is_ready, "/ready to answer 200")
    _hears(secured, open_page(daemon, channel + "2").live(), channel + "2", "to a new page")
    for password in ("first", "second", "third"):
        assert password not in daemon.output


def test_a_change_before_the_file_is_waited_for(
        start_daemon, secured, open_page, channel, tmp_path):
    secret = tmp_path / "secret"
    _write(secret, "first")
    daemon = start_daemon(secured, STATUS_REDIS_PASSWORD_FILE=secret)
    page = open_page(daemon, channel).live()
    _change_password(secured, "first", "second")
    daemon.wait_for_link_failure(cause="wrong_password")
    _write(secret, "second")
    _hears(secured, page, channel, "at last")


def test_a_file_that_cannot_be_used_is_warned_of_and_the_former_password_stays(
        start_daemon, secured, open_page, channel, tmp_path):
    secret = tmp_path / "secret"
    _write(secret, "first")
    daemon = start_daemon(secured, STATUS_REDIS_PASSWORD_FILE=secret)
    secret.unlink()

    def warned():
        # The file is looked at when a link is made, at most once a second.
        open_page(daemon, channel + "2").live().close()
        return [line for line in daemon.logs if line["level"] == "warn" and str(secret) in str(line)]

    line = wait_until(warned, "a warning that names the file")[0]
    assert "no such file or directory" in str(line)
    page = open_page(daemon, channel).live()
    _hears(secured, page, channel, "as before")
    assert "first" not in daemon.output
