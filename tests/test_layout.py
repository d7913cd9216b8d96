"""Which folder may import which, checked against the imports in the code."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

_TOP = Path(__file__).parents[1]
_PACKAGE = "ddns_updater"

# From top to bottom: a folder imports from the layers below it, and from its own layer if no cycle results.
_LAYERS = (
    {"__main__"},
    {"cli", "aws_lambda"},
    {"app"},
    {"server"},
    {"output", "doctor", "run", "state", "settings"},
    {"sources", "dns", "alerts", "history"},
    {"hosts"},
    {"lib", "model", "errors", "__init__"},
)
_ADAPTERS = {"sources", "dns", "alerts", "history"}
_GRAMMARS = {"sources.spec", "dns.records", "history.url", "alerts.urls"}  # all that settings/ needs of the adapters
_VALUES = {"alerts.event", "alerts.channel"}  # what is sent and to whom, not how: all that run/ needs of them
_REQUEST = {"sources.request", "sources.address"}  # the source of a host's address is its request
_LATE = {
    "aws_lambda",  # a function needs one of its handlers
    "app.factories",  # imports an adapter when it is needed; cli/main.py does so by name
    "app.server_factories",  # those of the update endpoint
    "run.deliveries",  # ctypes, for a delivery that hangs
    "dns.names",  # idna, for a name that is not ASCII
    "lib.trust",  # grp, for a folder that a group may write
    "settings.env_files",  # dotenv, for a .env file; difflib, for a variable that is not a setting
    "settings.load",  # boto3, for a setting that a parameter holds
}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(_TOP / _PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield the modules of this package that a tree imports, without the package's name."""
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.ImportFrom) and node.level), "a relative import is not seen here"
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == _PACKAGE:
            module = node.module.removeprefix(_PACKAGE).lstrip(".")
            for each in node.names:
                inside = f"{module}.{each.name}".lstrip(".")
                yield inside if inside in MODULES else module or "__init__"
        elif isinstance(node, ast.Import):
            yield from (each.name.removeprefix(f"{_PACKAGE}.") for each in node.names if _PACKAGE in each.name)


MODULES = {_name(path): ast.parse(path.read_text()) for path in (_TOP / _PACKAGE).rglob("*.py")}
IMPORTS = {module: set(_imports(tree)) for module, tree in MODULES.items()}


def _folder(module: str) -> str:
    return module.partition(".")[0]


def _layer(module: str) -> int:
    return next(number for number, folders in enumerate(_LAYERS) if _folder(module) in folders)


@pytest.mark.parametrize("module", sorted(IMPORTS))
def test_a_module_imports_nothing_from_above(module: str) -> None:
    assert [other for other in IMPORTS[module] if _layer(other) < _layer(module)] == []


def test_adapters_do_not_know_each_other() -> None:
    for module, others in IMPORTS.items():
        if _folder(module) in _ADAPTERS:
            assert [each for each in others if _folder(each) in _ADAPTERS - {_folder(module)}] == [], module


def test_the_run_knows_no_adapter_and_the_settings_only_their_grammars() -> None:
    for module, others in IMPORTS.items():
        adapters = {each for each in others if _folder(each) in _ADAPTERS}
        if _folder(module) in ("run", "state"):
            assert adapters <= _VALUES, module
        if _folder(module) == "server":
            assert adapters <= _VALUES | _REQUEST, module
        if _folder(module) == "settings":
            assert adapters <= _GRAMMARS, module


def test_there_is_no_cycle_between_modules_or_folders() -> None:
    folders: dict[str, set[str]] = {}
    for module, others in IMPORTS.items():
        folders.setdefault(_folder(module), set()).update({_folder(each) for each in others} - {_folder(module)})
    for graph in (IMPORTS, folders):
        TopologicalSorter(graph).prepare()  # raises CycleError


def test_only_the_factories_and_a_rare_value_import_inside_a_function() -> None:
    for module, tree in MODULES.items():
        functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
        late = [
            node.lineno
            for function in functions
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        assert bool(late) == (module in _LATE), (module, late)


def test_every_folder_says_what_it_is_for() -> None:
    for path in (_TOP / _PACKAGE).rglob("__init__.py"):
        assert path.parent.name == _PACKAGE or ast.get_docstring(ast.parse(path.read_text())), path
