"""Serving, exporting and deleting from the command line."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from snacbench.cli.mushra_verbs import accepted_hosts
from snacbench.errors import StoreError, UserError
from snacbench.listening.responses.database import Refused
from snacbench.listening.server.serve import listen
from snacbench.listening.server.serve import serve as run
from snacbench.listening.tidy import RATING_COLUMNS
from tests.support.command_line import call, run_in, snacbench_command
from tests.support.listening_server import (
    Program,
    ScriptedListener,
    make_folder,
    program_for,
    small_test,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "test", small_test())


@pytest.fixture
def program(folder: Path) -> Iterator[Program]:
    with program_for(folder) as program:
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


def test_other_host_names_are_refused_on_this_machine_alone(program: Program) -> None:
    program.start()
    evil = {"Host": "evil.example"}
    assert httpx2.get(f"{program.address}/api/test", headers=evil).status_code == 400


def test_links_name_the_address_that_listeners_use(folder: Path) -> None:
    options = ("--port", 0, "--url", "https://listen.example.org/", "--invite", 1)
    command = snacbench_command("mushra", "serve", folder, *options)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout
        lines = [server.stdout.readline() for _ in range(5)]
        server.kill()
    assert [line.strip().partition("=")[0] for line in lines if "https:" in line] == [
        "https://listen.example.org/?invite",
        "https://listen.example.org/admin#token",
        "A small test (by invitation): https://listen.example.org/",
    ]


@pytest.mark.parametrize(
    ("host", "url", "hosts", "accepted"),
    [
        ("127.0.0.1", None, (), {"127.0.0.1", "localhost", "::1"}),
        ("127.0.0.1", "https://a.example", (), {"127.0.0.1", "localhost", "::1", "a.example"}),
        ("0.0.0.0", None, (), {"*"}),
        ("0.0.0.0", None, ("b.example",), {"b.example"}),
        ("0.0.0.0", "http://a.example:8000/", ("b.example",), {"a.example", "b.example"}),
    ],
)
def test_names_that_are_accepted(host, url, hosts, accepted) -> None:
    assert set(accepted_hosts(host, url, hosts)) == accepted


def test_mistakes_are_named(folder: Path) -> None:
    with pytest.raises(UserError, match=r"--url listen.example.org: expected an address such as"):
        call("mushra", "serve", folder, "--url", "listen.example.org")
    with pytest.raises(UserError, match="--certificate and --key go together"):
        call("mushra", "serve", folder, "--certificate", "cert.pem")
    with pytest.raises(UserError, match="cannot read the listening test"):
        call("mushra", "serve", folder.parent)


def test_a_port_in_use(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_in(folder.parent, "mushra", "serve", folder, "--port", port)
    assert done.returncode == 2
    assert (
        f"error: port {port} is in use; stop what listens there, or choose another" in done.stderr
    )


def test_addresses_that_cannot_be_listened_at(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"cannot listen at 192.0.2.1 port 0 .*check --host"):
        listen("192.0.2.1", 0)

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", forbidden)
    with pytest.raises(UserError, match="port 80 needs more rights; choose one above 1023"):
        listen("127.0.0.1", 80)


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("nothing")
    cert = tmp_path / "cert.pem"
    with (
        listen("127.0.0.1", 0) as listening,
        pytest.raises(UserError, match="cannot use certificate and key"),
    ):
        run(lambda *_: None, listening, certificate=cert, key=cert)


def test_export_and_delete(folder: Path, tmp_path: Path, program: Program) -> None:
    with pytest.raises(StoreError, match="no answers at"):
        call("mushra", "export", folder)
    program.start()
    with program.client() as client:
        listener = ScriptedListener(client).begin().agree().finish()
    done = call("mushra", "export", folder)
    assert done.stdout.splitlines()[0] == ",".join(RATING_COLUMNS)
    assert len(done.stdout.splitlines()) == 1 + 15
    target = tmp_path / "mushra.csv"
    call("mushra", "export", folder, "--format", "webmushra", "-o", target)
    assert target.read_text().startswith("session_test_id,age,phones,note,session_uuid,trial_id")
    with pytest.raises(UserError, match=r"cannot write .*check the folder's permissions"):
        call("mushra", "export", folder, "-o", target / "x.csv")  # below a file

    assert f"{listener.name} is deleted" in call("mushra", "delete", folder, listener.name).stdout
    with pytest.raises(Refused, match="There is no listener"):
        call("mushra", "delete", folder, listener.name)
    with program.client() as client:
        listener.client = client
        assert listener.get("/api/session").status_code == 401
    assert len(call("mushra", "export", folder).stdout.splitlines()) == 1
