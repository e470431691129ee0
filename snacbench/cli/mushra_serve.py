"""``snacbench mushra serve``: the page of a listening test, and its answers."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from snacbench.errors import UserError

if TYPE_CHECKING:
    from snacbench.listening.server.serve import Service

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command
@click.argument("test", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; "
              "0.0.0.0 for all of this machine's.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65_535), default=8000, show_default=True,
              help="0 takes any that is free.")  # fmt: skip
@click.option("--invite", type=click.IntRange(1, 10_000), metavar="N",
              help="Print N more invitations; nobody takes part without one then.")  # fmt: skip
@click.option("--url", metavar="URL",
              help="How listeners reach the server, for the links that are printed; no other "
              "name of it is then accepted.")  # fmt: skip
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME",
              help="A further name that is accepted.  [default: any, with the default --host "
              "those of this machine alone]")  # fmt: skip
@click.option("--proxy", metavar="ADDRESS",
              help="Believe the reverse proxy at this address whom it speaks for.")  # fmt: skip
@click.option("--certificate", type=click.Path(path_type=Path), help="For HTTPS, with --key.")
@click.option("--key", type=click.Path(path_type=Path), help="For HTTPS, with --certificate.")
@click.option("--max-unfinished", type=click.IntRange(1), default=500, show_default=True,
              help="Listeners under way at most.")  # fmt: skip
@click.option("--new-admin-token", is_flag=True, help="Make the older one useless.")
def serve(
    test: Path,
    host: str,
    port: int,
    invite: int | None,
    url: str | None,
    hosts: tuple[str, ...],
    proxy: str | None,
    certificate: Path | None,
    key: Path | None,
    max_unfinished: int,
    new_admin_token: bool,
) -> None:
    """Serve the page of the listening test in the folder TEST until Ctrl-C.

    Every answer is in TEST/answers.sqlite before the listener's page hears that it was sent. Stop
    and start as you like: listeners go on where they were.

    The admin's address is printed at the first start only; what is kept of it is a digest.
    """
    from snacbench.listening.server.app import application
    from snacbench.listening.server.serve import listen, open_service
    from snacbench.listening.server.serve import serve as run

    if (certificate is None) != (key is None):
        raise UserError("--certificate and --key go together: HTTPS needs both")
    accepted = _accepted(host, url, hosts)
    service = open_service(test, max_unfinished=max_unfinished)
    try:
        listening = listen(host, port)
        if url is None:
            name = socket.gethostname() if host in ("0.0.0.0", "::") else host
            name = f"[{name}]" if ":" in name else name
            scheme = "http" if certificate is None else "https"
            url = f"{scheme}://{name}:{listening.getsockname()[1]}"
        _tell(service, url.rstrip("/"), invite, new_token=new_admin_token)
        app = application(service, hosts=accepted, log=lambda line: click.echo(line, err=True))
        run(app, listening, certificate=certificate, key=key, proxy=proxy)
    except KeyboardInterrupt:
        click.echo("stopped; all answers are kept", err=True)
    finally:
        service.responses.close()


def _accepted(host: str, url: str | None, hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Names that the Host header may have."""
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"--url {url}: expected an address such as https://listen.example.org")
        hosts = (*hosts, parts.hostname)
    if host in _LOOPBACK:
        return (*_LOOPBACK, *hosts)
    return hosts or ("*",)


def _tell(service: Service, address: str, invite: int | None, *, new_token: bool) -> None:
    from snacbench.listening.responses.sessions import by_invitation, make_invitations
    from snacbench.listening.server.app import ADMIN_FACT, new_admin_token

    responses = service.responses
    if invite:
        click.echo(f"{invite} invitations, each for one listener, shown only now:")
        for code in make_invitations(responses, invite):
            click.echo(f"  {address}/?invite={code}")
    if new_token or responses.fact(ADMIN_FACT) is None:
        click.echo("Your own page, shown only now; --new-admin-token makes another:")
        click.echo(f"  {address}/admin#token={new_admin_token(responses)}")
    else:
        click.echo(f"Your own page: {address}/admin with the token of the first start")
    who = "by invitation" if by_invitation(responses) else "open to all"
    click.echo(f"{service.test.title} ({who}): {address}/")
    click.echo("Ctrl-C stops the server; no answer gets lost.", err=True)
