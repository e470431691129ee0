"""Serving, exporting and deleting from the command line."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from snacbench.cli.mushra_verbs import accepted_hosts
from snacbench.errors import StoreError, UserError
from snacbench.listening.responses.database import Refused
from snacbench.listening.server.serve import listen
from snacbench.listening.tidy import RatingLine
from tests.support.command_line import call
from tests.support.listening_server import (
    Program,
    ScriptedListener,
    make_folder,
    program_for,
    small_test,
)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    with program_for(make_folder(tmp_path / "test", small_test())) as program:
        yield program


def test_first_start_second_start_and_a_new_token(program: Program) -> None:
    program.arguments = ("--invite", "2")
    program.start()
    text = "\n".join(program.printed)
    codes = re.findall(r"/\?invite=(\S+)", text)
    (token,) = re.findall(r"/admin#token=(\S+)", text)
    assert len(set(codes)) == 2
    assert "A small test (by invitation)" in text
    admin = {"Authorization": f"Bearer {token}"}
    with program.client() as client:
        listener = ScriptedListener(client).begin(invite=codes[0]).agree().finish()
        progress = client.get("/api/admin/progress", headers=admin).json()
        assert progress["invitations"] == {"made": 2, "used": 1}
        evil = {"Host": "evil.example"}  # refused on this machine alone
        assert client.get("/api/test", headers=evil).status_code == 400
    assert program.stop() == 0

    log = (program.folder / "log.txt").read_text()
    assert "POST /api/start 201" in log
    assert "stopped; all answers are kept" in log
    for secret in (*codes, token, listener.token, "127.0.0.1", "Traceback"):
        assert secret not in log
    assert not list(program.folder.glob("answers.sqlite-*"))

    program.arguments, program.printed = (), []
    program.start()
    assert "#token=" not in "\n".join(program.printed)
    assert httpx2.get(f"{program.address}/api/admin/progress", headers=admin).status_code == 200
    assert program.stop(signal.SIGTERM) in (0, -signal.SIGTERM)
    assert not list(program.folder.glob("answers.sqlite-*"))

    program.arguments, program.printed = ("--new-admin-token",), []
    program.start()
    assert "/admin#token=" in "\n".join(program.printed)
    assert httpx2.get(f"{program.address}/api/admin/progress", headers=admin).status_code == 401


def test_links_name_the_address_that_listeners_use(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}
    monkeypatch.setattr(
        "snacbench.listening.server.serve.serve", lambda *_, **options: asked.update(options)
    )
    options = ("--url", "https://listen.example.org/", "--invite", 1, "--proxy", "127.0.0.1")
    lines = call("mushra", "serve", program.folder, "--port", 0, *options).stdout.splitlines()
    assert [line.strip().partition("=")[0] for line in lines if "https:" in line] == [
        "https://listen.example.org/?invite",
        "https://listen.example.org/admin#token",
        "A small test (by invitation): https://listen.example.org/",
    ]
    assert asked == {"proxy": "127.0.0.1"}


def test_names_that_are_accepted() -> None:
    own = {"127.0.0.1", "localhost", "::1"}
    for host, url, accepted in (
        ("127.0.0.1", None, own),
        ("127.0.0.1", "https://a.example", {*own, "a.example"}),
        ("0.0.0.0", None, {"*"}),
        ("0.0.0.0", "http://a.example:8000/", {"a.example"}),
    ):
        assert set(accepted_hosts(host, url)) == accepted
    with pytest.raises(UserError, match=r"--url listen.example.org: expected an address such as"):
        accepted_hosts("127.0.0.1", "listen.example.org")


def test_addresses_that_cannot_be_listened_at(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is in use; stop what listens there, or"):
            call("mushra", "serve", program.folder, "--port", port)
    with pytest.raises(UserError, match=r"cannot listen at 192.0.2.1 port 0 .*check --host"):
        listen("192.0.2.1", 0)

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", forbidden)
    with pytest.raises(UserError, match="port 80 needs more rights; choose one above 1023"):
        listen("127.0.0.1", 80)
    with pytest.raises(UserError, match="cannot read the listening test"):
        call("mushra", "serve", program.folder.parent)


def test_export_and_delete(tmp_path: Path, program: Program) -> None:
    folder = program.folder
    with pytest.raises(StoreError, match="no answers at"):
        call("mushra", "export", folder)
    program.start()
    with program.client() as client:
        listener = ScriptedListener(client).begin().agree().finish()
        done = call("mushra", "export", folder)
        assert done.stdout.splitlines()[0] == ",".join(RatingLine.model_fields)
        assert len(done.stdout.splitlines()) == 1 + 15
        target = tmp_path / "answers.csv"
        call("mushra", "export", folder, "-o", target)
        assert target.read_text() == done.stdout
        with pytest.raises(UserError, match=r"cannot write .*check the folder's permissions"):
            call("mushra", "export", folder, "-o", target / "x.csv")  # below a file

        gone = call("mushra", "delete", folder, listener.name)
        assert f"{listener.name} is deleted" in gone.stdout
        with pytest.raises(Refused, match="There is no listener"):
            call("mushra", "delete", folder, listener.name)
        assert listener.get("/api/session").status_code == 401
    assert len(call("mushra", "export", folder).stdout.splitlines()) == 1
