"""A talk that is remembered, with a random model of a few kilobytes that knows turns."""
import json
import os
import pathlib
import pty
import select
import signal
import subprocess
import time

import pytest
from conftest import RPT
from models_test import write_tiny

CHATML = ("{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}"
          "{% endfor %}")


@pytest.fixture(scope="session")
def chat_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chat")
    write_tiny(folder / "tiny.gguf", chat_template=CHATML)
    subprocess.run([RPT, "model", "import", "tiny.gguf", "--out", "model.safetensors"], cwd=folder, check=True,
                   capture_output=True)
    return folder / "model.safetensors"


@pytest.fixture
def chat(chat_model, tmp_path):
    def run(lines, *words, code=0, store="mem"):
        text = lines if isinstance(lines, bytes) else "".join(line + "\n" for line in lines).encode()
        done = subprocess.run([RPT, "chat", store, "--model", str(chat_model), "-n", "6", *map(str, words)], input=text,
                              capture_output=True, cwd=tmp_path, timeout=300)
        assert done.returncode == code, done
        return done

    return run


def objects(done):
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def stored(rpt, owner="default"):
    listed = rpt("memory", "list", "mem", "--owner", owner, "--collection", "chat", "--json").json["documents"]
    return [(d["key"].split()[-1], rpt("memory", "show", "mem", d["key"], "--owner", owner, "--collection", "chat",
                                       "--text").out) for d in listed]


def test_chat_every_turn_is_stored_as_it_was_said(rpt, chat):
    made = objects(chat(["Anna has a red boat.", "", "  ", "Grüße\r"], "--json"))
    assert [list(one) for one in made] == [["text", "tokens", "finish", "seed", "first_token_ms", "total_ms", "turns",
                                            "notes"]] * 2
    assert [one["turns"] for one in made] == [0, 2]
    said = [("user", "Anna has a red boat."), ("assistant", made[0]["text"]), ("user", "Grüße"),
            ("assistant", made[1]["text"])]
    assert stored(rpt) == [turn for turn in said if turn[1]]
    listed = rpt("memory", "list", "mem", "--collection", "chat", "--json").json["documents"]
    assert all(abs(d["timestamp_ms"] / 1000 - time.time()) < 3600 for d in listed)
    assert rpt("memory", "show", "mem", listed[0]["key"], "--collection", "chat", "--json").json["uri"] == "chat:"


def test_chat_in_a_pipe_prints_answers_and_nothing_else(chat):
    done = chat(["one", "two"])
    answers = [one["text"] for one in objects(chat(["one", "two"], "--json", store="other"))]
    assert done.stderr == b""
    assert done.stdout.decode() == "".join(text if text.endswith("\n") else text + "\n" for text in answers)


def test_chat_is_remembered_by_the_next_run(chat):
    first = "The spare key hangs behind the green lantern."
    chat([first])
    made = objects(chat(["Where does the spare key hang?", "/why", "/memory"], "--json"))
    assert made[0]["turns"] == 0, "a new run begins a new talk"
    notes = made[0]["notes"]
    assert first in [note["text"] for note in notes] and len(notes) <= 2
    assert made[1]["notes"] == notes
    for note in notes:
        assert list(note) == ["score", "key", "speaker", "timestamp_ms", "text"]
    assert made[2]["turns"] >= 3 and made[2]["bytes"] >= len(first) and made[2]["since_ms"] > 0
    shown = chat(["/why", "Where does the spare key hang?", "/why"]).stdout.decode()
    assert shown.startswith("nothing was answered yet\n") and first in shown
    assert objects(chat(["Where does the spare key hang?"], "--notes", "0", "--json"))[0]["notes"] == []


def test_chat_turns_that_are_still_in_the_prompt_are_no_notes(chat):
    made = objects(chat(["The key is red.", "The key is blue.", "Which colour has the key?"], "--json"))
    assert all(one["notes"] == [] for one in made)
    assert made[2]["turns"] >= 4


def test_chat_only_what_a_user_told_is_a_note(chat):
    question = "Where does the spare key hang?"
    assert objects(chat([question, "Which spare key (and where)?"], "--json"))[0]["notes"] == []
    assert objects(chat([question], "--json"))[0]["notes"] == []
    chat(["The spare key hangs in the hall."])
    assert [note["text"] for note in objects(chat([question], "--json"))[0]["notes"]] == ["The spare key hangs in the hall."]


def test_chat_a_message_about_something_else_gets_no_note(chat):
    chat(["The spare key hangs in the hall.", "Anna has a red boat."])
    assert objects(chat(["Multiply seven by eight."], "--json"))[0]["notes"] == []


def test_chat_forgets_letters_of_any_case_in_any_locale(chat, monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")
    chat(["Die GRÖSSE ist 44."])
    assert len(objects(chat(["/forget größe"], "--json"))[0]["deleted"]) == 0, "ß is another letter than SS"
    assert [turn["text"] for turn in objects(chat(["/forget grösse"], "--json"))[0]["deleted"]] == ["Die GRÖSSE ist 44."]


def test_chat_another_owner_sees_nothing(rpt, chat):
    chat(["My secret is heliotrope."], "--owner", "anna")
    made = objects(chat(["What is my secret?", "/memory"], "--owner", "ben", "--json"))
    assert made[0]["notes"] == [] and made[1]["turns"] <= 2
    assert "heliotrope" not in str(stored(rpt, "ben"))
    assert objects(chat(["/forget heliotrope"], "--owner", "ben", "--json"))[0]["deleted"] == []
    assert "heliotrope" in str(stored(rpt, "anna"))


def holds(folder, word):
    return any(word in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_chat_forget_leaves_no_byte(rpt, chat, tmp_path):
    chat(["The password is Heliotrope77, remember it.", "The ship is green."])
    assert holds(tmp_path / "mem", b"Heliotrope77")
    out = chat(["/forget no-such-word", "/forget password HELIOTROPE77", "/memory"]).stdout.decode()
    assert "no turn holds all of these words" in out and "deleted 1 turn" in out and "Heliotrope77" in out
    assert not holds(tmp_path / "mem", b"Heliotrope77") and holds(tmp_path / "mem", b"The ship is green.")
    assert "Heliotrope77" not in str(stored(rpt))
    assert objects(chat(["What is the password?"], "--json"))[0]["notes"] == [] or "Heliotrope77" not in str(
        objects(chat(["What is the password?"], "--json")))
    rpt("memory", "check", "mem")


# What was forgotten in a run is in no later prompt of that run either.
def test_chat_forget_takes_turns_out_of_the_talk(chat):
    made = objects(chat(["The key is red.", "/forget red", "/why", "And now?"], "--json"))
    assert [turn["text"] for turn in made[1]["deleted"]] == ["The key is red."]
    assert made[2]["notes"] == [] and made[3]["turns"] == (1 if made[0]["text"] else 0)


@pytest.mark.parametrize("line, told", [
    (b"ab\xffcd", "line 2: not UTF-8 at byte 2"),
    (b"cut \xc3", "line 2: not UTF-8 at byte 4"),
    (b"/frobnicate", "no command /frobnicate"),
    (b"/forget", "which words"),
    (b"x" * ((1 << 20) + 1), "more than 1 MiB"),
    (b"word " * 600, "has room for"),
], ids=["invalid", "cut", "command", "words", "long", "large"])
def test_chat_a_bad_line_is_told_and_the_talk_goes_on(chat, line, told):
    done = chat(b"/memory\n" + line + b"\n/memory\n", code=1)
    errors = done.stderr.decode().splitlines()
    assert len(errors) == 1 and errors[0].startswith("rpt: ") and told in errors[0]
    assert len(done.stdout.splitlines()) == 2


def test_chat_a_path_and_two_slashes_are_said(rpt, chat):
    chat(["/home/anna is full", "//why", "/quit", "never said"])
    assert [text for speaker, text in stored(rpt) if speaker == "user"] == ["/home/anna is full", "/why"]


def test_chat_needs_a_model_that_knows_turns(rpt, chat, models, tmp_path):
    done = subprocess.run([RPT, "chat", "mem", "--model", str(models[0]), "--json"], input=b"hi\n", capture_output=True,
                          cwd=tmp_path, timeout=300)
    assert done.returncode == 1 and json.loads(done.stdout)["error"]["code"] == "UNSUPPORTED"
    assert "chat template" in done.stderr.decode()
    assert not (tmp_path / "mem").exists()


def test_chat_sampling_is_repeatable(chat):
    words = ["--temperature", "1", "--top-k", "40", "--seed", "7", "--json"]
    first, again, other = (objects(chat(["hi"], *w, store=s))[0]["text"] for w, s in
                           ((words, "a"), (words, "b"), ([*words[:5], "8", "--json"], "c")))
    assert first == again != other


def start(chat_model, folder, *words, **streams):
    return subprocess.Popen([RPT, "chat", "mem", "--model", str(chat_model), *words], cwd=folder,
                            stdin=subprocess.PIPE, stderr=subprocess.PIPE, **({"stdout": subprocess.PIPE} | streams))


def test_chat_ctrl_c_ends_an_answer_and_not_the_program(rpt, chat_model, tmp_path):
    child = start(chat_model, tmp_path, "-n", "100000000")
    child.stdin.write(b"hi\n")
    child.stdin.flush()
    assert child.stdout.read(40)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(b"/memory\n", timeout=300)
    assert child.returncode == 0, err
    assert out.decode(errors="replace").splitlines()[-1].startswith("2 turns since")
    assert [speaker for speaker, _ in stored(rpt)] == ["user", "assistant"]


def test_chat_ctrl_c_between_answers_of_a_pipe_ends_the_program(chat_model, tmp_path):
    child = start(chat_model, tmp_path)
    child.stdin.write(b"/memory\n")
    child.stdin.flush()
    assert child.stdout.readline()
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=300) == 130


def test_chat_a_reader_that_leaves_is_no_error(rpt, chat_model, tmp_path):
    child = start(chat_model, tmp_path, "-n", "100000000")
    child.stdin.write(b"hi\n")
    child.stdin.flush()
    assert child.stdout.read(10)
    child.stdout.close()
    assert child.wait(timeout=300) == 0
    assert child.stderr.read() == b""
    assert len(stored(rpt)) == 2


class Terminal:
    def __init__(self, chat_model, folder, *words):
        self.end, child_end = pty.openpty()
        self.seen = ""
        self.child = subprocess.Popen([RPT, "chat", "mem", "--model", str(chat_model), "-n", "6", *words], cwd=folder,
                                      stdin=child_end, stdout=child_end, stderr=child_end, start_new_session=True,
                                      preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
                                      env=os.environ | {"TERM": "xterm"})
        os.close(child_end)

    def until(self, text):
        """Waits for what comes after the last such call."""
        deadline = time.monotonic() + 120
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.end], [], [], 1)[0]:
                self.seen += os.read(self.end, 65536).decode(errors="replace")
        before, _, self.seen = self.seen.partition(text)
        return before

    def type(self, text):
        os.write(self.end, text.encode())


def test_chat_on_a_terminal_edits_lines_and_asks(rpt, chat_model, tmp_path):
    talk = Terminal(chat_model, tmp_path)
    talk.until("/help tells more")
    talk.until("> ")
    talk.type("The key is rex\x7fd.\n")  # backspace
    talk.until("> ")
    talk.type("half a line\x03")
    talk.until("^C")
    talk.type("/forget red\n")
    talk.until("delete 1 turn? [y/N] ")
    talk.type("n\n")
    talk.until("nothing was deleted")
    talk.type("\x1b[A\n")  # the last line again: /forget red is no longer the newest, "n" is
    talk.until("> ")
    talk.type("/forget red\n")
    talk.until("delete 1 turn? [y/N] ")
    talk.type("y\n")
    talk.until("deleted 1 turn")
    talk.until("> ")
    talk.type("\x04")
    assert talk.child.wait(timeout=300) == 0
    users = [text for speaker, text in stored(rpt) if speaker == "user"]
    assert "The key is red." not in users and not any("half" in text for text in users)
