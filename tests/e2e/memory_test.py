import pytest

from conftest import SENTENCE


def test_memory_list_has_the_facts_of_each_document(rpt, store, text):
    (document,) = rpt("memory", "list", store, "--json").json["documents"]
    assert list(document)[:8] == ["owner", "collection", "key", "bytes", "tokens", "chunks", "revision",
                                  "timestamp_ms"]
    assert (document["key"], document["bytes"], document["finished"]) == ("sea.txt", len(text), True)
    assert rpt("memory", "list", store, "--owner", "nobody", "--json").json["documents"] == []
    assert "sea.txt" in rpt("memory", "list", store).out


def test_memory_stat_counts(rpt, store, text):
    got = rpt("memory", "stat", store, "--json").json
    assert list(got)[:10] == ["spaces", "documents", "chunks", "tokens", "text_bytes", "state_bytes", "key_bytes",
                              "index_bytes", "disk_bytes", "model"]
    (document,) = rpt("memory", "list", store, "--json").json["documents"]
    assert (got["spaces"], got["documents"], got["text_bytes"]) == (1, 1, len(text))
    assert (got["chunks"], got["tokens"]) == (document["chunks"], document["tokens"])
    assert len(got["model"]) == 64 and got["disk_bytes"] >= got["state_bytes"] > 0
    assert got["model"] in rpt("memory", "stat", store).out


def test_memory_show_covers_the_text_with_chunks(rpt, store, text):
    got = rpt("memory", "show", store, "sea.txt", "--json").json
    chunks = got["chunk_records"]
    assert [c["begin"] for c in chunks] == [0] + [c["end"] for c in chunks][:-1]
    assert chunks[-1]["end"] == len(text) and sum(c["tokens"] for c in chunks) == got["tokens"]
    assert "".join(c["text"] for c in chunks) == text
    (third,) = rpt("memory", "show", store, "sea.txt", "--chunk", "2", "--json").json["chunk_records"]
    assert third == chunks[2]
    assert rpt("memory", "show", store, "sea.txt", "--text").out == text
    rpt("memory", "show", store, "sea.txt", "--chunk", "100000", code=1)
    rpt("memory", "show", store, "no.txt", code=1)


def test_memory_delete_takes_a_document_out_of_every_answer(rpt, store, tmp_path, text):
    (tmp_path / "other.txt").write_text(text.replace("sea", "lake"))
    rpt("add", store, "other.txt")
    rpt("memory", "delete", store, "sea.txt", "nothing.txt", code=1)  # one wrong key: nothing goes
    assert len(rpt("memory", "list", store, "--json").json["documents"]) == 2
    assert rpt("memory", "delete", store, "sea.txt", "--json").json == {"deleted": ["sea.txt"]}
    hits = rpt("search", store, SENTENCE, "-k", "200", "--json").json["hits"]
    assert hits and {h["key"] for h in hits} == {"other.txt"}


def test_memory_drop_takes_one_space(rpt, store):
    rpt("add", store, "sea.txt", "--owner", "bob")
    assert rpt("memory", "drop", store, "--owner", "bob", "--json").json == {
        "owner": "bob", "collection": "default", "documents": 1}
    (left,) = rpt("memory", "list", store, "--json").json["documents"]
    assert left["owner"] == "default"
    rpt("memory", "drop", store, "--owner", "bob", code=1)
    for collection in ("a", "b"):
        rpt("add", store, "sea.txt", "--owner", "carol", "--collection", collection)
    assert rpt("memory", "drop", store, "--owner", "carol", "--all-collections", "--json").json["documents"] == 2
    assert len(rpt("memory", "list", store, "--json").json["documents"]) == 1
    rpt("memory", "drop", store, "--owner", "carol", "--all-collections", code=1)


def test_memory_rebuild_index_changes_no_answer(rpt, store):
    before = rpt("search", store, SENTENCE, "-k", "20", "--json").json
    got = rpt("memory", "rebuild-index", store, "--json").json
    assert got["chunks"] == rpt("memory", "stat", store, "--json").json["chunks"]
    assert rpt("search", store, SENTENCE, "-k", "20", "--json").json == before


def test_memory_show_says_what_is_kept(rpt, store, tmp_path):
    got = rpt("memory", "show", store, "sea.txt", "--json").json
    stat = rpt("memory", "stat", store, "--json").json
    assert got["chunks_with_states"] == got["chunks"] > 0 and got["pointer_bytes_per_token"] == 0
    assert got["state_bytes_per_token"] == pytest.approx(stat["state_bytes"] / stat["tokens"])
    assert rpt("memory", "show", store, "sea.txt").out.splitlines()[-1].startswith(
        f"kept: states of {got['chunks']} of {got['chunks']} chunks")


def test_memory_show_prints_records_and_segments(rpt, store, text):
    got = rpt("memory", "show", store, "sea.txt", "--segments", "--json").json["segments"]
    assert got[0]["begin"] == 0 and got[-1]["end"] == len(text)
    record = rpt("memory", "show", store, "sea.txt", "--chunk", "1", "--record", "--json").json
    assert len(record["token_ids"]) == record["chunk_records"][0]["tokens"] and len(record["key"]) == 32
    assert len(record["states"]) == 32 * len(record["token_ids"])
    assert "state 0:" in rpt("memory", "show", store, "sea.txt", "--chunk", "1", "--record").out


def test_memory_compact_backup_restore_and_check(rpt, store, tmp_path, text):
    assert rpt("memory", "check", store, "--json").json["damaged"] == 0
    assert rpt("memory", "check", store, "--quick", "--json").json["findings"] == []
    rpt("memory", "backup", store, "copy")
    rpt("memory", "backup", store, "copy", code=1)
    rpt("memory", "delete", store, "sea.txt")
    got = rpt("memory", "compact", store, "--json").json
    assert got["disk_bytes"] <= got["disk_bytes_before"]
    assert text[:40].encode() not in b"".join(p.read_bytes() for p in (tmp_path / store).rglob("*") if p.is_file())
    assert rpt("memory", "restore", "copy", "again", "--json").json["documents"] == 1
    assert rpt("memory", "show", "again", "sea.txt", "--text").out == text
    assert rpt("memory", "upgrade", "again", "--json").json["format_version"] == 5
    database = tmp_path / "again" / "store.sqlite"
    damaged = bytearray(database.read_bytes())
    for at in range(len(damaged) * 3 // 4 // 4096 * 4096, len(damaged) - 4096, 4096):  # rows, not the schema
        damaged[at + 2000] ^= 1
    database.write_bytes(damaged)
    assert rpt("memory", "check", "again", "--json", code=1).json["damaged"] > 0


def test_memory_check_deep_encodes_again(rpt, store, models):
    assert rpt("memory", "check", store, "--deep", "--model", models[0], "--json").json["damaged"] == 0
    assert "model" in rpt("memory", "check", store, "--deep", "--model", models[1], code=1).err


def test_memory_budget_is_kept_in_the_memory(rpt, store):
    assert rpt("memory", "budget", store, "64M", "--json").json["budget_bytes"] == 64 << 20
    assert rpt("memory", "stat", store, "--json").json["budget_bytes"] == 64 << 20
    rpt("memory", "budget", store, "1", code=1)
    rpt("memory", "budget", store, "much", code=2)
    rpt("memory", "budget", store, "16M", "--of-space")
    assert rpt("memory", "budget", store, "none", "--json").json["budget_bytes"] == 0


def test_memory_backup_is_made_outside_the_memory_and_in_a_place_of_its_own(rpt, store, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.txt").write_text("a")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "to_mem").symlink_to("mem")
    for place in ("mem", "mem/copy", "to_mem/copy", "docs", "docs/a.txt", "link", "no/copy"):
        before = sorted(tmp_path.rglob("*"))
        rpt("memory", "backup", store, place, code=1)
        assert sorted(tmp_path.rglob("*")) == before, place
    rpt("memory", "backup", store, "copy")
    rpt("memory", "restore", "copy", "docs", code=1)
    assert not (tmp_path / "docs/store.sqlite").exists()
