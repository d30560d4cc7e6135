"""Which paths name a channel: `^[A-Za-z0-9_.;-]+:[A-Za-z0-9_.-]+$` once decoded."""

import pytest

from harness.raw import upgrade_request

ACCEPTED = {
    "/run:channel": "run:channel",
    "/a:b": "a:b",
    "/AZaz09_.;-:AZaz09_.-": "AZaz09_.;-:AZaz09_.-",
    "/run%3Achannel": "run:channel",
    "/run%3achannel": "run:channel",
    "/a%3Bb%3bc;d:x": "a;b;c;d:x",
    "/%72un:%63hannel": "run:channel",
    "/run:channel/": "run:channel",
    "/run:channel%2F": "run:channel",
    "/...:...": "...:...",
    "/;:-": ";:-",
    "/run:channel?": "run:channel",
    "/run:channel?a=b:c": "run:channel",
    "/run:channel?resume=1": "run:channel",
    "/run:channel?resume=1f00-7": "run:channel",
    "/health:x": "health:x",
    "/" + "r" * 400 + ":c": "r" * 400 + ":c",
}

REFUSED = [
    "/run", "/:", "/run:", "/:channel", "//:", "/run:channel:more", "/run::channel", "/a/b:c",
    "/run:chan;nel", "/run:chan%3Bnel", "/run:chan%20nel", "/run:channel%00", "/run:ch%C3%A4nnel",
    "/run:channel%0a", "/run:channel%0D%0A", "/run:channel%", "/run:channel%3", "/run:channel%zz",
    "/run:channel%u0041", "/%253B:x", "/*:x", "/run:[a]", "/run:a+b", "/run:a,b", "/run:a=b",
    "/run:a'b", "/run:a%22b", "/run:a%5Cb", "//run:channel", "/%2Frun:channel", "///run:channel",
    "/run:channel//", "//run:channel//", "/../run:channel",
    "/a%2Fb:c", "/run:x~", "/run:x@y", "/run:$x", "/run:(x)", "/run:x!", "/run:x&y", "/favicon.ico",
    "/Health", "/run%EF%BC%9Achannel",
]


@pytest.mark.parametrize("path, name", ACCEPTED.items())
def test_a_valid_path_is_followed_byte_for_byte(daemon, redis, raw, path, name):
    connection = raw(daemon)
    assert connection.send(upgrade_request(path)).read_answer().status == 101
    assert redis.subscribers(name) >= 1


@pytest.mark.parametrize("path", REFUSED)
def test_another_path_answers_400_invalid_channel(daemon, raw, path):
    for request in (upgrade_request(path), f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()):
        answer = raw(daemon).send(request).read_answer()
        assert (answer.status, answer.body) == (400, b"invalid channel")


@pytest.mark.parametrize("path", ["/run:chännel", "/run:chan nel", "/run:chan#nel", "/run:\x7f"])
def test_bytes_that_no_request_line_holds_answer_400(daemon, raw, path):
    assert raw(daemon).send(upgrade_request(path)).read_answer().status == 400
