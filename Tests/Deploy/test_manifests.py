"""Compose and Kubernetes: that they name what is there, and that their times add up."""

import re

import pytest
import yaml

from conftest import REPOSITORY
from harness.daemon import run_to_end

DEPLOY = REPOSITORY / "Deploy"
MARGIN_SECONDS = 5


def documents(name):
    return [document for document in yaml.safe_load_all((DEPLOY / name).read_text()) if document]


def seconds(text):
    """A duration as the daemon and Compose write it."""
    found = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", text)
    assert found and text, f"{text} is no duration of minutes and seconds"
    return int(found[1] or 0) * 60 + int(found[2] or 0)


def way_down(settings):
    """How long the daemon's shutdown takes at most with these settings."""
    defaults = {"STATUS_DRAIN_DELAY": "0s", "STATUS_DRAIN_WINDOW": "0s", "STATUS_SHUTDOWN_TIMEOUT": "15s"}
    return sum(seconds(settings.get(name, default)) for name, default in defaults.items())


def assert_settings_are_in_force(settings, tmp_path):
    """The daemon itself takes them as they are, without a warning."""
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    settings = {
        name: str(secret) if name.endswith("_FILE") else value for name, value in settings.items()}
    done = run_to_end("--check-config", settings=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout.lower()
    for name in settings:
        assert re.search(rf"^{name} .*\benvironment {name}\b", done.stdout, re.MULTILINE), name


# Kubernetes


@pytest.fixture(scope="module")
def objects():
    found = documents("kubernetes/status2.yaml") + documents("kubernetes/ingress-nginx.yaml")
    return {document["kind"]: document for document in found}


@pytest.fixture(scope="module")
def pod(objects):
    return objects["Deployment"]["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod):
    return pod["containers"][0]


VERSIONS = {
    "ConfigMap": "v1", "Service": "v1", "Deployment": "apps/v1", "PodDisruptionBudget": "policy/v1",
    "Ingress": "networking.k8s.io/v1",
}


def test_every_object_has_the_version_and_the_name_of_its_kind(objects):
    assert {kind: document["apiVersion"] for kind, document in objects.items()} == VERSIONS
    assert {document["metadata"]["name"] for document in objects.values()} == {"status2"}


def test_the_selectors_select_the_pods(objects):
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert objects["Deployment"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert objects["Service"]["spec"]["selector"].items() <= labels.items()
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_settings_are_the_daemon_s(objects, tmp_path):
    settings = objects["ConfigMap"]["data"]
    assert all(isinstance(value, str) for value in settings.values())
    assert_settings_are_in_force(settings, tmp_path)


def test_the_probes_ask_what_the_daemon_answers(container, objects):
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    listen = objects["ConfigMap"]["data"]["STATUS_LISTEN_ADDR"]
    assert listen == f":{ports['http']}"
    assert objects["Service"]["spec"]["ports"][0]["targetPort"] == "http"
    paths = {}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        paths[probe] = container[probe]["httpGet"]["path"]
        assert container[probe]["httpGet"]["port"] == "http"
    # A restart brings no Redis back: what looks at Redis never ends the process.
    assert paths == {
        "startupProbe": "/health", "livenessProbe": "/health", "readinessProbe": "/ready"}


def test_the_grace_period_holds_the_whole_way_down(pod, container, objects):
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    readiness = container["readinessProbe"]
    assert before >= readiness["periodSeconds"] * readiness["failureThreshold"]
    needed = before + way_down(objects["ConfigMap"]["data"]) + MARGIN_SECONDS
    assert pod["terminationGracePeriodSeconds"] >= needed


def test_secrets_are_files_that_the_user_may_read(pod, container, objects):
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    volume = pod["volumes"][0]
    path = objects["ConfigMap"]["data"]["STATUS_REDIS_PASSWORD_FILE"]
    assert path.startswith(mounts[volume["name"]] + "/")
    assert volume["secret"]["defaultMode"] == 0o440
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]
    # None stands in the repository, and none in a variable.
    assert "Secret" not in objects
    assert not any("PASSWORD" in name and not name.endswith("_FILE")
                   for name in objects["ConfigMap"]["data"])


def test_a_disruption_leaves_a_daemon(objects):
    replicas = objects["Deployment"]["spec"]["replicas"]
    assert 0 < objects["PodDisruptionBudget"]["spec"]["minAvailable"] < replicas
    assert objects["Deployment"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_the_pod_has_no_rights(pod, container):
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 65532
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] and security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert pod["enableServiceLinks"] is False and pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize(("path", "passed"), [
    ("run:status", "run:status"), ("run%3B%3B1:status", "run%3B%3B1:status"), ("health", "health"),
    ("metrics", None), ("console", None), ("ready", None), ("debug/links", None), ("a:b/c", None),
])
def test_the_ingress_takes_the_prefix_away_and_passes_pages_on(objects, path, passed):
    rule = objects["Ingress"]["spec"]["rules"][0]["http"]["paths"][0]
    found = re.match("^" + rule["path"], "/weppcloud-microservices/status/" + path)
    annotations = objects["Ingress"]["metadata"]["annotations"]
    target = annotations["nginx.ingress.kubernetes.io/rewrite-target"]
    assert (found and found.expand(target.replace("$", "\\"))) == (passed and "/" + passed)


# Compose


@pytest.fixture(scope="module")
def compose():
    return documents("container/compose.yaml")[0]


def test_compose_gives_settings_of_the_daemon_s(compose, tmp_path):
    assert_settings_are_in_force(compose["services"]["status2"]["environment"], tmp_path)


def test_compose_waits_for_the_whole_way_down(compose):
    service = compose["services"]["status2"]
    assert seconds(service["stop_grace_period"]) >= way_down(service["environment"]) + MARGIN_SECONDS


def test_compose_has_the_password_in_a_file(compose):
    path = compose["services"]["status2"]["environment"]["STATUS_REDIS_PASSWORD_FILE"]
    for service in compose["services"].values():
        assert [path.removeprefix("/run/secrets/")] == service["secrets"]
    assert set(compose["secrets"]) == {"redis-password"}


def test_compose_builds_the_image_of_the_containerfile(compose):
    build = compose["services"]["status2"]["build"]
    context = (DEPLOY / "container" / build["context"]).resolve()
    assert (context / build["dockerfile"]).exists() and context == REPOSITORY
    service = compose["services"]["status2"]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    # Only the proxy on the machine reaches it.
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
