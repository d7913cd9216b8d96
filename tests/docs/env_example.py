"""The text of `.env.example`, made from the table of the settings; `make format` writes it."""

import textwrap

from ddns_updater.settings.variables import SETTINGS, Setting

_WIDTH = 118  # characters after the mark of a comment

_HEAD = """\
Settings of ddns-updater. Copy this to ~/.config/ddns-updater/.env (chmod 600) or to .env in the working directory.
The environment wins over both. Every setting is optional; its line shows the default, or an example if there is none.
A name with _FILE reads a secret from a file instead (a Docker or systemd credential), a name with _PARAMETER from a
SecureString of AWS Systems Manager, by its name or ARN; set only one of the three.
Where a file or folder is named, a leading ~ is the home folder."""

_FOOT = """\
# AWS_… variables are passed to the AWS SDK unchanged; its own files (~/.aws) work as well.
#AWS_PROFILE=ddns
"""


def env_example() -> str:
    """Return the whole file."""
    return "\n".join([_commented(_HEAD), *map(_paragraph, SETTINGS), _FOOT])


def _paragraph(setting: Setting) -> str:
    lines = _commented(setting.help) + f"#{setting.variable}={setting.example or setting.default}\n"
    if setting.is_secret:
        _, file, parameter = setting.variables
        lines += f"#{file}=/run/secrets/{setting.variable.lower()}\n#{parameter}={parameter_example(setting)}\n"
    return lines


def parameter_example(setting: Setting) -> str:
    """Return the name of a parameter that could hold a setting."""
    return f"/ddns-updater/{setting.variable.removeprefix('DDNS_').lower().replace('_', '-')}"


def _commented(text: str) -> str:
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, _WIDTH, break_on_hyphens=False)]
    return "".join(f"# {line}\n" for line in lines)


if __name__ == "__main__":
    print(env_example(), end="")
