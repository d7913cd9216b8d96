"""Why a host cannot be added, whichever engine keeps it."""

from ddns_updater.errors import HostError
from ddns_updater.hosts import NewHost


def name_of_line(name: str) -> HostError:
    """Return the error that a name is that of an origin which `ddns run` keeps."""
    return HostError(f"{name} is the name of an origin that ddns run keeps", "choose another name")


def name_taken(name: str) -> HostError:
    """Return the error that there is a host with a name."""
    return HostError(f"there is a host {name} already", f"see it with: ddns host show {name}")


def login_taken(login: str) -> HostError:
    """Return the error that there is a login, which a host with a secret of its own cannot have."""
    return HostError(f"there is a login {login} already", f"join it with --login {login}")


def check_login(new: NewHost, *, exists: bool, keeps_secret: bool) -> None:
    """Raise HostError when the login of a new host does not fit what is there.

    `keeps_secret` is whether the secret of one that exists is kept, and not its digest alone.
    """
    if new.secret is not None:
        if exists:
            raise login_taken(new.login)
        return
    if not exists:
        raise HostError(f"there is no login {new.login}", "leave out --login, or add its first host with it")
    if new.takes_aws and not keeps_secret:
        raise HostError(
            f"only a digest of the secret of login {new.login} is kept, and AWS's protocol needs the secret",
            "give the host a login of its own",
        )
