"""Messages of a channel reach its clients: all, in Redis's order, each once."""

import pytest

COUNT = 1000


def test_a_message_published_with_redis_cli_reaches_a_client(daemon, redis, open_page, channel):
    page = open_page(daemon, channel).live()
    assert redis.publish(channel, "hello") == 1
    assert page.status() == "hello"


def test_a_thousand_messages_keep_their_order_and_content(daemon, redis, open_page, channel):
    page = open_page(daemon, channel).live()
    payloads = [f"{number}: " + "x" * (number * 7 % 900) for number in range(COUNT)]
    with redis.client() as client, client.pipeline(transaction=False) as pipeline:
        for payload in payloads:
            pipeline.publish(channel, payload)
        assert pipeline.execute() == [1] * COUNT
    assert [page.status() for _ in payloads] == payloads


def test_each_message_comes_once(daemon, redis, open_page, channel):
    page = open_page(daemon, channel).live()
    redis.publish(channel, "first")
    redis.publish(channel, "last")
    assert [page.status(), page.status()] == ["first", "last"]


def test_two_clients_of_a_channel_see_the_same(daemon, redis, open_page, channel):
    pages = [open_page(daemon, channel).live() for _ in range(2)]
    with redis.client() as client:
        for number in range(50):
            assert client.publish(channel, number) == 2
    for page in pages:
        assert [page.status() for _ in range(50)] == [str(number) for number in range(50)]


def test_channels_are_isolated(daemon, redis, open_page, channel):
    names = [f"{channel}.{letter}" for letter in "ab"]
    first, second = [open_page(daemon, name).live() for name in names]
    with redis.client() as client:
        for number in range(20):
            client.publish(names[0], f"a{number}")
            client.publish(names[1], f"b{number}")
    assert [first.status() for _ in range(20)] == [f"a{number}" for number in range(20)]
    assert [second.status() for _ in range(20)] == [f"b{number}" for number in range(20)]


@pytest.mark.parametrize("form", ["{}", "{}/", "{}%2F"])
@pytest.mark.parametrize("semicolon", [";", "%3B", "%3b"])
def test_a_path_is_decoded_and_loses_outer_slashes(
        daemon, redis, open_page, channel, form, semicolon):
    path = form.format(channel.replace(";", semicolon))
    page = open_page(daemon, path).live()
    assert redis.publish(channel, semicolon) == 1
    assert page.status() == semicolon


def test_a_query_is_passed_over(daemon, redis, open_page, channel):
    page = open_page(daemon, channel + "?token=1;2:3").live()
    assert redis.publish(channel, "x") == 1
    assert page.status() == "x"


def test_nothing_is_lost_at_open(daemon, redis, open_page, channel):
    with redis.client() as client:
        for number in range(100):
            name = f"{channel}.{number}"
            with open_page(daemon, name) as page:
                # The 101 is here, so the subscription is too.
                assert client.publish(name, number) == 1
                assert page.status() == str(number)


def test_the_subscription_is_acknowledged_before_the_101(daemon, redis, open_page, channel):
    with open_page(daemon, channel):
        assert redis.subscribers(channel) == 1


def test_messages_forwarded_are_counted(daemon, redis, open_page, channel):
    page = open_page(daemon, channel).live()
    before = daemon.metric("messages_forwarded_total")
    for text in "abc":
        redis.publish(channel, text)
        assert page.status() == text
    assert daemon.metric("messages_forwarded_total") - before == 3


def test_connection_lines_name_run_and_channel(daemon, open_page):
    with open_page(daemon, "log;run:part"):
        line = daemon.wait_for_log("client connected", run_id="log;run", channel="part")
        assert line["component"] == "server" and line["level"] == "info"
    line = daemon.wait_for_log("client disconnected", run_id="log;run", channel="part")
    assert line["reason"] == "client_closed" and line["code"] == 1000


def test_no_metric_is_labelled_by_run_or_channel(daemon, open_page, channel):
    with open_page(daemon, channel):
        text = daemon.get("/metrics").body.decode()
    run, part = channel.split(":")
    assert run not in text and f'"{part}"' not in text
