"""Copies the browser libraries we ship from frontend/node_modules to webapp/static/vendor.

To change a version or an icon:

    cd frontend && npm install --save-exact htmx.org@2.0.12   (not needed for an icon)
    npm ci --ignore-scripts
    python tools/vendor_assets.py

and commit the result, so that neither running nor installing the program needs Node. The paths in
templates/base.html bear the version and change with it. `--check` compares what is committed with
the manifest, the lock and, where they are installed, the packages.
"""

import argparse
import hashlib
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

ROOT = Path(__file__).resolve().parent.parent
FRONTEND = ROOT / "frontend"
NODE_MODULES = FRONTEND / "node_modules"
STATIC = ROOT / "webapp" / "static"
VENDOR = STATIC / "vendor"
MANIFEST = VENDOR / "MANIFEST.json"
ICON_PACKAGE = "@tabler/icons"
SPRITE = "icons.svg"
REMEDY = "run tools/vendor_assets.py"

# One symbol each in the sprite; templates name them as icon("phone").
ICONS = """
activity adjustments alert-circle alert-triangle api arrow-left arrow-right asterisk ban
building-broadcast-tower calendar cash chart-bar check chevron-down chevron-left chevron-right chevron-up
circle-check clipboard-list clock code coins copy database device-landline-phone dots download
external-link eye file-spreadsheet filter hash history home info-circle key language layout-dashboard
list-details lock login logout moon pencil phone phone-call phone-incoming phone-off phone-outgoing
plug-connected plus printer qrcode receipt refresh route router search server-2 settings sun test-pipe
trash upload user user-shield users users-group x
"""


@dataclass(frozen=True)
class Package:
    """An npm package and the files of it that we ship, as target name -> path."""

    name: str
    files: dict[str, Path]

    @property
    def folder(self) -> Path:
        return NODE_MODULES / self.name


HTMX = NODE_MODULES / "htmx.org"
TABLER = NODE_MODULES / "@tabler/core"
SWAGGER = NODE_MODULES / "swagger-ui-dist"
PACKAGES = [
    Package("htmx.org", {"htmx.min.js": HTMX / "dist/htmx.min.js", "LICENSE": HTMX / "LICENSE"}),
    Package(
        "@tabler/core",
        {
            "tabler.min.css": TABLER / "dist/css/tabler.min.css",
            "tabler.min.js": TABLER / "dist/js/tabler.min.js",
            "LICENSE": FRONTEND / "licences/tabler-core.txt",
        },
    ),
    Package(
        "swagger-ui-dist",
        {
            "swagger-ui.css": SWAGGER / "swagger-ui.css",
            "swagger-ui-bundle.js": SWAGGER / "swagger-ui-bundle.js",
            "LICENSE": SWAGGER / "LICENSE",
            "NOTICE": SWAGGER / "NOTICE",
        },
    ),
    Package(ICON_PACKAGE, {"LICENSE": NODE_MODULES / ICON_PACKAGE / "LICENSE"}),
]


class VendorError(Exception):
    """Something does not fit; the message says what, and what to do."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Copy the browser libraries to webapp/static/vendor.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if anything differs")
    arguments = parser.parse_args()
    try:
        if arguments.check:
            check()
        else:
            write(built())
    except VendorError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def check() -> None:
    """Compares the committed files with the manifest, the lock and the installed packages."""
    if not MANIFEST.is_file():
        raise VendorError(f"{shown(MANIFEST)} is missing: {REMEDY}.")
    packages = read_json(MANIFEST)
    versions = {package["name"]: package["version"] for package in packages}
    if versions != locked_versions():
        raise VendorError(f"{shown(MANIFEST)} and the lock name different versions: {REMEDY}.")
    sums = {name: digest for package in packages for name, digest in package["files"].items()}
    present = {shipped(path) for path in VENDOR.rglob("*") if path.is_file() and path != MANIFEST} | {SPRITE}
    if present != sums.keys():
        different = ", ".join(sorted(present ^ sums.keys()))
        raise VendorError(f"The manifest and the files present differ in: {different}.")
    for name, digest in sums.items():
        if not (STATIC / name).is_file() or sha256((STATIC / name).read_bytes()) != digest:
            raise VendorError(f"webapp/static/{name} is not what the manifest says: {REMEDY}.")
    if sorted(re.findall(r'<symbol id="([^"]+)"', (STATIC / SPRITE).read_text())) != sorted(ICONS.split()):
        raise VendorError(f"{SPRITE} does not hold the icons of ICONS: {REMEDY}.")
    if NODE_MODULES.is_dir() and manifest(built()) != packages:
        raise VendorError(f"The committed files are not those of the packages: {REMEDY}.")


def write(files: dict[str, dict[str, bytes]]) -> None:
    """Writes every file and the manifest, and removes what is left of other versions."""
    contents = {name: content for package in files.values() for name, content in package.items()}
    for path in sorted(VENDOR.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.is_file() and shipped(path) not in contents:
            path.unlink()
    for name, content in contents.items():
        (STATIC / name).parent.mkdir(parents=True, exist_ok=True)
        (STATIC / name).write_bytes(content)
    MANIFEST.write_text(json.dumps(manifest(files), indent=2) + "\n")


def built() -> dict[str, dict[str, bytes]]:
    """What the installed packages give: package name -> path below static/ -> content."""
    return {package.name: built_files(package, version) for package, version in installed_packages()}


def built_files(package: Package, version: str) -> dict[str, bytes]:
    folder = f"vendor/{package.name.removeprefix('@').replace('/', '-')}-{version}"
    files = {f"{folder}/{target}": source.read_bytes() for target, source in package.files.items()}
    if package.name == ICON_PACKAGE:
        files[SPRITE] = sprite()
    return files


def installed_packages() -> list[tuple[Package, str]]:
    """Each package with its locked version; refuses when another version is installed."""
    versions = locked_versions()
    for package in PACKAGES:
        description = package.folder / "package.json"
        if not description.is_file() or read_json(description)["version"] != versions[package.name]:
            raise VendorError(
                f"{package.name} {versions[package.name]} is not installed: run npm ci --ignore-scripts in frontend/."
            )
    return [(package, versions[package.name]) for package in PACKAGES]


def locked_versions() -> dict[str, str]:
    """The versions in package-lock.json, which must be the exact pins of package.json."""
    pins: dict[str, str] = read_json(FRONTEND / "package.json")["dependencies"]
    lock = read_json(FRONTEND / "package-lock.json")["packages"]
    versions = {name: lock.get(f"node_modules/{name}", {}).get("version") for name in pins}
    if versions != pins or versions.keys() != {package.name for package in PACKAGES}:
        raise VendorError("package.json, package-lock.json and PACKAGES name different libraries or versions.")
    return versions


def manifest(files: dict[str, dict[str, bytes]]) -> list[dict[str, Any]]:
    """One entry per package: name, version, licence and the SHA-256 of each file below static/."""
    versions = locked_versions()
    return [
        {
            "name": name,
            "version": versions[name],
            "licence": read_json(NODE_MODULES / name / "package.json")["license"],
            "files": {path: sha256(content) for path, content in contents.items()},
        }
        for name, contents in files.items()
    ]


def sprite() -> bytes:
    """The icons as symbols of one file. Line width is left to the page's CSS."""
    drawings = read_json(NODE_MODULES / ICON_PACKAGE / "tabler-nodes-outline.json")
    unknown = [name for name in ICONS.split() if name not in drawings]
    if unknown:
        raise VendorError(f"{ICON_PACKAGE} has no icon named {', '.join(unknown)}.")
    symbols = [symbol(name, drawings[name]) for name in sorted(ICONS.split())]
    return '<svg xmlns="http://www.w3.org/2000/svg">\n{}\n</svg>\n'.format("\n".join(symbols)).encode()


def symbol(name: str, nodes: list[tuple[str, dict[str, str]]]) -> str:
    shapes = "".join(
        f"<{tag} {' '.join(f'{key}={quoteattr(value)}' for key, value in attributes.items())}/>"
        for tag, attributes in nodes
    )
    return (
        f'<symbol id="{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor"'
        f' stroke-linecap="round" stroke-linejoin="round">{shapes}</symbol>'
    )


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def shipped(path: Path) -> str:
    return path.relative_to(STATIC).as_posix()


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


if __name__ == "__main__":
    sys.exit(main())
