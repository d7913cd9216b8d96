"""The files of `share/`, which a wheel installs below the prefix of its environment; `make format` writes them."""

from pathlib import Path

from click.shell_completion import get_completion_class

from ddns_updater.cli.main import main
from tests.package.manual import manual

SHARE = Path(__file__).parents[2] / "share"

_COMPLETIONS = {  # where each shell looks for the completion of `ddns`
    "bash": "bash-completion/completions/ddns",
    "fish": "fish/vendor_completions.d/ddns.fish",
    "zsh": "zsh/site-functions/_ddns",
}

_CORRECTIONS = {  # what click's scripts get wrong
    # the second completion in a shell would find nothing: zsh then runs the file again, but no longer as a load
    "zsh": ("call function directly\n", "call function directly\n    compdef _ddns_completion ddns\n"),
    # a summary would end at its first comma
    "fish": ('string split "," ', 'string split --max 1 "," '),
}


def share() -> dict[str, str]:
    """Return the text of each file by its path."""
    return {"man/man1/ddns.1": manual(), **{path: _completion(shell) for shell, path in _COMPLETIONS.items()}}


def _completion(shell: str) -> str:
    """Return click's script, which asks the program itself what fits."""
    form = get_completion_class(shell)
    assert form
    script = form.source_template % form(main, {}, "ddns", "_DDNS_COMPLETE").source_vars()
    wrong, right = _CORRECTIONS.get(shell, ("", ""))
    assert wrong in script
    return script.replace(wrong, right) if wrong else script


if __name__ == "__main__":
    for name, text in share().items():
        file = SHARE / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
