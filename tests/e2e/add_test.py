import json
import os
import pty
import signal
import subprocess
import time

from conftest import RPT, SENTENCE


def keys(rpt):
    return [d["key"] for d in rpt("memory", "list", "mem", "--json").json["documents"]]


def test_add_reports_what_it_read(rpt, tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    got = rpt("add", "mem", "a.txt", "--json").json
    assert (got["documents"], got["bytes"], got["skipped"]) == (1, len(text), 0)
    assert got["tokens"] > 0 and got["chunks"] > 0 and got["seconds"] > 0
    assert keys(rpt) == ["a.txt"]


def test_add_skips_unchanged_files_by_content(rpt, tmp_path, text):
    file = tmp_path / "a.txt"
    file.write_text(text)
    rpt("add", "mem", "a.txt")
    os.utime(file, (1, 1))  # another time, the same bytes
    got = rpt("add", "mem", "a.txt", "--json").json
    assert (got["documents"], got["skipped"], got["unchanged"]) == (0, 1, 1)


def test_add_notices_an_edit_of_the_same_size_and_time(rpt, tmp_path, text):
    file = tmp_path / "a.txt"
    file.write_text(text)
    os.utime(file, (1, 1))
    rpt("add", "mem", "a.txt")
    file.write_text(text[:-2] + "!\n")
    os.utime(file, (1, 1))
    assert "--replace" in rpt("add", "mem", "a.txt", code=1).err
    assert rpt("memory", "show", "mem", "a.txt", "--text").out == text
    assert rpt("add", "mem", "a.txt", "--replace", "--json").json["documents"] == 1
    assert rpt("memory", "show", "mem", "a.txt", "--text").out == text[:-2] + "!\n"
    assert keys(rpt) == ["a.txt"]


def test_add_walks_a_directory_as_gitignore_says(rpt, tmp_path, text):
    (tmp_path / "d/sub/out").mkdir(parents=True)
    (tmp_path / "d/.git").mkdir()
    (tmp_path / "d/.git/config").write_text("no text of ours")
    (tmp_path / "d/.gitignore").write_text("*.log\nout/\n/top.txt\n!keep.log\n")
    for name in ("top.txt", "a.log", "keep.log", "b.txt", "sub/top.txt", "sub/out/x.txt"):
        (tmp_path / "d" / name).write_text(text)
    (tmp_path / "d/sub/.gitignore").write_text("!a.log\n")
    (tmp_path / "d/sub/a.log").write_text(text)
    (tmp_path / "d/binary").write_bytes(b"ab\0cd")
    (tmp_path / "d/latin1.txt").write_bytes(b"caf\xe9 au lait")
    (tmp_path / "d/link.txt").symlink_to("b.txt")
    got = rpt("add", "mem", "d/", "--json").json
    assert keys(rpt) == sorted(["d/.gitignore", "d/b.txt", "d/keep.log", "d/sub/.gitignore", "d/sub/a.log",
                                "d/sub/top.txt"])
    reasons = {s["path"]: s["reason"].split(";")[0] for s in got["skipped_paths"]}
    assert reasons == {"d/a.log": "ignored", "d/top.txt": "ignored", "d/sub/out": "ignored", "d/binary": "binary",
                       "d/latin1.txt": "not UTF-8 at byte 3", "d/link.txt": "symbolic link"}
    assert got["skipped"] == len(reasons)


def test_add_leaves_its_own_store_out(rpt, tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    rpt("add", "mem", ".")
    rpt("add", "mem", ".")
    assert keys(rpt) == ["a.txt"]


def test_add_obeys_rules_of_the_folders_above(rpt, tmp_path, text):
    (tmp_path / "r/.git").mkdir(parents=True)
    (tmp_path / "r/sub").mkdir()
    (tmp_path / "r/.gitignore").write_text("sub/no.txt\n")
    (tmp_path / "r/sub/no.txt").write_text(text)
    (tmp_path / "r/sub/yes.txt").write_text(text)
    rpt("add", "mem", "r/sub")
    assert keys(rpt) == ["r/sub/yes.txt"]


def test_add_reads_stdin_like_a_file(rpt, tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    rpt("add", "mem", "a.txt")
    rpt("add", "mem", "-", "--key", "piped", stdin=text.encode())
    a, b = (rpt("memory", "show", "mem", k, "--json").json for k in ("a.txt", "piped"))
    assert a["chunk_records"] == b["chunk_records"] and a["content_hash"] == b["content_hash"]


def test_add_makes_stdin_searchable_as_it_arrives(rpt, models, tmp_path):
    reader = subprocess.Popen([RPT, "add", "mem", "-", "--model", str(models[0])], cwd=tmp_path, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    reader.stdin.write(SENTENCE.encode() * 20)
    reader.stdin.flush()
    for _ in range(600):
        time.sleep(0.1)
        done = subprocess.run([RPT, "memory", "list", "mem", "--json"], cwd=tmp_path, capture_output=True)
        if done.returncode == 0 and [d for d in json.loads(done.stdout)["documents"] if d["chunks"]]:
            break
    else:
        raise AssertionError("what arrived never became searchable")
    assert rpt("search", "mem", "a ship", "--json").json["hits"]
    reader.stdin.write(SENTENCE.encode())
    _, err = reader.communicate()
    assert reader.returncode == 0, err
    assert rpt("memory", "show", "mem", "stdin", "--text").out == SENTENCE * 21


def test_add_interrupted_keeps_what_arrived(rpt, models, tmp_path):
    reader = subprocess.Popen([RPT, "add", "mem", "-", "--model", str(models[0])], cwd=tmp_path, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    reader.stdin.write(SENTENCE.encode() * 20)
    reader.stdin.flush()
    while not (tmp_path / "mem").exists():
        time.sleep(0.05)
    time.sleep(1.5)
    reader.send_signal(signal.SIGINT)
    _, err = reader.communicate()
    assert reader.returncode == 130, err
    assert len(err.splitlines()) == 1
    assert rpt("memory", "show", "mem", "stdin", "--text").out == SENTENCE * 20
    # and the next run takes the place of the half document without being told to
    rpt("add", "mem", "-", stdin=b"whole")
    assert rpt("memory", "show", "mem", "stdin", "--text").out == "whole"


def start_on_terminal(words, cwd):
    master, slave = pty.openpty()
    child = subprocess.Popen(words, cwd=cwd, stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    return child, master


def rest_of(master):
    out = b""
    try:
        while piece := os.read(master, 4096):
            out += piece
    except OSError:  # how a terminal says that its other side is gone
        pass
    os.close(master)
    return out


def test_add_draws_progress_on_a_terminal_alone(rpt, models, tmp_path):
    (tmp_path / "a.txt").write_text(SENTENCE * 100000)
    words = [RPT, "add", "mem", "a.txt", "--model", str(models[0]), "--threads", "1"]
    child, master = start_on_terminal(words, tmp_path)
    out = b""
    while b" left" not in out:
        piece = os.read(master, 4096)
        assert piece, out
        out += piece
    child.send_signal(signal.SIGINT)
    out = (out + rest_of(master)).decode()
    child.communicate()
    assert child.returncode == 130
    assert "/s" in out and "%" in out

    child, master = start_on_terminal([*words, "--quiet", "--collection", "two"], tmp_path)
    time.sleep(6)
    child.send_signal(signal.SIGINT)
    out = rest_of(master).decode()
    child.communicate()
    assert "%" not in out


def test_add_refuses_wrong_usage(rpt, tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    (tmp_path / "b.txt").write_text(text)
    rpt("add", "mem", code=2)
    rpt("add", "mem", "a.txt", "b.txt", "--key", "x", code=2)
    rpt("add", "mem", "a.txt", "--no-such-option", code=2)
    assert '"missing.txt"' in rpt("add", "mem", "missing.txt", code=1).err
    assert not (tmp_path / "mem").exists()


def test_add_takes_an_empty_file(rpt, tmp_path):
    (tmp_path / "empty").write_text("")
    assert rpt("add", "mem", "empty", "--json").json["documents"] == 1
    assert rpt("search", "mem", "ship", "--json").json["hits"] == []


def test_add_watch_follows_a_tree(models, tmp_path):
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "a.txt").write_text("the sea was calm.\n")
    words = [RPT, "add", "mem", "tree", "--watch", "--json", "--model", str(models[0]), "--threads", "1"]
    watcher = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True)

    def told():
        return json.loads(watcher.stdout.readline())

    def keys():
        done = subprocess.run([RPT, "memory", "list", "mem", "--json"], cwd=tmp_path, capture_output=True, check=True)
        return [d["key"] for d in json.loads(done.stdout)["documents"]]

    try:
        assert told()["documents"] == 1
        (tmp_path / "tree" / "a.txt").write_text("the sea was wild.\n")  # the same size, perhaps the same second
        assert told()["documents"] == 1
        (tmp_path / "tree" / "deep" / "b.txt").write_text("a ship came from far.\n")
        assert told()["documents"] == 1
        assert keys() == ["tree/a.txt", "tree/deep/b.txt"]
        (tmp_path / "tree" / "new").mkdir()
        (tmp_path / "tree" / "a.txt").rename(tmp_path / "tree" / "new" / "c.txt")
        got = told()
        while got["deleted"] == 0:
            got = told()
        assert keys() == ["tree/deep/b.txt", "tree/new/c.txt"]
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(60) in (0, 130)
    finally:
        watcher.kill()
