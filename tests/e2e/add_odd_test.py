"""What is odd about one name, file or folder must not spoil the rest; documents keep their keys."""
import os
import pathlib
import shutil
import socket
import subprocess

import pytest

from conftest import RPT, SENTENCE

AS_ROOT = os.getuid() == 0


def keys(rpt, store="mem"):
    return [d["key"] for d in rpt("memory", "list", store, "--json").json["documents"]]


def text_of(rpt, key, store="mem"):
    return rpt("memory", "show", store, key, "--text").out


def plant(tmp_path, **files):
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/")
        path = path.with_name(path.name + ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def git(*words, cwd):
    environment = dict(os.environ, GIT_CONFIG_NOSYSTEM="1", HOME=str(cwd))
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=cwd, check=True, capture_output=True, env=environment)


# ---- names

def test_add_gives_odd_names_a_key_that_can_be_read_back(rpt, tmp_path):
    plant(tmp_path, d__a="plain", d__z="last")
    (tmp_path / os.fsdecode(b"d/caf\xe9.txt")).write_text("odd")
    (tmp_path / "d/line\nend.txt").write_text("line")
    got = rpt("add", "mem", "d")
    assert keys(rpt) == ["d/a.txt", "d/z.txt", "escaped:d/caf%E9.txt", "escaped:d/line%0Aend.txt"]
    assert text_of(rpt, "escaped:d/caf%E9.txt") == "odd"
    assert "caf" in got.err and "escaped:d/caf%E9.txt" in got.err
    assert rpt("add", "mem", "d", "--json").json["unchanged"] == 4


def test_add_tells_of_a_path_that_is_too_long_and_reads_the_rest(rpt, tmp_path):
    plant(tmp_path, d__a="plain", d__z="last")
    deep = tmp_path / "d" / "/".join(["n" * 250] * 5)
    deep.mkdir(parents=True)
    (deep / "f.txt").write_text("deep")
    got = rpt("add", "mem", "d", "--json", code=1)
    assert (got.json["documents"], got.json["failed"]) == (2, 1)
    assert "1023" in got.json["failed_paths"][0]["reason"]


# ---- files and folders that cannot be read

def test_add_reads_on_behind_what_cannot_be_read(rpt, tmp_path):
    plant(tmp_path, d__a="first", d__c="third")
    got = rpt("add", "mem", "d", "missing.txt", "d/none", "--json", code=1)
    assert got.json["documents"] == 2 and got.json["failed"] == 2
    assert {f["path"] for f in got.json["failed_paths"]} == {"missing.txt", "d/none"}
    lines = got.err.splitlines()
    assert len(lines) == 3 and '"missing.txt"' in lines[0] and "2 of 4" in lines[-1]


def test_add_fails_when_nothing_that_was_named_can_be_read(rpt, tmp_path):
    (tmp_path / "binary").write_bytes(b"PK\3\4\0\0")
    for words in (["binary"], ["binary", "-q"], ["missing"]):
        got = rpt("add", "mem", *words, code=1)
        assert words[0] in got.err
    assert not (tmp_path / "mem").exists()


def test_add_tells_what_it_skips_and_waits_for_no_pipe(rpt, tmp_path):
    plant(tmp_path, d__a="good")
    os.mkfifo(tmp_path / "d/pipe")
    os.mkfifo(tmp_path / "d/.gitignore")
    (tmp_path / "d/loop").symlink_to(".")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "d/s"))
        got = rpt("add", "mem", "d", "--json").json
    assert keys(rpt) == ["d/a.txt"]
    reasons = {s["path"]: s["reason"] for s in got["skipped_paths"] if not s["reason"].startswith("its rules")}
    assert reasons == {"d/pipe": "not a regular file", "d/.gitignore": "not a regular file", "d/s": "not a regular file",
                       "d/loop": "symbolic link"}
    for path in ("d/pipe", "d/s", "/dev/null"):
        assert path in rpt("add", "mem", path, code=1).err


@pytest.mark.skipif(not AS_ROOT or not shutil.which("setpriv"), reason="root changes to another user")
def test_add_tells_of_what_it_may_not_read_and_does_not_prune_it(rpt, models, tmp_path):
    plant(tmp_path, d__a="first", d__sub__b="second", d__z="third")
    rpt("add", "mem", "d")
    for folder in (tmp_path, tmp_path / "mem"):
        subprocess.run(["chmod", "-R", "a+rwX", str(folder)], check=True)
    for parent in tmp_path.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o055) if parent != pathlib.Path("/tmp") else None
    (tmp_path / "d/sub").chmod(0)
    (tmp_path / "d/z.txt").chmod(0)
    subprocess.run(["chmod", "a+r", str(models[0])], check=True)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", RPT, "add", "mem", "d", "--prune", "--model",
                           str(models[0])], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and '"d/sub": Permission denied' in done.stderr and '"d/z.txt": Permission denied' in done.stderr, done.stderr
    assert keys(rpt) == ["d/a.txt", "d/sub/b.txt", "d/z.txt"]


# ---- repositories

def test_add_handles_other_checkouts_and_nested_repositories_as_git_users_expect(rpt, tmp_path):
    main = tmp_path / "main"
    main.mkdir()
    git("init", "-q", cwd=main)
    (main / ".gitignore").write_text("*.log\n/clone/hidden.txt\n")
    (main / "a.txt").write_text("of the main checkout")
    git("add", ".", cwd=main)
    git("commit", "-qm", "one", cwd=main)
    git("worktree", "add", "-q", "trees/b", cwd=main)
    git("clone", "-q", ".", "clone", cwd=main)
    (main / "clone/hidden.txt").write_text("the rules around a repository do not count in it")
    (main / "clone/own.log").write_text("its own rules do")
    (main / "clone/.git/info/exclude").write_text("secret\n")
    (main / "clone/secret").write_text("kept from git")
    got = rpt("add", "mem", "main", "--json").json
    assert keys(rpt) == ["main/.gitignore", "main/a.txt", "main/clone/.gitignore", "main/clone/a.txt",
                         "main/clone/hidden.txt"]
    reasons = {s["path"]: s["reason"] for s in got["skipped_paths"]}
    assert reasons["main/trees/b"] == "another checkout of the repository around it"
    # a checkout that is named is read
    rpt("add", "other", "main/trees/b")
    assert "main/trees/b/a.txt" in keys(rpt, "other")


# ---- keys

def test_add_keeps_two_projects_apart_that_were_added_from_within(rpt, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "README.md").write_text(f"This is project {name}.")
    rpt("add", "../mem", ".", cwd=tmp_path / "one")
    for _ in range(2):
        rpt("add", "../mem", ".", "--replace", cwd=tmp_path / "two")
    other = str((tmp_path / "two/README.md").resolve())
    assert keys(rpt) == [other, "README.md"]
    assert text_of(rpt, "README.md") == "This is project one." and text_of(rpt, other) == "This is project two."


def test_add_knows_a_file_by_whatever_path_it_is_given(rpt, tmp_path):
    plant(tmp_path, d__a="a text")
    rpt("add", "mem", "d")
    for words, cwd in ((["mem", "d/a.txt", "d"], "."), (["../mem", "."], "d"), (["../mem", "../d/a.txt"], "d"), (["mem", str(tmp_path / "d")], ".")):
        got = rpt("add", *words, "--json", cwd=tmp_path / cwd).json
        assert (got["documents"], got["unchanged"]) == (0, 1), words
    assert keys(rpt) == ["d/a.txt"]


def test_add_gives_the_key_of_a_folder_that_moved_to_the_same_files(rpt, tmp_path):
    plant(tmp_path, one__d__a=SENTENCE)
    rpt("add", "../mem", "d", cwd=tmp_path / "one")
    (tmp_path / "one").rename(tmp_path / "uno")
    assert rpt("add", "../mem", "d", "--json", cwd=tmp_path / "uno").json["failed"] == 0
    assert rpt("add", "../mem", "d", "--json", cwd=tmp_path / "uno").json["unchanged"] == 1
    assert keys(rpt) == ["d/a.txt"]


# ---- what is no longer there

def test_add_counts_what_is_gone_and_prune_deletes_it(rpt, tmp_path):
    plant(tmp_path, d__a="first", d__b="second", d__c="third", other__o="elsewhere")
    rpt("add", "mem", "d", "other")
    rpt("add", "mem", "d/a.txt", "--key", "mine")
    (tmp_path / "d/b.txt").unlink()
    (tmp_path / "d/c.txt").rename(tmp_path / "d/c2.txt")
    got = rpt("add", "mem", "d")
    assert "2 documents" in got.err and "--prune" in got.err
    assert rpt("add", "mem", "d", "--json").json["gone"] == 2
    got = rpt("add", "mem", "d", "--prune", "--json").json
    assert (got["deleted"], got["gone"]) == (2, 0)
    assert keys(rpt) == ["d/a.txt", "d/c2.txt", "mine", "other/o.txt"]


def test_add_prune_deletes_what_is_no_text_or_ignored_now(rpt, tmp_path):
    plant(tmp_path, d__a="first", d__b="second", d__c="third")
    rpt("add", "mem", "d")
    (tmp_path / "d/b.txt").write_bytes(b"\0\1")
    (tmp_path / "d/.gitignore").write_text("c.txt\n")
    assert rpt("add", "mem", "d", "--prune", "--json").json["deleted"] == 2
    assert keys(rpt) == ["d/.gitignore", "d/a.txt"]


def test_add_prune_of_a_missing_folder_deletes_nothing(rpt, tmp_path):
    plant(tmp_path, d__a="first")
    rpt("add", "mem", "d")
    (tmp_path / "d").rename(tmp_path / "away")
    rpt("add", "mem", "d", "--prune", code=1)
    assert keys(rpt) == ["d/a.txt"]


# ---- memory and folder apart

def test_add_refuses_a_folder_of_documents_as_a_memory(rpt, tmp_path):
    plant(tmp_path, docs__diary="Dear diary.", other__o="other", d__a="a")
    rpt("add", "mem", "other")
    for words in (["docs", "other"], ["docs/diary.txt", "other"], ["docs", "mem"], ["no/such", "other"], ["docs/diary.txt/mem", "other"]):
        before = sorted(tmp_path.rglob("*"))
        assert "memory" in rpt("add", *words, code=1).err
        assert sorted(tmp_path.rglob("*")) == before
    assert "is named first" in rpt("add", "docs", "mem", code=1).err
    rpt("add", "-", "other", code=2)
    (tmp_path / "link").symlink_to("nowhere")
    assert "nowhere" in rpt("add", "link", "other", code=1).err


def test_add_reads_no_file_of_a_memory(rpt, tmp_path):
    plant(tmp_path, p__a="first", other__o="other")
    rpt("add", "p/inner", "other")
    for name in ("a", "b"):
        (tmp_path / f"p/{name}.py").write_text(name)
        rpt("add", ".", ".", cwd=tmp_path / "p")
    assert keys(rpt, "p") == ["a.py", "a.txt", "b.py"]
    for path in ("p/lock", "p/index", "p/inner"):
        rpt("add", "p", path, code=1)
