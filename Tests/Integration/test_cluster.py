"""Redis Cluster: each channel is heard at the master of its slot, wherever that goes."""

import json
import time

import pytest

from conftest import missing
from harness import haproxy as haproxy_module
from harness import redis_server
from harness.certificates import Authority
from harness.cluster import NODE_TIMEOUT, Cluster, Listener, Load
from harness.daemon import run_to_end
from harness.waiting import free_port, wait_until

MODES = ["dedicated", "shared"]
RIGHTS = "&* +ssubscribe +sunsubscribe +subscribe +ping +hello +role +client +cluster|slots +cluster|info"
FOLLOWED_WITHIN = 30.0
"""Seconds from the end of a master until every page hears its replica."""


def _start_cluster(stack, directory, *arguments, **options):
    if not redis_server.is_installed():
        missing("redis-server with redis-cli")
    cluster = Cluster(directory, *arguments, **options)
    stack.callback(cluster.stop)
    return cluster


@pytest.fixture(scope="module")
def cluster(ended, tmp_path_factory):
    """A cluster for all tests that leave each slot a master; on a machine that is busy elsewhere no node
    may take another for dead, and fail over unasked."""
    return _start_cluster(
        ended, tmp_path_factory.mktemp("cluster"), "--cluster-node-timeout", "15000")


@pytest.fixture
def start_cluster(cleanup, tmp_path):
    """Starts a cluster of the test's own."""

    def start(*arguments, **options):
        return _start_cluster(cleanup, tmp_path, *arguments, **options)

    return start


@pytest.fixture
def start(start_daemon):
    """Starts a daemon on a cluster."""

    def start(cluster, mode="shared", ready=True, **settings):
        settings = {
            "STATUS_REDIS_URL": cluster.url, "STATUS_REDIS_SUBSCRIPTIONS": mode,
            "STATUS_GAP_NOTICES": "true", "STATUS_METRICS_ENABLED": "true"} | settings
        return start_daemon(None, ready=ready, **settings)

    return start


@pytest.fixture
def listen(open_page):
    """Opens a page on each channel and waits until all are live."""

    def listen(daemon, channels):
        return [Listener(open_page(daemon, channel).live(), channel) for channel in channels]

    return listen


def _channels(cluster, each=2):
    """Channels of every master."""
    return [channel for node in cluster.masters() for channel in cluster.channels_at(node, each)]


def _all_hear(cluster, listeners, text, timeout=FOLLOWED_WITHIN):
    """Publishes until each listener has heard the text."""

    def heard():
        for listener in listeners:
            if not listener.heard(text):
                cluster.publish(listener.channel, text)
        time.sleep(0.05)
        return all(listener.heard(text) for listener in listeners)

    wait_until(heard, f"all pages to hear {text}", timeout)


def _check(cluster, load, listeners, fails_over=False):
    load.stop()
    # What comes later than this does not come.
    _all_hear(cluster, listeners, "the end")
    missing = [listener.check(load.sent[listener.channel], fails_over) for listener in listeners]
    sent = sum(len(messages) for messages in load.sent.values())
    print(f"{sent} messages, {sum(map(len, missing))} of them missed and told of")
    return missing


# MARK: Messages

@pytest.mark.parametrize("mode", MODES)
def test_each_channel_is_heard_at_the_master_of_its_slot(cluster, start, listen, mode):
    daemon = start(cluster, mode, STATUS_LOOPS="1")
    channels = _channels(cluster)
    listeners = listen(daemon, channels)
    for channel in channels:
        assert cluster.subscribers(channel) == {cluster.master_of(channel).port: 1}
        assert cluster.publish(channel, f"to {channel}") == 1
    for listener in listeners:
        wait_until(lambda: listener.heard(f"to {listener.channel}"), "the message")
    assert not daemon.link_failures()
    # A link to each master that has a channel, or one for each page; the others are probes.
    links = sum(len(node.connections_named("status2")) for node in cluster.nodes)
    assert links == 1 + 3 + (3 if mode == "shared" else len(channels))


@pytest.mark.parametrize("mode", MODES)
def test_the_last_page_takes_the_subscription_along(cluster, start, open_page, mode):
    daemon = start(cluster, mode, STATUS_LOOPS="1")
    page = open_page(daemon, "leaving:status").live()
    assert sum(cluster.subscribers("leaving:status").values()) == 1
    page.close()
    wait_until(lambda: not cluster.subscribers("leaving:status"), "the subscription to end")
    again = open_page(daemon, "leaving:status").live()
    cluster.publish("leaving:status", "again")
    assert again.status() == "again"


def test_any_node_of_the_url_that_answers_will_do(cluster, start, open_page):
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{cluster.nodes[4].port}"
    daemon = start(cluster, STATUS_REDIS_URL=f"redis+cluster://{hosts}")
    page = open_page(daemon, "seed:status").live()
    cluster.publish("seed:status", "x")
    assert page.status() == "x"


@pytest.mark.parametrize("mode", MODES)
def test_a_cluster_that_refuses_hello_is_spoken_to_in_resp2(start_cluster, start, listen, mode):
    cluster = start_cluster("--rename-command", "HELLO", "", replicas=0, protocol=2)
    daemon = start(cluster, mode)
    channels = _channels(cluster, 1)
    listeners = listen(daemon, channels)
    _all_hear(cluster, listeners, "in RESP2")
    cluster.migrate(channels[0], cluster.master_of(channels[1]))
    _all_hear(cluster, listeners, "after the migration")


@pytest.mark.parametrize("mode", MODES)
def test_a_password_and_names_of_hosts_are_used(start_cluster, start, listen, mode):
    cluster = start_cluster(
        "--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type",
        "hostname", password="pa55", replicas=0)
    daemon = start(cluster, mode)
    listeners = listen(daemon, _channels(cluster, 1))
    _all_hear(cluster, listeners, "with a password")
    assert "pa55" not in daemon.output


@pytest.mark.parametrize("mode", MODES)
def test_a_user_with_the_rights_that_are_documented_has_enough(start_cluster, start, listen, mode):
    cluster = start_cluster(replicas=0)
    for node in cluster.nodes:
        node.cli("ACL", "SETUSER", "relay", "on", ">pw", "resetchannels", *RIGHTS.split())
    url = cluster.url.replace("cluster://", "cluster://relay:pw@")
    daemon = start(cluster, mode, STATUS_REDIS_URL=url, STATUS_REDIS_PING_INTERVAL="300ms")
    channels = _channels(cluster, 1)
    listeners = listen(daemon, channels)
    _all_hear(cluster, listeners, "by right")
    cluster.migrate(channels[0], cluster.master_of(channels[1]))
    _all_hear(cluster, listeners, "by right elsewhere")
    assert daemon.is_ready()
    assert not daemon.link_failures(cause="no_permission")
    for node in cluster.nodes:
        assert node.cli("ACL", "LOG") == ""


def test_nodes_that_do_not_name_themselves_have_the_host_that_was_asked(
        start_cluster, start, listen):
    cluster = start_cluster("--cluster-preferred-endpoint-type", "unknown-endpoint", replicas=0)
    daemon = start(cluster)
    channels = _channels(cluster, 1)
    listeners = listen(daemon, channels)
    cluster.migrate(channels[0], cluster.master_of(channels[1]))
    _all_hear(cluster, listeners, "from nobody in particular")


@pytest.mark.parametrize("mode", MODES)
def test_links_to_every_node_are_tls_where_the_url_says_so(
        start_cluster, start, listen, tmp_path, mode):
    authority = Authority(tmp_path)
    cluster = start_cluster(
        replicas=0, tls=(authority, authority.issue("localhost", "127.0.0.1")))
    daemon = start(cluster, mode, STATUS_REDIS_TLS_CA_FILE=authority.file)
    channels = _channels(cluster, 1)
    listeners = listen(daemon, channels)
    _all_hear(cluster, listeners, "by TLS")
    cluster.migrate(channels[0], cluster.master_of(channels[1]))
    _all_hear(cluster, listeners, "by TLS elsewhere")
    handshakes = daemon.metric('redis_tls_handshakes_total{kind="full"}')
    assert handshakes + daemon.metric('redis_tls_handshakes_total{kind="resumed"}') >= 7


# MARK: Slots that go elsewhere

@pytest.mark.parametrize("mode", MODES)
def test_a_migration_under_load_loses_nothing_outside_a_gap(cluster, start, listen, mode):
    daemon = start(cluster, mode)
    channels = _channels(cluster)
    listeners = listen(daemon, channels)
    load = Load(cluster, channels)
    for channel in channels:
        time.sleep(0.2)
        source = cluster.master_of(channel)
        target = next(node for node in cluster.masters() if node is not source)
        cluster.migrate(channel, target)
    _all_hear(cluster, listeners, "migrated", 10)
    time.sleep(0.5)
    _check(cluster, load, listeners)
    assert all(listener.gaps() for listener in listeners)
    for channel in channels:
        wait_until(
            lambda: cluster.subscribers(channel) == {cluster.master_of(channel).port: 1},
            "the subscription at the new master alone")


@pytest.mark.parametrize("mode", MODES)
def test_a_redirection_is_followed_before_the_topology_is_asked_for(
        cluster, start, open_page, mode):
    daemon = start(cluster, mode, STATUS_REDIS_PING_INTERVAL="60s", STATUS_LOOPS="1")
    channel = f"redirected-{mode}:status"
    source = cluster.master_of(channel)
    cluster.migrate(channel, next(node for node in cluster.masters() if node is not source))
    page = open_page(daemon, channel).live()
    cluster.publish(channel, "here")
    assert page.status() == "here"
    assert daemon.metric("redis_cluster_redirections_total") >= 1
    assert daemon.metric("redis_cluster_topologies_total") >= 1
    assert cluster.subscribers(channel) == {cluster.master_of(channel).port: 1}


@pytest.mark.parametrize("mode", MODES)
def test_a_failover_that_is_asked_for_loses_nothing_outside_a_gap(cluster, start, listen, mode):
    daemon = start(cluster, mode, STATUS_REDIS_PING_INTERVAL="1s")
    channels = _channels(cluster)
    listeners = listen(daemon, channels)
    load = Load(cluster, channels)
    time.sleep(0.5)
    master = cluster.master_of(channels[0])
    replica = cluster.fail_over(master)
    # The former master goes on relaying to whoever is subscribed there: that is left.
    wait_until(
        lambda: not any(master.sharded_subscribers(channel) for channel in channels),
        "all to leave the former master", FOLLOWED_WITHIN)
    _all_hear(cluster, listeners, "from the replica")
    _check(cluster, load, listeners, fails_over=True)
    assert cluster.subscribers(channels[0]) == {replica.port: 1}
    wait_until(daemon.is_ready, "/ready to answer 200")
    # Whoever was elsewhere has noticed nothing.
    others = [each for each in listeners if cluster.master_of(each.channel) is not replica]
    assert len(others) == 4 and not any(each.gaps() for each in others)


@pytest.mark.parametrize("mode", MODES)
def test_the_death_of_a_master_loses_nothing_outside_a_gap(start_cluster, start, listen, mode):
    cluster = start_cluster()
    daemon = start(
        cluster, mode, STATUS_REDIS_PING_INTERVAL="1s", STATUS_REDIS_MAX_RETRIES="0")
    channels = _channels(cluster)
    listeners = listen(daemon, channels)
    load = Load(cluster, channels)
    time.sleep(0.5)
    master = cluster.master_of(channels[0])
    replica = cluster.replica_of(master)
    began = time.monotonic()
    master.kill()
    wait_until(lambda: replica.role() == "master", "the replica to be promoted", 30)
    promoted = time.monotonic()
    _all_hear(cluster, listeners, "from the replica")
    print(f"promoted after {promoted - began:.1f} s, all pages back "
          f"{time.monotonic() - promoted:.1f} s later")
    _check(cluster, load, listeners, fails_over=True)
    wait_until(daemon.is_ready, "/ready to answer 200", FOLLOWED_WITHIN)


# MARK: Nodes that are away

@pytest.mark.parametrize("mode", MODES)
def test_a_node_that_answers_nothing_touches_no_other(start_cluster, start, listen, open_page, mode):
    cluster = start_cluster("--cluster-require-full-coverage", "no", replicas=0)
    daemon = start(
        cluster, mode, STATUS_REDIS_PING_INTERVAL="1s", STATUS_REDIS_REQUEST_TIMEOUT="500ms",
        STATUS_REDIS_DIAL_CONCURRENCY="4", STATUS_REDIS_MAX_RETRIES="0", STATUS_LOOPS="1")
    first, second, third = cluster.masters()
    away = listen(daemon, cluster.channels_at(first, 8))
    here = [(node, listener) for node in (second, third)
            for listener in listen(daemon, cluster.channels_at(node, 2))]
    more = cluster.channels_at(second, 12)[2:]
    first.pause()
    try:
        wait_until(
            lambda: daemon.get("/ready").status == 503, "/ready to say that a shard is away", 20)
        assert json.loads(daemon.get("/ready").body) == ["redis_unavailable"]
        time.sleep(2 * NODE_TIMEOUT)
        for node, listener in here:
            assert node.cli("SPUBLISH", listener.channel, "still") == "1"
            wait_until(lambda: listener.heard("still"), "a message of another master")
            assert not listener.gaps() and listener.code is None
        # New pages of the others are live at once, though all links to the first are being dialed.
        for channel in more:
            began = time.monotonic()
            open_page(daemon, channel).live()
            assert time.monotonic() - began < 1.5
    finally:
        first.resume()
    _all_hear(cluster, away, "back", FOLLOWED_WITHIN)
    wait_until(daemon.is_ready, "/ready to answer 200", FOLLOWED_WITHIN)


@pytest.mark.parametrize("mode", MODES)
def test_a_node_that_does_not_reach_the_others_is_not_believed(
        start_cluster, start, listen, mode):
    cluster = start_cluster(replicas=0)
    daemon = start(
        cluster, mode, STATUS_REDIS_PING_INTERVAL="1s", STATUS_REDIS_REQUEST_TIMEOUT="500ms",
        STATUS_REDIS_MAX_RETRIES="0")
    left, *others = cluster.masters()
    (listener,) = listen(daemon, cluster.channels_at(left, 1))
    for node in others:
        node.pause()
    try:
        wait_until(lambda: "cluster_state:fail" in left.cli("CLUSTER", "INFO"), "the node to notice", 20)
        daemon.wait_for_log("cluster is down", timeout=20)
        assert json.loads(daemon.get("/ready").body) == ["redis_unavailable"]
        # Its pages stay where they are, and hear what it relays on.
        assert left.cli("SPUBLISH", listener.channel, "still") == "1"
        wait_until(lambda: listener.heard("still"), "the message")
        assert not listener.gaps() and listener.code is None
    finally:
        for node in others:
            node.resume()
    daemon.wait_for_log("cluster is up", timeout=30)
    wait_until(daemon.is_ready, "/ready to answer 200", FOLLOWED_WITHIN)
    assert left.cli("SPUBLISH", listener.channel, "and on") == "1"
    wait_until(lambda: listener.heard("and on"), "the message")


# MARK: What is refused

def test_another_database_is_refused_when_the_configuration_is_checked(cluster):
    done = run_to_end(
        "--check-config", settings={"STATUS_REDIS_URL": cluster.url.replace("/0", "/2")})
    assert done.returncode == 1
    assert "a cluster has database 0 alone" in done.stdout + done.stderr


def test_a_redis_that_is_no_cluster_ends_the_start_with_one_line(redis):
    done = run_to_end(settings={
        "STATUS_LISTEN_ADDR": "127.0.0.1:0",
        "STATUS_REDIS_URL": f"redis+cluster://127.0.0.1:{redis.port}"})
    assert done.returncode == 1
    assert "the server is no cluster" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_cluster_that_is_away_is_retried_up_to_the_cap():
    done = run_to_end(settings={
        "STATUS_LISTEN_ADDR": "127.0.0.1:0", "STATUS_REDIS_MAX_RETRIES": "2",
        "STATUS_REDIS_RETRY_BASE": "10ms", "STATUS_REDIS_RETRY_MAX": "10ms",
        "STATUS_REDIS_URL": f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{free_port()}"})
    assert done.returncode == 1
    assert "no node of the cluster can be asked: connection refused, after 2 attempts" in done.stderr


# MARK: The tools

def test_publish_goes_to_the_master_of_the_slot(cluster, start, open_page):
    daemon = start(cluster)
    for channel in _channels(cluster, 1):
        page = open_page(daemon, channel).live()
        done = run_to_end(
            "publish", channel, "by hand", settings={"STATUS_REDIS_URL": cluster.url})
        assert done.returncode == 0, done.stderr
        assert page.status() == "by hand"


def test_the_canary_flies_through_the_cluster(cluster, start):
    daemon = start(cluster, STATUS_CANARY_INTERVAL="1s")
    wait_until(lambda: daemon.metric("canary_latency_seconds_count") >= 2, "the canary to come twice")
    assert daemon.is_ready()


def test_the_doctor_looks_at_the_cluster(cluster):
    done = run_to_end("doctor", settings={"STATUS_REDIS_URL": cluster.url})
    assert "3 masters have all slots, and each answers" in done.stdout, done.stdout
    assert "may SSUBSCRIBE to every channel" in done.stdout, done.stdout
    assert "a message came through Redis" in done.stdout, done.stdout


def test_the_doctor_is_content_with_a_user_who_has_what_the_daemon_needs(cluster):
    for node in cluster.nodes:
        node.cli("ACL", "SETUSER", "needy", "on", ">pw", "&*", *RIGHTS.split())
    url = cluster.url.replace("://", "://needy:pw@")
    done = run_to_end("doctor", settings={"STATUS_REDIS_URL": url})
    assert "NOPERM" not in done.stdout and done.returncode < 2, done.stdout


# MARK: Two daemons behind a balancer

def test_two_daemons_behind_haproxy_lose_nothing_that_one_does_not(
        cluster, start, open_page, cleanup, tmp_path):
    if not haproxy_module.program():
        missing("haproxy")
    daemons = [start(cluster, mode) for mode in MODES]
    front = haproxy_module.Balancer(tmp_path, [daemon.port for daemon in daemons])
    cleanup.callback(front.stop)
    channels = _channels(cluster, 1)
    listeners = [
        Listener(open_page(front, channel).live(), channel) for channel in channels for _ in range(4)]
    assert all(daemon.metric("connections_active") == 6 for daemon in daemons)
    load = Load(cluster, channels)
    time.sleep(0.5)
    source = cluster.master_of(channels[0])
    cluster.migrate(channels[0], next(node for node in cluster.masters() if node is not source))
    _all_hear(cluster, listeners, "migrated", 10)
    _check(cluster, load, listeners)
    untouched = [each for each in listeners if each.channel != channels[0]]
    assert not any(each.gaps() for each in untouched)
