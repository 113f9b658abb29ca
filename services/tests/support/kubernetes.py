"""The manifests of deploy/kubernetes, as kustomize renders them."""

from copy import deepcopy
from functools import cache
from typing import Any

from lint_kubernetes import FOLDER, render

Manifest = dict[str, Any]
_render = cache(render)


def rendered(overlay: str) -> list[Manifest]:
    """Return the objects of an overlay, which a test may change."""
    return deepcopy(_render(FOLDER / overlay))


def find(objects: list[Manifest], kind: str, name: str) -> Manifest:
    """Return the object; a ConfigMap by its name without the hash."""
    (found,) = (each for each in objects if each["kind"] == kind and each["metadata"]["name"].startswith(name))
    return found


def pod(overlay: str, name: str) -> Manifest:
    """Return the spec of a Deployment's pods."""
    spec: Manifest = find(rendered(overlay), "Deployment", name)["spec"]["template"]["spec"]
    return spec


def containers(spec: Manifest) -> list[Manifest]:
    """Return all containers of a pod."""
    return [*spec.get("initContainers", []), *spec["containers"]]


def environment(overlay: str, container: Manifest) -> dict[str, str]:
    """Return the variables that a container gets."""
    settings: dict[str, str] = find(rendered(overlay), "ConfigMap", "settings")["data"]
    return settings | {each["name"]: each["value"] for each in container["env"]}
