"""Runs as files to hand over: what is in them, and that whatever is changed is found and named."""

import json
import shutil
import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import quote

import pytest

import snacbench as sb
from snacbench.errors import MissingPackage, StoreError, UserError, WeightsUnavailable
from snacbench.plugins import metrics
from snacbench.rows import Coded, Embedded, Score
from snacbench.runner import versions
from snacbench.store.consistency import Consistency
from snacbench.store.run_folder import RunFolder
from snacbench.testsets.testset import counted
from snacbench.types import Clip, MetricSpec, WeightsInfo
from tests.support.cases import cases
from tests.support.command_line import call, make_clips, run_in

METRICS = ["si_sdr", "mel_dac7", "fad_logmel"]
CASES = cases(__file__)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home of ann, bob (and co)")


@pytest.fixture(scope="module")
def run(home):
    """A finished run, which no test changes; its set lies where a user would have it."""
    clips = make_clips(home / "clips")
    how = {"metrics": METRICS, "weights": "embedded", "speed_budget_s": 0, "jobs": 1}
    return sb.run("opus@14,dac-mini@2q", clips, home / "run", **how)


@pytest.fixture(scope="module")
def bundle(run, home):
    return run.export(home / "b.zip").path


def members(bundle):
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_bundle_says_what_computed_it_and_not_where(run, bundle, home, tmp_path):
    assert sb.verify(bundle).ok
    found = members(bundle)
    again = run.export(shutil.copy(bundle, tmp_path / "again.zip"))
    assert again.path.read_bytes() == bundle.read_bytes()
    assert again.replaced == again.id
    assert again.id == sha256(found["MANIFEST"]).hexdigest() == sb.verify(bundle).id
    assert not [name for name, content in found.items() if bytes(home) in content]
    assert {name for name in found if name.endswith(".flac")} == set()
    assert json.loads(found["run.json"])["request"]["data"] == "clips"
    assert again.hidden["clips.jsonl"] == 5
    for line in found["MANIFEST"].decode().splitlines():
        digest, name = line.split("  ")
        assert digest == sha256(found[name]).hexdigest()
    pinned = found["constraints.txt"].decode().splitlines()
    assert f"numpy=={run.folder.run.packages['numpy']}" in pinned
    about = json.loads(found["bundle.json"])
    assert about["sizes"]["scores.jsonl"] == len(found["scores.jsonl"])
    rows = [row for row in run.folder.read(Embedded) if row.status == "ok"]
    digests = {digest for row in rows for digest in (row.reference, row.degraded)}
    assert {Path(name).stem for name in found if name.endswith(".npy")} == digests != set()


@pytest.mark.parametrize("condition", ["noise:file={}@9dB", "reverb:file={}@1"])
def test_folders_are_left_out_and_what_lay_in_them_stays_apart(run, home, tmp_path, condition):
    """Of those that the run knows spaces and commas, too; of others what looks like a folder."""
    facts = {text.format(home=home): becomes for text, becomes in CASES["places"].items()}
    recordings = [home / "in" / "my cafe.wav", home / "out" / "my cafe.wav"]
    names = [condition.format(quote(str(path), safe="")) for path in recordings]
    folder = RunFolder.open(shutil.copytree(run.path, tmp_path / "run"))
    known = dict(zip(facts, facts, strict=True)) | {str(path): "" for path in recordings}
    specs = [folder.run.codecs[0].under(name) for name in names]
    asked = replace(folder.run.request, codecs=next(t for t in facts if t.startswith("mine=")))
    now = replace(folder.run, request=asked, facts=known, codecs=(*folder.run.codecs, *specs))
    folder.rewrite_run(now)
    folder.append(
        Coded(clip.id, s.name, "failed", "x") for s in specs for clip in folder.read(Clip)
    )
    sb.load(folder.path).export(tmp_path / "b.zip", partial=True)
    found = json.loads(members(tmp_path / "b.zip")["run.json"])
    *texts, first, second = found["facts"].items()
    assert [(becomes, becomes) for becomes in facts.values()] == texts
    assert [first[0], second[0]] == ["my cafe.wav", "my cafe.wav~2"]
    expected = [condition.format(name) for name in ("my%20cafe.wav", "my%20cafe.wav~2")]
    assert [spec["condition"] for spec in found["codecs"]][-2:] == expected
    assert sb.verify(tmp_path / "b.zip").ok


def tamper(
    files, *, file, set=None, add=None, other="", sort=False, text=None, about=None, hide=False
):
    """What test_bundle.yaml says; line 2 is changed. Without anything else a file is taken away."""
    content = files.pop(file, b"")
    rows = content.splitlines(keepends=True)
    if set is not None:
        rows[1:2] = [json.dumps({**json.loads(rows[1]), **set}).encode() + b"\n"] if set else []
        files[file] = b"".join(rows)
    elif sort:
        files[file] = b"".join(sorted(rows))
    elif other:
        files[file], files[other] = files[other], content
    elif about is not None:
        files[file] = json.dumps({**json.loads(content), **about}).encode()
    elif add is not None or text is not None:
        files[file] = text.encode() if text else content + add.encode()
    if hide:
        told = sorted((n, sha256(c).hexdigest()) for n, c in files.items() if n != "MANIFEST")
        files["MANIFEST"] = "".join(f"{digest}  {n}\n" for n, digest in told).encode()


@pytest.mark.parametrize(("how", "expected"), CASES["tampered"])
def test_what_is_changed_is_refused_and_named(bundle, tmp_path, how, expected):
    files = members(bundle)
    row = json.loads(files["scores.jsonl"].split(b"\n")[1])
    tamper(files, **how)
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.comment = sb.verify(bundle).id.encode()
    done, told = call("verify", tmp_path / "b.zip"), sb.verify(tmp_path / "b.zip")
    said = f"refused: {counted(len(told.found), 'finding')}\n"
    assert (done.return_value, said in done.output) == (1, True)
    named = "{metric} of {codec} on {clip}".format(**row)
    assert expected.replace("{row}", named) in "\n".join(map(str, told.found))


@pytest.mark.parametrize(("name", "zeros", "expected"), CASES["dangerous"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_dangerous_is_not_unpacked(bundle, tmp_path, name, zeros, expected):
    path = shutil.copy(bundle, tmp_path / "b.zip")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(zeros))
    told = sb.verify(path)
    assert [expected in str(finding) for finding in told.found] == [True] * len(told.found) != []
    assert told.folder is None


def test_no_half_file_is_left_and_none_is_read(run, bundle, tmp_path, monkeypatch):
    half = tmp_path / "half.zip"
    half.write_bytes(bundle.read_bytes()[:-400])
    (finding,) = sb.verify(half).found
    assert "no whole bundle" in finding.text
    with pytest.raises(StoreError, match=r"half.zip is no bundle; take it away"):
        run.export(half)
    assert half.read_bytes() == bundle.read_bytes()[:-400]
    with pytest.raises(StoreError, match=r"cannot read .*nothing.zip \(No such file"):
        sb.verify(tmp_path / "nothing.zip")
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_, **__: (_ for _ in ()).throw(full))
    with pytest.raises(StoreError, match="No space left"):
        run.export(tmp_path / "new" / "b.zip")
    assert list((tmp_path / "new").iterdir()) == []


OF = ("clips/music/c", "dac-mini@1.5kbps")


@pytest.mark.parametrize(("file", "fields", "expected"), CASES["contradictions"])
def test_rows_that_contradict_each_other_are_not_exported(run, tmp_path, file, fields, expected):
    path = shutil.copytree(run.path, tmp_path / "run")
    with (path / f"{file}.jsonl").open("r+") as stream:
        rows = [json.loads(line) for line in stream]
        row = next(row for row in rows if row.get("status", "ok") == "ok")
        stream.write(f"{fields if fields == 'text' else json.dumps({**row, **fields})}\n")
    found = Consistency(RunFolder.open(path)).found
    assert (expected in " ".join(map(str, found))) if expected else not found
    if expected:
        with pytest.raises(StoreError, match="contradicts itself"):
            sb.load(path).export(tmp_path / "b.zip")


def test_an_unfinished_run_says_so(run, tmp_path):
    path = shutil.copytree(run.path, tmp_path / "run")
    folder = RunFolder.open(path)
    folder.take_out(Score, of=lambda row: (row.clip, row.codec) == OF)
    with pytest.raises(StoreError, match=r"not finished \(scores.jsonl: .*; 2 in all.*--partial"):
        sb.load(path).export(tmp_path / "b.zip")
    assert "it lacks 2 rows of codings and scores" in call("export", path, "--partial").output
    told = sb.verify(path.with_name("run.zip"))
    assert told.ok
    assert "partial: it lacks 2 rows of codings and scores" in told.facts["not checked"]
    for kind in (Score, Embedded):
        folder.take_out(kind, of=lambda row: True)
    made = call("export", path, "--partial").output
    assert f"the bundle that was there, {told.id}" in made
    told = sb.verify(path.with_name("run.zip"), scores=3)
    assert (told.ok, told.found) == (False, [])
    assert "0 scores not computed again: the run has none" in told.facts["not checked"]
    folder.rewrite_run(replace(folder.run, codecs=2 * folder.run.codecs))
    assert f"run.json: it has the codec {OF[1]} twice" in map(str, Consistency(folder).found)


def test_a_forged_run_is_found_by_its_id_and_by_computing_it_again(run, bundle, home, tmp_path):
    path = shutil.copytree(run.path, tmp_path / "run")
    shutil.rmtree(path / "decoded")
    folder = RunFolder.open(path)
    (row,) = (r for r in folder.read(Score) if (r.clip, r.codec, r.metric) == (*OF, "si_sdr"))
    better = replace(row, value=row.value + 1.5)
    folder.replace(Score, [better], of=lambda r: r == row)
    forged = sb.load(path).export(tmp_path / "b.zip")
    told = sb.verify(forged.path)
    assert told.ok
    assert "whether it is the file that was published" in told.facts["not checked"]
    told = sb.verify(forged.path, id=sb.verify(bundle).id[:12])
    assert [finding.text[:6] for finding in told.found] == ["its id"]
    told = sb.verify(forged.path, scores=99, data=home / "clips", jobs=1)
    (finding,) = told.found
    assert (finding.file, told.facts["tolerances"], len(told.scores)) == ("scores.jsonl", "", 30)
    expected = f"si_sdr of {OF[1]} on {OF[0]}: {better.value} (ok), again {row.value} (ok)"
    assert expected in finding.text
    done = "30 of 30 scores; 10 codings, 10 to the same audio bit by bit"
    assert told.facts["recomputed"] == done


def test_without_audio_on_another_machine(bundle, home, tmp_path, monkeypatch):
    monkeypatch.delenv("SNACBENCH_CACHE")
    env = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    done = run_in(tmp_path, "verify", bundle, "--recompute", "20", fresh=True, env=env, code=1)
    assert "20 scores not computed again: no audio: --data clips: no such folder" in done.stdout
    assert "\nnot verified: no score could be computed again" in done.stdout
    here = shutil.copytree(home / "clips", tmp_path / "clips")
    (here / "music" / "c.wav").unlink()
    (here / "speech" / "a.wav").rename(here / "speech" / "renamed.wav")
    monkeypatch.setattr(versions, "machine", lambda: {"processor": "another"})
    told = sb.verify(bundle, scores=20, data=here, jobs=1)
    ((why, left),) = told.left.items()
    assert why.startswith("no audio: no file of its sha256 in ")
    assert {name.partition(" on ")[2] for name in left} == {OF[0]}
    assert (len(told.scores), told.ok) == (20 - len(left), True)
    assert "processor another, not" in told.facts["tolerances"]
    drawn = [sb.verify(bundle, scores=20, seed=seed).facts["drawn"] for seed in (0, 1)]
    assert told.facts["drawn"] == drawn[0] != drawn[1]
    with pytest.raises(UserError, match="no such folder"):
        sb.verify(bundle, scores=1, weights=["dac-mini=nowhere"])


def other_weights(codecs, _):
    weights = WeightsInfo(sha256={"file": "digest"})
    return [replace(codec, spec=replace(codec.spec, weights=weights)) for codec in codecs]


def other_version(names):
    return [replace(metrics()[name], spec=replace(SPEC, name=name)) for name in names]


SPEC = MetricSpec("m", "1", "higher", (0, 1), 8000, "", version="9")


@pytest.mark.parametrize(
    ("what", "becomes", "expected"),
    [
        ("plan.plan_codecs", Mock(side_effect=UserError), "not possible here: opus@14kbps is no"),
        ("plan.check_packages", Mock(side_effect=MissingPackage("x")), "package missing: x"),
        ("plan.locate_all", Mock(side_effect=WeightsUnavailable("x")), "no weights: x"),
        ("plan.locate_all", other_weights, "no weights: those of dac-mini@1.5kbps that are here"),
        ("select_metrics", other_version, "not possible here: si_sdr has version 9, in the run 1"),
    ],
)
def test_what_cannot_be_computed_again_is_said(bundle, home, monkeypatch, what, becomes, expected):
    monkeypatch.setattr(f"snacbench.runner.recompute.{what}", becomes)
    told = sb.verify(bundle, scores=40, data=home / "clips")
    assert (told.ok, told.found, told.scores) == (False, [], [])
    assert expected in told.facts["not checked"]


def test_runs_of_earlier_versions_are_exported(tmp_path):
    sb.load(Path(__file__).parents[2] / "results" / "quick").export(tmp_path / "b.zip")
    assert sb.verify(tmp_path / "b.zip").ok
    assert json.loads(members(tmp_path / "b.zip")["run.json"])["schema_version"] == 2
