#!/usr/bin/env python3
"""What the module, otools and the Python package are made of, asked of cargo.

    scripts/inventory.py table [--check]  the indirect dependencies in docs/dependencies.md
    scripts/inventory.py sbom [--check]   dist/ojwt.cdx.json, a CycloneDX 1.6 bill of materials

`table` writes what stands between the markers; with --check it fails where that is not up to date, or
where a direct dependency has no row. `sbom --check` writes nothing, and holds the bill against what a
reader of it needs.

cargo-cyclonedx would make a bill, too: one for each package, with a time and a random serial number,
with build dependencies in it and without AWS-LC, which is C, or what Python brings; and it takes minutes
to compile. Nothing here is random: the same Cargo.lock and Rust give the same bytes.
"""

import json
import pathlib
import re
import subprocess
import sys
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = "x86_64-unknown-linux-gnu"
DOCUMENT = ROOT / "docs" / "dependencies.md"
BILL = ROOT / "dist" / "ojwt.cdx.json"
BEGIN, END = "<!-- indirect: made by scripts/dependencies -->", "<!-- end -->"
REPOSITORY = "https://github.com/aocks/ox_jwt"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, REPOSITORY)

# What is shipped: package in Cargo, name of the product, its type in CycloneDX, what it is.
PRODUCTS = [
    ("ojwt", "ngx_http_ojwt_module", "library", "The nginx module"),
    ("otools", "otools", "application", "Keys and tokens at the command line"),
    ("ojwt-python", "ox_jwt", "library", "The Python package"),
]


def ask(*command):
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def fail(sentence):
    sys.exit(f"ojwt: {sentence}")


def metadata():
    """The packages by name and version."""
    text = ask("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET)
    return {(p["name"], p["version"]): p for p in json.loads(text)["packages"]}


def tree(package):
    """What is linked into a package: its own key, and for each key those that it uses.

    A key is (name, version, features); features are told apart for our own packages only. cargo tree
    chooses features for this package alone, as the build does; cargo metadata for the workspace at once.
    """
    text = ask("cargo", "tree", "--locked", "--target", TARGET, "--edges", "normal,no-proc-macro",
               "--prefix", "depth", "--format", "|{p}|{f}", "--package", package)
    path, uses = [], {}
    for line in text.splitlines():
        depth, name, features = line.split("|")
        name, version = name.split()[:2]
        own = "(/" in line
        key = (name, version[1:], features.replace(" (*)", "") if own and name == "ojwt-core" else "")
        del path[int(depth):]
        if path:
            uses[path[-1]].add(key)
        uses.setdefault(key, set())
        path.append(key)
    return path[0], uses


def licence(package):
    """An SPDX expression; older packages separate alternatives by a slash."""
    return re.sub(r"\s*/\s*", " OR ", package["license"])


# The table ---------------------------------------------------------------------------------------


def table(packages):
    root, uses = tree("ojwt")
    own = {key for key in uses if packages[key[:2]]["source"] is None}
    direct = set().union(*(uses[key] for key in own))
    lines = ["| crate | licence | brought by |", "| --- | --- | --- |"]
    for key in sorted(set(uses) - own - direct):
        parents = sorted({user[0] for user in uses if key in uses[user]})
        lines.append(f"| {key[0]} | {licence(packages[key[:2]])} | {', '.join(parents)} |")
    return "\n".join(lines)


def direct_names(packages):
    """All that a manifest of ours asks for, in Rust and in Python."""
    ours = [p for p in packages.values() if p["source"] is None]
    names = {d["name"] for p in ours for d in p["dependencies"] if d["source"] is not None}
    text = (ROOT / "crates/python/pyproject.toml").read_text()
    lists = re.findall(r"^(?:requires|dependencies|test|bench) = \[(.*?)\]\s*$", text, re.S | re.M)
    for words in lists:
        names |= {re.match(r"[\w.-]+", word)[0] for word in re.findall(r'"([^"]+)"', words)}
    return names - {p["name"] for p in ours}


def document(check):
    packages = metadata()
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    for name in sorted(direct_names(packages)):
        if f"| `{name}` |" not in before:
            fail(f"docs/dependencies.md has no row for {name}, which a manifest asks for")
    new = f"{before}{BEGIN}\n{table(packages)}\n{END}{after}"
    if check and new != text:
        fail("docs/dependencies.md is not up to date: run scripts/dependencies")
    if not check:
        DOCUMENT.write_text(new)


# The bill ----------------------------------------------------------------------------------------


def reference(key):
    name, version, features = key
    return f"pkg:cargo/{name}@{version}" + (f"?features={features}" if features else "")


def crate(key, packages, checksums):
    package = packages[key[:2]]
    component = {
        "type": "library",
        "bom-ref": reference(key),
        "name": key[0],
        "version": key[1],
        "licenses": [{"expression": licence(package)}],
    }
    if package["description"]:
        component["description"] = " ".join(package["description"].split())
    if package["source"] is not None:
        component["purl"] = f"pkg:cargo/{key[0]}@{key[1]}"
        component["hashes"] = [{"alg": "SHA-256", "content": checksums[key[:2]]}]
    if package["repository"]:
        component["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return component


def aws_lc(packages):
    """The C that aws-lc-sys compiles, under the name that advisories have for it."""
    package = next(p for p in packages.values() if p["name"] == "aws-lc-sys")
    header = pathlib.Path(package["manifest_path"]).parent / "aws-lc/include/openssl/base.h"
    version = re.search(r'AWSLC_VERSION_NUMBER_STRING "([\d.]+)"', header.read_text())[1]
    purl = f"pkg:github/aws/aws-lc@v{version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": "aws-lc",
        "version": version,
        "description": "Cryptography in C and assembly, compiled from the sources that aws-lc-sys holds",
        "licenses": [{"expression": licence(package)}],
        "purl": purl,
        "externalReferences": [{"type": "vcs", "url": "https://github.com/aws/aws-lc"}],
    }


def rust_library():
    version = ask("rustc", "--version").split()[1]
    return {
        "type": "library",
        "bom-ref": f"rust-std@{version}",
        "name": "rust-std",
        "version": version,
        "description": "The standard library of the Rust that is installed",
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
        "externalReferences": [{"type": "vcs", "url": "https://github.com/rust-lang/rust"}],
    }


# What Python's packages that are asked for at run time are for, and their licences.
PYTHON = {
    "blinker": ("Signals of Flask", "MIT"),
    "flask": ("The framework of the decorators and of the demonstration", "BSD-3-Clause"),
}


def python_packages():
    text = (ROOT / "crates/python/pyproject.toml").read_text()
    wanted = re.search(r"^dependencies = \[(.*)\]$", text, re.M).group(1)
    for name, version in re.findall(r'"([\w-]+)([^"]*)"', wanted):
        if name not in PYTHON:
            fail(f"{name} has no line in scripts/inventory.py")
        what, licence = PYTHON[name]
        yield {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}",
            "name": name,
            "description": f"{what}; installed by pip, not part of the package",
            "scope": "required",
            "licenses": [{"expression": licence}],
            "purl": f"pkg:pypi/{name}",
            "properties": [{"name": "ojwt:version", "value": version or "any"}],
        }


def bill():
    packages = metadata()
    lock = (ROOT / "Cargo.lock").read_text()
    checksums = {
        (name, version): checksum
        for name, version, checksum in re.findall(
            r'name = "(.+)"\nversion = "(.+)"\nsource = .+\nchecksum = "(.+)"', lock)
    }
    version = next(p["version"] for p in packages.values() if p["name"] == "ojwt")
    components, depends = {}, {}
    c, rust, python = aws_lc(packages), rust_library(), list(python_packages())
    for component in (c, rust, *python):
        components[component["bom-ref"]] = component
        depends[component["bom-ref"]] = set()
    for package, name, kind, what in PRODUCTS:
        root, uses = tree(package)
        for key, used in uses.items():
            ref = name if key == root else reference(key)
            components[ref] = crate(key, packages, checksums)
            depends.setdefault(ref, set()).update(map(reference, used))
            if key[0] == "aws-lc-sys":
                depends[ref].add(c["bom-ref"])
        components[name] |= {"type": kind, "bom-ref": name, "name": name, "description": what}
        depends[name].add(rust["bom-ref"])
    depends["ox_jwt"].update(component["bom-ref"] for component in python)
    depends["ojwt"] = {name for _, name, _, _ in PRODUCTS}
    result = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "ojwt",
                "name": "ojwt",
                "version": version,
                "licenses": [{"expression": "MIT"}],
                "externalReferences": [{"type": "vcs", "url": REPOSITORY}],
            },
            "properties": [{"name": "ojwt:target", "value": TARGET}],
        },
        "components": [components[ref] for ref in sorted(components)],
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(depends[ref])} for ref in sorted(depends)
        ],
    }
    # A serial number that says the content: another content, another number.
    serial = uuid.uuid5(NAMESPACE, json.dumps(result, sort_keys=True))
    return {"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", **result,
            "serialNumber": f"urn:uuid:{serial}"}


def faults(made):
    """What a reader of the bill would miss, in sentences."""
    if (made["bomFormat"], made["specVersion"], made["version"]) != ("CycloneDX", "1.6", 1):
        yield "it does not say that it is CycloneDX 1.6"
    if not re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made["serialNumber"]):
        yield "its serial number is no UUID"
    if "timestamp" in made["metadata"]:
        yield "it has a time stamp"
    refs = [component["bom-ref"] for component in made["components"]]
    if len(set(refs)) != len(refs):
        yield "a reference stands for two components"
    known = set(refs) | {made["metadata"]["component"]["bom-ref"]}
    uses = {entry["ref"]: entry["dependsOn"] for entry in made["dependencies"]}
    if set(uses) != known or not set().union(*uses.values()) <= known:
        yield "its dependencies are not those of its components"
    for component in made["components"]:
        for member in ("type", "name", "licenses"):
            if not component.get(member):
                yield f"{component['bom-ref']} has no {member}"
        if component.get("purl", "").startswith("pkg:cargo/"):
            if not re.fullmatch("[0-9a-f]{64}", component["hashes"][0]["content"]):
                yield f"{component['bom-ref']} has no checksum"
    reached, waiting = set(), ["ojwt"]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting.extend(uses.get(ref, []))
    if reached != known:
        yield f"nothing uses {', '.join(sorted(known - reached))}"


def main():
    what, *options = sys.argv[1:] or [""]
    if what not in ("table", "sbom") or options not in ([], ["--check"]):
        fail("usage: scripts/inventory.py table|sbom [--check]")
    check = bool(options)
    if what == "table":
        return document(check)
    made = bill()
    for fault in faults(made):
        fail(f"the bill of materials is wrong: {fault}")
    if made != bill():
        fail("the bill of materials is another each time")
    if not check:
        BILL.parent.mkdir(exist_ok=True)
        BILL.write_text(json.dumps(made, indent=2) + "\n")


main()
