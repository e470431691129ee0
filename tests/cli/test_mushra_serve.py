"""Designing, serving, exporting, deleting and analysing a listening test."""

import re
import shutil
import signal
import socket
from unittest.mock import Mock

import httpx2
import numpy as np
import pytest

from snacbench.cli.mushra_verbs import accepted_hosts
from snacbench.errors import StoreError, UnknownName, UserError
from snacbench.listening.design import write_test
from snacbench.listening.responses import Refused
from snacbench.listening.server import listen
from snacbench.listening.stimuli import read_facts
from snacbench.listening.study import RATING_COLUMNS, write_tidy
from snacbench.listening.test import read_test
from snacbench.rows import ListeningSummary
from snacbench.store.run_folder import RunFolder
from tests.support.audio_run import make_audio_run
from tests.support.command_line import call
from tests.support.listening_server import ScriptedListener, make_folder, program_for, small_test
from tests.support.studies import a_test, numbered_test, simulate
from tests.support.synthetic_runs import make_run


@pytest.fixture
def program(tmp_path):
    with program_for(make_folder(tmp_path / "test", small_test())) as program:
        yield program


def test_first_start_second_start_and_a_new_token(program):
    program.arguments = ("--invite", "2", "--max-listeners", "1")
    program.start()
    text = "\n".join(program.printed)
    codes = re.findall(r"/\?invite=(\S+)", text)
    (token,) = re.findall(r"/admin#token=(\S+)", text)
    assert len(set(codes)) == 2
    assert "A small test (by invitation)" in text
    admin = {"Authorization": f"Bearer {token}"}
    with program.client() as client:
        listener = ScriptedListener(client).begin(invite=codes[0]).agree().finish()
        late = client.post("/api/start", json={"invite": codes[1]})
        assert (late.status_code, late.json()["code"]) == (403, "enough")
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


def test_links_name_the_address_that_listeners_use(program, monkeypatch):
    asked = {}
    serve = "snacbench.listening.server.serve"
    monkeypatch.setattr(serve, lambda *_, **options: asked.update(options))
    options = ("--url", "https://listen.example.org/", "--invite", 1, "--proxy", "127.0.0.1")
    lines = call("mushra", "serve", program.folder, "--port", 0, *options).stdout.splitlines()
    links = [line.strip().partition("=")[0] for line in lines if "https:" in line]
    own = "https://listen.example.org/"
    assert links == [f"{own}?invite", f"{own}admin#token", f"A small test (by invitation): {own}"]
    assert asked == {"proxy": "127.0.0.1"}


def test_names_that_are_accepted():
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


def test_addresses_that_cannot_be_listened_at(program, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is in use; stop what listens there, or"):
            call("mushra", "serve", program.folder, "--port", port)
    with pytest.raises(UserError, match=r"cannot listen at 192.0.2.1 port 0 .*check --host"):
        listen("192.0.2.1", 0)
    forbidden = Mock(side_effect=PermissionError(13, "Permission denied"))
    monkeypatch.setattr(socket, "create_server", forbidden)
    with pytest.raises(UserError, match="port 80 needs more rights; choose one above 1023"):
        listen("127.0.0.1", 80)


def test_export_and_delete(tmp_path, program):
    folder = program.folder
    with pytest.raises(StoreError, match="no answers at"):
        call("mushra", "export", folder)
    program.start()
    with program.client() as client:
        listener = ScriptedListener(client).begin().agree().finish()
        done = call("mushra", "export", folder)
        own = ("question_age", "question_phones")
        assert done.stdout.splitlines()[0] == ",".join((*RATING_COLUMNS, *own))
        assert len(done.stdout.splitlines()) == 1 + 15
        target = tmp_path / "answers.csv"
        call("mushra", "export", folder, "-o", target)
        assert target.read_text() == done.stdout
        with pytest.raises(UserError, match=r"cannot write the answers to .*check its permissions"):
            call("mushra", "export", folder, "-o", target / "x.csv")  # below a file

        gone = call("mushra", "delete", folder, listener.name)
        assert f"{listener.name} is deleted" in gone.stdout
        with pytest.raises(Refused, match="There is no listener"):
            call("mushra", "delete", folder, listener.name)
        assert listener.get("/api/session").status_code == 401
    assert len(call("mushra", "export", folder).stdout.splitlines()) == 1


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a run in it."""
    path = tmp_path_factory.mktemp("mushra")
    make_audio_run(path)
    return path


def test_from_a_run_to_a_test(home):
    target = home / "tests" / "first"
    done = call(
        "mushra", "design", home / "run", "-o", target, "--items", 3, "--systems",
        "late@8,quiet", "--seed", 3, "--title", "Mine", "--pages-per-listener", 2,
    )  # fmt: skip
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == str(target / "test.yaml")
    assert "speech-1" in done.stdout
    assert "warning: speech-1: 7.7 dB below -23 LUFS, for the sake of peaks" in done.stderr
    test = read_test(target)
    assert (test.title, test.seed, test.pages_per_listener) == ("Mine", 3, 2)
    assert test.run == "../../run"
    assert [system.name for system in test.systems] == ["late@8kbps", "quiet@4kbps"]
    practice = {"training-1", "training-2"}
    assert set(read_facts(target, test).items) == {item.id for item in test.items} | practice


def test_what_fails_leaves_nothing_and_no_folder_is_overwritten(home, tmp_path):
    (tmp_path / "file").touch()
    shutil.copytree(home / "run", tmp_path / "run")
    quiet = tmp_path / "run/decoded/quiet@4kbps/set"
    shutil.copy(quiet / "d.flac", quiet / "b.flac")
    before = sorted(tmp_path.iterdir())
    for error, message, *more in (
        (UserError, r"item speech-1 \(set/b\): .*sha256 has changed", "-o", tmp_path / "t"),
        (UnknownName, "--systems x: the run has no", "-o", tmp_path / "t", "--systems", "x"),
        (StoreError, "cannot write the test to .*choose another", "-o", tmp_path / "file" / "t"),
        (StoreError, "is not empty; choose a new or empty folder", "-o", tmp_path / "run"),
    ):
        with pytest.raises(error, match=message):
            call("mushra", "design", tmp_path / "run", "--item", "b", *more)
    assert sorted(tmp_path.iterdir()) == before


def test_stimuli_are_made_again_and_those_that_were_heard_stay(home):
    target, export = home / "t", home / "t/webmushra/configs/t.yaml"
    target.mkdir()
    design = ("mushra", "design", home / "run", "-o", target, "--item", "b", "--export")
    call(*design, "webmushra")
    with pytest.raises(StoreError, match="where it is a test, edit"):
        call(*design, "webmushra")
    assert len(list((target / "webmushra").rglob("*.wav"))) == 3 * 6  # an item, two to practise on
    export.unlink()
    (target / "answers.sqlite").touch()
    shutil.rmtree(target / "stimuli")
    call("mushra", "stimuli", target)  # the same ones again, and webmushra/ too
    assert len(list((target / "stimuli" / "speech-1").glob("*.wav"))) == 6
    assert export.is_file()
    path = target / "test.yaml"
    path.write_text(path.read_text("utf-8").replace("id: speech-1", "id: other"), "utf-8")
    with pytest.raises(UserError, match=r"has answers to other stimuli, in answers\.sqlite; make"):
        call("mushra", "stimuli", target)


@pytest.fixture
def answered(tmp_path, monkeypatch):
    """A test's folder, its run, and a CSV of answers to it."""
    monkeypatch.setattr("snacbench.listening.publish.FIGURE_FORMATS", ("svg",))
    means = {"a@2kbps": 40.0, "a@4kbps": 60.0, "b": 50.0}
    run = make_run(tmp_path / "run", {name: {"up": np.arange(6.0)} for name in means})
    test = a_test(run="../run", run_id=run.run.id, set_sha256=run.run.set_sha256)
    folder = tmp_path / "test"
    folder.mkdir()
    write_test(folder, test)
    path = tmp_path / "answers.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        write_tidy(simulate(test, 16, means, careless=3, dropouts=1), stream)
    return folder, run.path, path


def test_with_its_test_into_the_run_and_with_options(answered, tmp_path):
    folder, run, path = answered
    done = call("mushra", "analyse", path, "--test", folder, "-o", tmp_path / "out")
    (summary,) = RunFolder.open(run).read(ListeningSummary)
    assert (summary.title, summary.listeners_before) == ("A test", 16)
    assert "answered 3 of 6 pages" in done.stderr
    assert (tmp_path / "out" / "rate.svg").is_file()
    options = ("--run", run, "--no-screening", "--level", 0.9, "-o", tmp_path / "o")
    options += ("--exclude", "reference:1", "--exclude", "reference:95", "--mixed-model")
    call("mushra", "analyse", path, "--test", folder, *options)
    text = (tmp_path / "o" / "paragraph.txt").read_text("utf-8")
    assert "The post-screening of BS.1534-3 was not applied." in text
    assert "90 % confidence intervals" in text
    assert "In a linear mixed model (REML; " in text
    heads = [(tmp_path / "o" / f"mixed-model{k}.csv").read_text()[:14] for k in ("", "-deviations")]
    assert heads == ["first,second,d", "listener,item,"]
    whom = "rated the hidden reference below {} on more than 15 % of their items ({} did)"
    assert f"It was also a rule to exclude who {whom.format(1, 0)} or {whom.format(95, 5)}." in text
    # Only training pages are answered.
    head, first, *_ = path.read_text("utf-8").splitlines()
    cells = first.split(",")
    cells[1] = "practice"
    path.write_text("\n".join([head, ",".join(cells)]), "utf-8")
    with pytest.raises(UserError, match="nobody has answered a page yet"):
        call("mushra", "analyse", path, "--test", folder)


def test_how_many_listeners_it_takes(tmp_path):
    sizes = ("--items", 10, "--systems", 2)
    done = call("mushra", "power", "--items", 10, "--systems", 4, "--sd-residual", 8)
    rows = [line.split() for line in done.stdout.splitlines() if " points " in line][:3]
    assert [row[0] for row in rows] == ["5", "10", "15"]
    needed = [int(row[2]) for row in rows]
    assert needed == sorted(needed, reverse=True)
    assert "Holm over 6 pairs" in done.stdout
    folder = write_test(tmp_path, numbered_test(6, systems=5, pages_per_listener=4)).parent
    done = call("mushra", "power", folder, "--difference", 25)
    assert "6 items, 5 systems, 4 pages per listener" in done.stdout
    other = ("--difference", 25, "--systems", 3, "--pages-per-listener", 6)
    assert "6 items, 3 systems, 6 pages per" in call("mushra", "power", folder, *other).stdout
    write_test(tmp_path, numbered_test(4, "abx"))
    done = call("mushra", "power", folder).stdout
    assert "ABX: 4 items, 3 systems, 12 pages per listener" in done
    assert [line.split()[0] for line in done.splitlines()[1:4]] == ["60", "70", "80"]
    done = call("mushra", "power", "--form", "ccr", *sizes, "--difference", 2).stdout
    assert "30 pages per listener" in done
    assert "as a share of the scale: assumed" in done
    with pytest.raises(UserError, match="Name a TEST, or give --items and --systems"):
        call("mushra", "power", "--items", 8)
