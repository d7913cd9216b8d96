"""`ddns host`."""

from contextlib import closing
from typing import Any

import click

from ddns_updater.app.host import (
    Wanted,
    add_host,
    block_host,
    finish_rotation,
    remove_host,
    rotate_host,
    show_host,
    stream_hosts,
)
from ddns_updater.cli.host_options import given_secret, known_name, login_name, new_name, server_url, suffix
from ddns_updater.cli.options import settings, terminal
from ddns_updater.cli.terminal import Terminal, terminal_width
from ddns_updater.errors import SettingsError
from ddns_updater.hosts import Host
from ddns_updater.lib.humanize import counted, listed
from ddns_updater.output.client_configs import CLIENTS, PLACEHOLDER, Access, configuration
from ddns_updater.output.hosts import (
    access_json,
    access_text,
    deletions,
    host_json,
    host_table,
    host_text,
    hosts_json,
    removal_lines,
)

_MAX_NAMED = 10  # hosts of a login
_UNKNOWN_SECRET = "SECRET"  # noqa: S105 - stands for one that was shown before


class _Group(click.Group):
    """A group whose help lists its commands as that of `ddns` does."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl([(name, _summary(command)) for name, command in self.commands.items()])

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)


def _summary(command: click.Command) -> str:
    return (command.help or "").partition("\n")[0].rstrip(".")


def _server(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    return None if value is None else server_url(value)


def _from_stdin(_ctx: click.Context, _param: click.Parameter, value: str | None) -> bool:
    """Return whether the secret comes from stdin; any other value may be a secret, and is not shown again."""
    if value not in (None, "-"):
        raise SettingsError(
            "--secret takes no secret on the command line, where ps and the shell's history show it",
            "write --secret - and give the secret on stdin",
        )
    return value is not None


_name = click.argument("name", callback=lambda _ctx, _param, value: known_name(value))
_url = click.option("--url", metavar="URL", callback=_server, help="The URL of the reverse proxy, for the output.")
_client = click.option(
    "--for", "client", metavar="CLIENT", type=click.Choice(list(CLIENTS)), help="Print a configuration for this client."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=_Group)
def host() -> None:
    """Manage hosts that update themselves.

    A host is a name that its own router, NAS or computer keeps by requests to `ddns serve`, with a login and a secret
    and without AWS keys. Its addresses have a history as any other: ddns history --name NAME.

    Exit status: 0 when done, 1 when it failed, 2 for usage or settings, and for a host that does not exist.

    \b
    Example:
      ddns host add nas.example.com --for ddclient
    """


@host.command()
@click.argument("name", callback=lambda _ctx, _param, value: new_name(value))
@click.option("--login", metavar="LOGIN", help="Make this login, or join the hosts of it (default: NAME).")
@click.option("--secret", "has_secret", metavar="-", callback=_from_stdin, help="Read the secret from stdin.")
@click.option("--weak", is_flag=True, help="Take a secret of fewer than 16 characters.")
@click.option("--aws", "takes_aws", is_flag=True, help="Allow AWS's protocol, which needs the secret itself.")
@click.option("--query-secret", "takes_query", is_flag=True, help="Allow the secret in the query of a URL.")
@click.option("--apex", "is_apex", is_flag=True, help="Allow the name of a hosted zone itself.")
@click.option("--suffix", metavar="SUFFIX", help="Make IPv6 addresses of a delegated prefix with this.")
@_url
@_client
@_json
@click.pass_context
def add(ctx: click.Context, /, url: str | None, client: str | None, as_json: bool, **options: Any) -> None:
    """Add a host, and print its secret once.

    NAME is its full domain name, in a hosted zone of this AWS account. The secret is shown only now: only its digest is
    kept. To move here from another server without touching the clients, give the secret that they have with --secret -.

    --suffix is the interface identifier of a machine behind a router, such as ::211:32ff:fe12:3456: the router sends
    the prefix that its provider delegated to it, and the suffix completes it.

    CLIENT is ddclient, inadyn, fritzbox, synology, unifi, opnsense, pfsense, mikrotik, openwrt or curl.

    \b
    Example:
      ddns host add nas.example.com --for fritzbox
    """
    if client and as_json:
        raise click.UsageError("--for and --json cannot be combined")
    has_secret, weak = options.pop("has_secret"), options.pop("weak")
    if weak and not has_secret:
        raise click.UsageError("--weak is for a secret of your own: give --secret - too")
    login = options.pop("login")
    ending = options.pop("suffix")
    wanted = Wanted(
        **options,
        login=None if login is None else login_name(login),
        suffix=None if ending is None else suffix(ending),
    )
    configured = settings(ctx)
    added = add_host(configured, wanted._replace(secret=given_secret(weak=weak)) if has_secret else wanted)
    access = _access(added.host, url, added.secret or _UNKNOWN_SECRET)
    out = terminal(ctx)
    for warning in added.warnings:
        out.warning(warning)
    if client:
        click.echo(configuration(client, access))
    elif as_json:
        click.echo(access_json(access, added.secret))
    else:
        out.info(f"added {added.host.name}")
        click.echo(access_text(access, with_query=added.host.takes_query))
    if added.secret is None:
        out.note(f"SECRET stands for the secret of login {access.login}, which was shown when that was made")
    else:
        out.note("the secret is shown only now")
    if added.host.takes_aws:
        out.note("the secret itself is kept in the database, not only its digest: AWS's protocol needs it")
    _warn_of_url(out, url)


@host.command("list")
@_json
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List all hosts.

    Each host has its addresses, since when it has them, what is known of them in DNS, and its last request.

    \b
    Example:
      ddns host list
    """
    with closing(stream_hosts(settings(ctx))) as entries:
        if as_json:
            for part in hosts_json(entries):
                click.echo(part, nl=False)
        else:
            for line in host_table(entries, terminal_width()):
                click.echo(line)


@host.command()
@_name
@_url
@_json
@click.pass_context
def show(ctx: click.Context, name: str, url: str | None, as_json: bool) -> None:
    """Show all that is known of a host.

    \b
    Example:
      ddns host show nas.example.com
    """
    view = show_host(settings(ctx), name)
    update_url = _access(view.entry.host, url, _UNKNOWN_SECRET).update_url if url else None
    click.echo(host_json(view, update_url) if as_json else host_text(view, update_url, terminal_width()))


@host.command()
@_name
@click.option("--finish", is_flag=True, help="End the secret before the newest.")
@_url
@_client
@_json
@click.pass_context
def rotate(ctx: click.Context, name: str, finish: bool, url: str | None, client: str | None, as_json: bool) -> None:
    """Give a host a new secret, beside the one before.

    Both secrets are valid until --finish ends the older one, so that the client can be changed in between. All hosts of
    a login have the same secret. --for prints what to enter, also in a client of another kind.

    \b
    Example:
      ddns host rotate nas.example.com
    """
    if client and as_json:
        raise click.UsageError("--for and --json cannot be combined")
    out = terminal(ctx)
    if finish:
        if as_json or url or client:
            raise click.UsageError("--finish prints no secret: leave out --json, --url and --for")
        out.info(f"the older secret of {listed(finish_rotation(settings(ctx), name), _MAX_NAMED)} is no longer valid")
        return
    rotated = rotate_host(settings(ctx), name)
    access = _access(rotated.host, url, rotated.secret)
    if client:
        click.echo(configuration(client, access))
    elif as_json:
        click.echo(access_json(access, rotated.secret, rotated.names))
    else:
        out.info(f"made a new secret for {listed(rotated.names, _MAX_NAMED)}")
        click.echo(access_text(access, with_query=rotated.host.takes_query))
    if rotated.ended:
        out.warning("two secrets were valid before: the older of them is no longer valid")
    out.note(f"the secret before is valid until you end it with: ddns host rotate {name} --finish")
    if len(rotated.names) > 1:
        out.note(f"the new secret is for {counted(len(rotated.names), 'host')}: those of login {access.login}")
    _warn_of_url(out, url)


@host.command()
@_name
@click.pass_context
def block(ctx: click.Context, name: str) -> None:
    """Refuse the requests of a host.

    They are answered abuse, which makes most clients give up until they are started again. The DNS record stays.

    \b
    Example:
      ddns host block nas.example.com
    """
    was_new = block_host(settings(ctx), name, blocked=True)
    terminal(ctx).info(f"{name} is blocked{'' if was_new else ' already'}")


@host.command()
@_name
@click.pass_context
def unblock(ctx: click.Context, name: str) -> None:
    """Accept the requests of a blocked host again.

    \b
    Example:
      ddns host unblock nas.example.com
    """
    was_blocked = block_host(settings(ctx), name, blocked=False)
    terminal(ctx).info(f"{name} is no longer blocked" if was_blocked else f"{name} was not blocked")


@host.command()
@_name
@click.pass_context
def remove(ctx: click.Context, name: str) -> None:
    """Remove a host, and keep its history and its DNS record.

    \b
    Example:
      ddns host remove nas.example.com
    """
    removed = remove_host(settings(ctx), name)
    for line in removal_lines(removed.entry, login_ended=removed.login_ended):
        terminal(ctx).info(line)
    for command in deletions(removed.entry):
        click.echo(f"  {command}")  # whole, to be pasted


def _access(added: Host, url: str | None, secret: str) -> Access:
    return Access(url or PLACEHOLDER, added.name, added.login, secret, added.suffix)


def _warn_of_url(out: Terminal, url: str | None) -> None:
    if url is None:
        out.note("put the name of your reverse proxy for HOST, or give --url https://ddns.example.com")
    elif url.startswith("http:"):
        out.warning("the secret is sent in the clear to an http: URL; let a reverse proxy do TLS")
