"""The packages of JavaScript that tests install."""

import json

from support.node import PINNED


def test_lock_names_no_package_index_and_verifies_every_package() -> None:
    packages = json.loads((PINNED / "package-lock.json").read_text())["packages"]
    pinned = {name: package for name, package in packages.items() if name}

    assert len(pinned) > 50
    assert not [name for name, package in pinned.items() if "resolved" in package]
    assert not [name for name, package in pinned.items() if not package["integrity"].startswith("sha512-")]
