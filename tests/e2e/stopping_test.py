"""How work ends before its end: signals, --timeout, --wait, streams that are closed, full or in another mode."""
import json
import os
import resource
import signal
import subprocess
import time

import pytest
from conftest import RPT, SENTENCE

HANG = 240  # seconds after which something hangs for sure


@pytest.fixture
def start(models, tmp_path):
    """Starts rpt and leaves it to the test; ends it whatever happens."""
    children = []

    def run(*arguments, **more):
        words = [RPT, *map(str, arguments)]
        if arguments[0] in ("add", "complete", "search", "score"):
            words += ["--model", str(models[0]), "--threads", "1"]
        more = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        children.append(subprocess.Popen(words, cwd=tmp_path, **more))
        return children[-1]

    yield run
    for child in children:
        child.kill()
        child.wait()


def n_documents(rpt):
    return len(rpt("memory", "list", "mem", "--json").json["documents"])


def held_by(start, tmp_path):
    """A writer that holds the memory until its stdin ends."""
    writer = start("add", "mem", "-", "--key", "held")
    writer.stdin.write(SENTENCE.encode())
    writer.stdin.flush()
    deadline = time.monotonic() + HANG
    while True:  # the document is there: the writer has its lock
        done = subprocess.run([RPT, "memory", "list", "mem", "--json"], cwd=tmp_path, capture_output=True)
        if done.returncode == 0 and "held" in [d["key"] for d in json.loads(done.stdout)["documents"]]:
            return writer
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopping_signals_end_a_wait_for_stdin(start, rpt, tmp_path, number):
    reader = start("add", "mem", "-")
    reader.stdin.write(SENTENCE.encode() * 20)
    reader.stdin.flush()
    deadline = time.monotonic() + HANG
    while subprocess.run([RPT, "memory", "show", "mem", "stdin", "--text"], cwd=tmp_path,
                         capture_output=True).stdout != SENTENCE.encode() * 20:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    reader.send_signal(number)
    assert reader.wait(HANG) == 130
    assert reader.stderr.read().decode().startswith("rpt: interrupted;")
    assert rpt("memory", "show", "mem", "stdin", "--text").out == SENTENCE * 20


def test_stopping_signals_that_the_parent_ignored_stay_ignored(start, rpt):
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    reader = start("add", "mem", "-", preexec_fn=ignore)
    reader.stdin.write(SENTENCE.encode())
    reader.stdin.flush()
    time.sleep(0.5)
    reader.send_signal(signal.SIGHUP)
    _, err = reader.communicate(timeout=HANG)
    assert reader.returncode == 0, err
    assert rpt("memory", "show", "mem", "stdin", "--text").out == SENTENCE


@pytest.mark.parametrize("command", ["stdin", "query", "watch", "lock"])
def test_stopping_timeout_bounds_every_wait_and_is_named(start, rpt, tmp_path, store, command):
    os.mkfifo(tmp_path / "pipe")
    words = {"stdin": ["add", "mem", "-"],
             "query": ["search", "mem", "--file", "pipe"],
             "watch": ["add", "mem", "d", "--watch"],
             "lock": ["memory", "compact", "mem", "--wait"]}[command]
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a.txt").write_text(SENTENCE)
    if command == "lock":
        held_by(start, tmp_path)
    child = start(*words, "--timeout", "1500ms")
    code = child.wait(HANG)
    if command != "watch":  # to watch for some time is what was asked
        assert code == 1
        assert b"gave up after 1500 ms" in child.stderr.read()


def test_stopping_timeout_is_told_as_json(start, store):
    child = start("complete", "mem", "--prompt", "the sea", "--max-tokens", "1000000", "--timeout", "2s", "--json")
    out, err = child.communicate(timeout=HANG)
    assert child.returncode == 1 and b"after 2 s" in err
    assert len(out.splitlines()) == 1
    got = json.loads(out)
    assert got.get("finish") == "none" or got["error"]["code"] == "TIMEOUT"


def test_stopping_wait_waits_for_another_writer(start, rpt, tmp_path):
    writer = held_by(start, tmp_path)
    (tmp_path / "b.txt").write_text(SENTENCE)
    err = rpt("add", "mem", "b.txt", code=1).err
    assert "--wait" in err
    assert "held by process" in rpt("memory", "compact", "mem", "--wait=200ms", code=1).err
    waiting = start("add", "mem", "b.txt", "--wait")
    time.sleep(1)
    assert waiting.poll() is None
    writer.stdin.close()
    assert writer.wait(HANG) == 0
    assert waiting.wait(HANG) == 0, waiting.stderr.read()
    assert n_documents(rpt) == 2
    assert "30s" in rpt("memory", "compact", "mem", "--wait=soon", code=2).err


def test_stopping_a_reader_that_has_enough_is_no_error(rpt, tmp_path, start):
    text = SENTENCE * 40000  # more than a pipe holds
    (tmp_path / "big.txt").write_text(text)
    rpt("add", "mem", "big.txt")
    child = start("memory", "show", "mem", "big.txt", "--text")
    assert child.stdout.read(10) == SENTENCE[:10].encode()
    child.stdout.close()
    assert child.wait(HANG) == 0
    assert child.stderr.read() == b""


def test_stopping_nonblocking_streams_work(rpt, tmp_path, start, text):
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    child = start("add", "mem", "-", stdin=reading)
    time.sleep(1)  # it finds nothing there and must not take that for an end or a failure
    os.write(writing, text.encode())
    os.close(writing)
    os.close(reading)
    assert child.wait(HANG) == 0, child.stderr.read()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    rpt("add", "mem", "-", "--replace", stdin=text.encode() * 40)
    child = start("memory", "show", "mem", "stdin", "--text", stdout=writing)
    os.close(writing)
    time.sleep(1)  # the pipe is full
    with os.fdopen(reading, "rb") as out:
        assert out.read() == text.encode() * 40
    assert child.wait(HANG) == 0, child.stderr.read()


def test_stopping_closed_streams_never_become_files_of_the_memory(rpt, models, tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.txt").write_text(f"document {name}\n" * 20)
        subprocess.run(f'exec "{RPT}" add mem {name}.txt --model "{models[0]}" 0<&- 1>&- 2>&-', shell=True,
                       cwd=tmp_path, timeout=HANG)
    assert rpt("memory", "check", "mem", "--json").json["damaged"] == 0
    for name in ("a", "b", "c"):
        assert rpt("memory", "show", "mem", f"{name}.txt", "--text").out == f"document {name}\n" * 20
    done = subprocess.run(f'exec "{RPT}" memory list mem 1>&-', shell=True, cwd=tmp_path, stderr=subprocess.PIPE)
    assert done.returncode == 1 and b"stdout" in done.stderr
    done = subprocess.run(f'exec "{RPT}" add mem - --model "{models[0]}" 0<&-', shell=True, cwd=tmp_path,
                          stderr=subprocess.PIPE)
    assert done.returncode == 1 and b"stdin" in done.stderr


def test_stopping_a_limit_on_files_is_a_full_disk(rpt, tmp_path, start):
    (tmp_path / "big.txt").write_text("".join(f"{i}: {SENTENCE}\n" for i in range(20000)))

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300 * 1024, 300 * 1024))

    child = start("add", "mem", "big.txt", "--json", preexec_fn=limit)
    out, err = child.communicate(timeout=HANG)
    assert child.returncode == 1, err
    assert json.loads(out)["error"]["code"] == "NO_SPACE"
    assert rpt("memory", "check", "mem", "--json").json["damaged"] == 0


def test_stopping_a_file_that_grows_is_read_to_the_size_it_had(start, rpt, tmp_path):
    (tmp_path / "log").write_text(SENTENCE * 200)
    child = start("add", "mem", "log")
    with open(tmp_path / "log", "a") as log:
        while child.poll() is None:  # ten times as fast as it is read
            log.write(SENTENCE * 100)
            log.flush()
            time.sleep(0.01)
    assert child.returncode == 0, child.stderr.read()
    assert n_documents(rpt) == 1
