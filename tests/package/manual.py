"""The manual page ddns(1), made from the help of the commands and the table of the settings."""

import re
from collections.abc import Iterator
from inspect import cleandoc

import click

from ddns_updater import __version__
from ddns_updater.cli.main import main
from ddns_updater.settings.variables import SETTINGS, Setting
from tests.docs.env_example import parameter_example

_ENVIRONMENT = """\
Settings come from the environment, then from .env in the working directory, then from .env in the per-user folder, or
from the file of --env-file alone. Every setting is optional. Each is shown with its default, or with an example if it
has none. A name with _FILE reads a secret from a file instead, a name with _PARAMETER from a SecureString of AWS
Systems Manager, by its name or ARN; set only one of the three."""

FILES = {
    "~/.config/ddns-updater/.env": (
        "The settings of the user. The per-user folder is below $XDG_CONFIG_HOME if that is set; on macOS it is"
        " ~/Library/Application Support/ddns-updater otherwise."
    ),
    ".env": "The settings in the working directory.",
    "~/.config/ddns-updater/ddns.sqlite3": "The history, unless DDNS_DATABASE_URL names another database.",
    "~/.config/ddns-updater/runs-*.json": "The results of recent runs and undelivered alerts, in DDNS_STATE_FOLDER.",
}

_LONG = 40  # characters of a word that may be broken where it has signs
_LITERAL = "\b"  # a paragraph that begins with it keeps its lines, as in the help
_STATUS = "Exit status: "


def manual() -> str:
    """Return the whole page, in roff."""
    context = main.make_context("ddns", [], resilient_parsing=True)
    first, *rest = _paragraphs(main)
    status = next(each for each in rest if each.startswith(_STATUS))
    rest.remove(status)
    lines = [
        f'.TH DDNS 1 "" "ddns {_roff(__version__)}" "User Commands"',
        ".nh",
        ".ad l",
        ".SH NAME",
        _roff(f"ddns - {first[0].lower()}{first[1:].rstrip('.')}"),
        ".SH SYNOPSIS",
        *_synopsis(main, context),
        ".SH DESCRIPTION",
        *_prose(rest),
        ".SH OPTIONS",
        *_options(main, context),
        ".SH COMMANDS",
    ]
    for command, below in commands(main, context):
        lines += [f'.SS "{_roff(below.command_path)}"', *_synopsis(command, below), ".PP"]
        lines += [*_prose(_paragraphs(command)), *_options(command, below)]
    lines += [".SH ENVIRONMENT", _roff(_ENVIRONMENT.replace("\n", " "))]
    for setting in SETTINGS:
        lines += _setting(setting)
    lines += [
        *_entry("AWS_..."),
        _roff("These variables are passed to the AWS SDK unchanged; so are its files, ~/.aws."),
    ]
    lines.append(".SH FILES")
    for path, text in FILES.items():
        lines += [*_entry(path), _roff(text)]
    status = status.removeprefix(_STATUS)
    lines += [".SH EXIT STATUS", _roff(status[0].upper() + status[1:]), ".SH SEE ALSO", ".BR crontab (5)"]
    return "\n".join(lines) + "\n"


def commands(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield each command below a group with its context; those of a group come after it."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        below = command.make_context(name, [], parent=context, resilient_parsing=True)
        yield command, below
        if isinstance(command, click.Group):
            yield from commands(command, below)


def _paragraphs(command: click.Command) -> list[str]:
    """Return the paragraphs of a help; those that keep their lines begin with `_LITERAL`."""
    found = cleandoc(command.help or "").split("\n\n")
    return [each if each.startswith(_LITERAL) else " ".join(each.split()) for each in found]


def _synopsis(command: click.Command, context: click.Context) -> Iterator[str]:
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f"\\fB{_roff(context.command_path)}\\fR {_roff(pieces)}"


def _prose(paragraphs: list[str]) -> Iterator[str]:
    for number, paragraph in enumerate(paragraphs):
        if number:
            yield ".PP"
        if paragraph.startswith(_LITERAL):
            yield ".nf"
            yield from map(_roff, paragraph.splitlines()[1:])
            yield ".fi"
        else:
            yield _roff(paragraph)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for param in command.get_params(context):
        if isinstance(param, click.Argument):  # which the synopsis shows
            continue
        record = param.get_help_record(context)
        assert record, f"{param.name} has no help"
        yield from _entry(record[0])
        yield _roff(record[1])


def _entry(term: str) -> Iterator[str]:
    yield ".TP"
    yield f"\\fB{_roff(term)}\\fR"


def _setting(setting: Setting) -> Iterator[str]:
    yield from _entry(f"{setting.variable}={setting.example or setting.default}")
    lines = setting.help.splitlines()
    rows = [line for line in lines if line.startswith("  ")]
    yield _roff(" ".join(line for line in lines if line not in rows))
    if rows:
        yield ".RS"
        for term, text in (re.split(r" {2,}", row.strip(), maxsplit=1) for row in rows):
            yield from _entry(term)
            yield _roff(text)
        yield ".RE"
    if setting.is_secret:
        _, file, parameter = setting.variables
        yield from _entry(f"{file}=/run/secrets/{setting.variable.lower()}")
        yield _roff(f"The file that holds {setting.variable}.")
        yield from _entry(f"{parameter}={parameter_example(setting)}")
        yield _roff(f"The SecureString of AWS Systems Manager that holds {setting.variable}.")


_BREAK = "\0"  # a place where a line may end
_ESCAPES = {
    _BREAK: r"\:",
    "\\": r"\(rs",
    "-": r"\-",
    "'": r"\(aq",
    "`": r"\(ga",
    '"': r"\(dq",
    "~": r"\(ti",
    "^": r"\(ha",
}


def _roff(text: str) -> str:
    """Return text as roff shows it character by character."""
    text = re.sub(rf"\S{{{_LONG},}}", lambda word: re.sub(r"(?<=[,/=&?@])", _BREAK, word[0]), text)
    escaped = "".join(_ESCAPES.get(each, each if each.isascii() else f"\\[u{ord(each):04X}]") for each in text)
    return re.sub(r"^(?=[. ])", r"\\&", escaped)  # a point would begin a request, a space a new line
