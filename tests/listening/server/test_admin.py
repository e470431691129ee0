from __future__ import annotations

import csv
import io

import pytest

from snacbench.errors import UserError
from snacbench.listening.answers.listeners import invite
from snacbench.listening.server.files import page_files, texts
from snacbench.listening.server.run import open_service
from snacbench.listening.tidy import read_tidy
from tests.listening.server.client import answers_to
from tests.listening.server.conftest import Serve, Site
from tests.listening.server.folders import make_folder, small_test


def progress(site: Site) -> dict:
    answer = site.client.get("/api/admin/progress", headers=site.admin)
    assert answer.status_code == 200
    return answer.json()


def test_progress(site: Site) -> None:
    invite(site.service.answers, 2)
    assert progress(site)["invitations"] == {"made": 2, "used": 0}
    assert progress(site)["listeners"] == []
    assert progress(site)["items"] == {"item-0": 0, "item-1": 0, "item-2": 0}


def test_progress_of_listeners(site: Site) -> None:
    site.listener().begin()
    second = site.listener().begin().agree()
    training, page, *_ = second.pages()
    second.submit(training)
    second.submit(page)
    idle, busy = progress(site)["listeners"]
    assert (idle["number"], idle["consented"], idle["pages_done"]) == (0, False, 0)
    assert idle["checks"]["reference_below_90_share"] is None
    assert (busy["listener"], busy["pages_done"], busy["pages_planned"]) == (second.name, 1, 3)
    assert busy["checks"]["reference_below_90_share"] in (0.0, 1.0)
    assert busy["checks"]["median_page_s"] == 30.5
    assert not busy["finished"]
    assert sum(progress(site)["items"].values()) == 1


@pytest.mark.parametrize("form", ["mushra", "ab", "abx"])
def test_exports(serve: Serve, form: str, tmp_path) -> None:
    site = serve(form=form)
    name = site.listener().begin().agree().finish().name
    answer = site.client.get("/api/admin/export/tidy.csv", headers=site.admin)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="small-tidy.csv"'
    path = tmp_path / "tidy.csv"
    path.write_bytes(answer.content)
    study, _ = read_tidy(path)
    assert study.form == form
    assert [listener.id for listener in study.listeners] == [name]
    assert len(study.ratings or study.choices) == (15 if form == "mushra" else len(study.choices))

    answer = site.client.get("/api/admin/export/webmushra.csv", headers=site.admin)
    if form != "mushra":
        assert (answer.status_code, answer.json()["code"]) == (409, "form")
        assert "export it as tidy" in answer.json()["error"]
        return
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert len(rows) == 15
    assert {row["session_uuid"] for row in rows} == {name}
    assert {row["phones"] for row in rows} == {"yes"}


def test_no_other_export(site: Site) -> None:
    answer = site.client.get("/api/admin/export/excel.csv", headers=site.admin)
    assert (answer.status_code, answer.json()["code"]) == (404, "form")
    assert "the forms tidy and webmushra" in answer.json()["error"]


def test_the_admin_deletes_a_listener(site: Site) -> None:
    one, other = site.listener().begin().agree(), site.listener().begin().agree()
    one.submit(one.pages()[0], answers_to(one.pages()[0], "gone soon"))
    path = f"/api/admin/listeners/{one.name}"
    assert site.client.delete(path, headers=site.admin).status_code == 204
    assert site.client.delete(path, headers=site.admin).status_code == 404
    assert [row["listener"] for row in progress(site)["listeners"]] == [other.name]
    assert one.get("/api/session").status_code == 401


def test_no_such_file_of_the_page(site: Site) -> None:
    answer = site.client.get("/page/none.js")
    assert (answer.status_code, answer.json()["code"]) == (404, "file")
    assert "There is no such file" in answer.json()["error"]


def test_files_of_the_page() -> None:
    assert {"index.html", "admin.html", "admin.js", "admin.css"} <= page_files().keys()


def test_a_language_without_texts(tmp_path) -> None:
    assert texts("en")
    with pytest.raises(UserError, match=r"no texts in 'xx'; there are: .*en"):
        open_service(make_folder(tmp_path, small_test(language="xx")))
