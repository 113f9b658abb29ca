"""Renders the overlays of ``deploy/kubernetes`` and validates every object. Needs no cluster.

Kubernetes' own kinds are validated with its published schemas, without unknown fields; those of operators with
``deploy/kubernetes/schemas.yaml``. References between objects, which no schema sees, are followed as well.
"""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator

from environment import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("trial", "production", "restore")
VERSION = "1.34"  # the oldest that the manifests are for: preStop.sleep is stable since then
CREATED_PODS = {"Cluster": "cnpg.io/cluster", "Pooler": "cnpg.io/poolerName"}  # their label, whose value is the name
Manifest = dict[str, Any]


def render(overlay: Path) -> list[Manifest]:
    """Return the objects of an overlay, as ``kubectl apply --kustomize`` sends them.

    Raises:
        CalledProcessError: kustomize refuses the folder; ``stderr`` has the reason.

    """
    program = Path(sys.executable).parent / "kubectl"
    done = subprocess.run([program, "kustomize", overlay], capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


def problems(objects: list[Manifest]) -> list[str]:
    """Return what is wrong with the objects, one line each."""
    return [
        f"{each.get('kind')} {each.get('metadata', {}).get('name')}: {problem}"
        for each in objects
        for problem in (invalid(each) or list(dangling(each, objects)))
    ]


def invalid(manifest: Manifest) -> list[str]:
    """Return how an object breaks the schema of its kind."""
    custom = schemas().get(f"{manifest.get('apiVersion')} {manifest.get('kind')}")
    if custom:
        return [f"{error.json_path}: {error.message}" for error in custom.iter_errors(manifest)]
    try:
        kubernetes_validate.validate(manifest, VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{error.json_path}: {error.message}"]
    except (kubernetes_validate.SchemaNotFoundError, KeyError):
        return [f"{manifest.get('apiVersion')} has no such kind"]
    return []


@cache
def schemas() -> dict[str, Draft202012Validator]:
    """Return the validator of each custom kind, by its version and name."""
    read = yaml.safe_load((FOLDER / "schemas.yaml").read_text())
    shared = read.pop("$defs")
    metadata = {"$ref": "#/$defs/metadata"}
    top = {"apiVersion": {}, "kind": {}, "metadata": metadata}
    return {
        kind: Draft202012Validator(
            closed({"type": "object", "required": [*top, "spec"], "properties": {**top, "spec": spec}, "$defs": shared})
        )
        for kind, spec in read.items()
    }


def closed(schema: Any) -> Any:
    """Return a schema whose objects have no fields besides those that it names."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    rest = {"additionalProperties": False} if "properties" in schema else {}
    return rest | {key: closed(value) for key, value in schema.items()}


def dangling(manifest: Manifest, objects: list[Manifest]) -> Iterator[str]:
    """Find what an object refers to and is missing: ports, volumes, ConfigMaps, what is scaled, pods by label."""
    names = {(each["kind"], each["metadata"]["name"]) for each in objects}
    spec = manifest.get("spec", {})
    wanted = selected(spec)
    if not any(wanted.items() <= labels.items() for labels in pods(objects)):
        yield f"no pod has the labels {wanted}"
    target = spec.get("scaleTargetRef")
    if target and (target["kind"], target["name"]) not in names:
        yield f"no {target['kind']} {target['name']}"
    pod = spec.get("template", {}).get("spec", {}) if manifest["kind"] == "Deployment" else {}
    volumes = {each["name"] for each in pod.get("volumes", [])}
    for container in [*pod.get("initContainers", []), *pod.get("containers", [])]:
        ports = {each["name"] for each in container.get("ports", [])}
        probed = {each["httpGet"]["port"] for each in probes(container) if "httpGet" in each}
        mounted = {each["name"] for each in container.get("volumeMounts", [])}
        maps = {("ConfigMap", each["configMapRef"]["name"]) for each in container.get("envFrom", [])}
        for kind, missing in (("port", probed - ports), ("volume", mounted - volumes), ("ConfigMap", maps - names)):
            yield from (f"{container['name']}: no {kind} {each}" for each in sorted(missing))


def selected(spec: Manifest) -> dict[str, str]:
    """Return the labels of the pods that an object is about: none for all pods, and for objects about other things."""
    selector = spec.get("selector") or spec.get("podSelector") or {}
    labels: dict[str, str] = selector.get("matchLabels", {}) if selector.keys() <= {"matchLabels"} else selector
    return labels


def pods(objects: list[Manifest]) -> Iterator[dict[str, str]]:
    """Yield the labels of each kind of pod: of the Deployments, and of what CloudNativePG creates."""
    for each in objects:
        name = each["metadata"]["name"]
        if each["kind"] == "Deployment":
            yield each["spec"]["template"]["metadata"]["labels"]
        elif each["kind"] in CREATED_PODS:
            yield {CREATED_PODS[each["kind"]]: name}
    yield {}


def probes(container: Manifest) -> list[Manifest]:
    """Return the probes that a container has."""
    return [container[kind] for kind in ("startupProbe", "readinessProbe", "livenessProbe") if kind in container]


def main() -> int:
    """Print the problems of all overlays; return 1 if there are any."""
    found = []
    for overlay in OVERLAYS:
        try:
            found += [f"{overlay}: {problem}" for problem in problems(render(FOLDER / overlay))]
        except subprocess.CalledProcessError as error:
            found.append(f"{overlay}: {error.stderr.strip()}")
    print(*found, sep="\n", end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
