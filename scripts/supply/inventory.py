#!/usr/bin/env python3
"""What the module, otools and the Python package are made of, asked of cargo.

    scripts/supply/inventory.py table [--check]           the indirect dependencies in docs/dependencies.md
    scripts/supply/inventory.py sbom [--check]            dist/ojwt.cdx.json, a CycloneDX 1.6 bill of materials
    scripts/supply/inventory.py advisories COPY LOCK...   what recorded advisories say of lock files
    scripts/supply/inventory.py record CLONE COPY LOCK... records them, from a clone of their database

`table` writes what stands between the markers; with --check it fails where that is not up to date, or
where a direct dependency has no row. `sbom --check` writes nothing, and holds the bill against what a
reader of it needs. `advisories` fails where one concerns a version that is locked, and prints what its
reader must know: that the copy is old, or that a crate was not looked up.

cargo-cyclonedx would make a bill, too: one for each package, with a time and a random serial number,
with build dependencies in it and without AWS-LC, which is C, or what Python brings; and it takes minutes
to compile. Nothing here is random: the same Cargo.lock and Rust give the same bytes.
"""

import datetime
import json
import pathlib
import re
import subprocess
import sys
import tomllib
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = "x86_64-unknown-linux-gnu"
DOCUMENT = ROOT / "docs" / "dependencies.md"
BILL = ROOT / "dist" / "ojwt.cdx.json"
BEGIN, END = "<!-- indirect: made by scripts/supply/dependencies -->", "<!-- end -->"
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
        fail("docs/dependencies.md is not up to date: run scripts/supply/dependencies")
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
            fail(f"{name} has no line in scripts/supply/inventory.py")
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


# The advisories ----------------------------------------------------------------------------------

# After so many days a copy says little.
OLD = 180


def locked(files):
    """What comes from a registry: name and version."""
    for file in files:
        for package in tomllib.loads(pathlib.Path(file).read_text())["package"]:
            if "source" in package:
                yield package["name"], package["version"]


def advisory(file):
    """What stands in front of an advisory's text, and its title."""
    front, text = file.read_text().removeprefix("```toml").split("```", 1)
    return tomllib.loads(front), re.search(r"^#+ *(.+)$", text, re.M)[1]


def order(version):
    """Its numbers, and what sorts a version that comes before a release: 1.0.0-pre.2."""
    numbers, _, before = version.partition("+")[0].partition("-")
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in before.split(".") if before]
    return [int(number) for number in numbers.split(".")], (0, parts) if before else (1, [])


def fits(version, requirement):
    """Whether a version is in a range, in Cargo's words: `>= 0.6.3, < 0.6.14`, `^0.3.4`."""
    here = order(version)
    for part in requirement.split(","):
        found = re.fullmatch(r"\s*(>=|<=|>|<|=|\^|~|)\s*(\d+(?:\.\d+){0,2}(?:-[\w.-]+)?)\s*", part)
        operator, (numbers, before) = (found[1] or "^", order(found[2])) if found else ("", ([], None))
        # What `<= 1.2` means of 1.2.3 is left to those who can ask Cargo.
        if not found or (operator in ("<=", ">", "=") and len(numbers) < 3):
            fail(f"an advisory has the range {requirement!r}, which is not understood")
        there = (numbers + [0] * (3 - len(numbers)), before)
        # The leading numbers that have to be the same.
        kept = min(2, len(numbers))
        if operator == "^":
            kept = next((at for at, number in enumerate(numbers) if number), len(numbers) - 1) + 1
        if not {
            ">=": here >= there,
            "<=": here <= there,
            ">": here > there,
            "<": here < there,
            "=": here == there,
        }.get(operator, here >= there and here[0][:kept] == numbers[:kept]):
            return False
    return True


def advisories(copy, files):
    recorded = tomllib.loads((copy / "copy.toml").read_text())
    age = (datetime.date.today() - recorded["date"]).days
    if age > OLD:
        print(f"newer advisories: those recorded are of {recorded['date']}, {age} days ago; "
              "docs/dependencies.md says how to record them anew")
    packages = sorted(set(locked(files)))
    unknown = sorted({name for name, _ in packages} - set(recorded["crates"]))
    if unknown:
        print(f"advisories of {', '.join(unknown)}: not among what was looked up for the recorded copy; "
              "docs/dependencies.md says how to record it anew")
    config = tomllib.loads((ROOT / "deny.toml").read_text())
    ignored = {entry["id"] for entry in config["advisories"]["ignore"]}
    hits = []
    for name, version in packages:
        for file in sorted((copy / "crates" / name).glob("*.md")):
            front, title = advisory(file)
            fine = front["versions"].get("patched", []) + front["versions"].get("unaffected", [])
            if front["advisory"]["id"] not in ignored and not any(fits(version, range) for range in fine):
                hits.append(f"{front['advisory']['id']} concerns {name} {version}: {title}")
    if hits:
        fail("\n".join(hits))


def record(clone, copy, files):
    """Writes what decides whether an advisory concerns a version; drafts have no number yet."""
    date = ask("git", "-C", clone, "log", "-1", "--format=%cs").strip()
    names = sorted({name for name, _ in locked(files)})
    for old in copy.glob("crates/*/*.md"):
        old.unlink()
    for name in names:
        for file in sorted((clone / "crates" / name).glob("RUSTSEC-[12]*.md")):
            front, title = advisory(file)
            if "withdrawn" in front["advisory"]:
                continue
            front["advisory"].setdefault("url", next(iter(front["advisory"].get("references", [])), ""))
            lines = []
            for table, members in (
                ("advisory", ("id", "package", "date", "url", "informational", "aliases")),
                ("versions", ("patched", "unaffected")),
            ):
                lines += ["", f"[{table}]"] if lines else [f"[{table}]"]
                lines += [f"{member} = {json.dumps(front[table][member], ensure_ascii=False)}"
                          for member in members if front[table].get(member)]
            made = copy / "crates" / name / file.name
            made.parent.mkdir(parents=True, exist_ok=True)
            made.write_text("\n".join(["```toml", *lines, "```", "", f"# {title}", ""]))
    crates = "".join(f'    "{name}",\n' for name in names)
    (copy / "copy.toml").write_text(
        "# What was looked up, and of what day the answers are.\n"
        f"date = {date}\ncrates = [\n{crates}]\n")


def main():
    what, *words = sys.argv[1:] or [""]
    if what == "advisories" and len(words) > 1:
        return advisories(pathlib.Path(words[0]), words[1:])
    if what == "record" and len(words) > 2:
        return record(pathlib.Path(words[0]), pathlib.Path(words[1]), words[2:])
    if what not in ("table", "sbom") or words not in ([], ["--check"]):
        fail("usage: scripts/supply/inventory.py table|sbom [--check], advisories COPY LOCK..., "
             "or record CLONE COPY LOCK...")
    check = bool(words)
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
