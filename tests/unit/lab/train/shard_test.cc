#include "lab/train/shard.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/error.h"
#include "lab/train/json_lines.h"
#include "lab/train/sample_source.h"

namespace rpt::train {
namespace {

namespace fs = std::filesystem;

class ShardTest : public ::testing::Test {
  protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() /
                  ("rpt_shard_" +
                   std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
        fs::remove_all(folder_);
        fs::create_directories(folder_);
    }
    void TearDown() override { fs::remove_all(folder_); }
    std::string path(const std::string& name) const { return (folder_ / name).string(); }

    // Documents of these sizes whose tokens count up from 0, modulo the vocabulary.
    std::shared_ptr<const Shard> make(const std::string& name, uint32_t vocab,
                                      const std::vector<int64_t>& sizes) const {
        ShardVocabulary vocabulary{vocab, 0, 1, 2, sha256("tokenizer", 9)};
        ShardWriter writer(path(name), vocabulary);
        int32_t next = 0;
        for (size_t d = 0; d < sizes.size(); ++d) {
            std::vector<int32_t> tokens;
            for (int64_t i = 0; i < sizes[d]; ++i)
                tokens.push_back(next++ % static_cast<int32_t>(vocab));
            writer.add({"d" + std::to_string(d), "c", "s", 0, 0, 7}, tokens);
        }
        writer.finish();
        return Shard::open(path(name), true);
    }

    fs::path folder_;
};

TEST_F(ShardTest, shard_gives_back_what_was_written_in_both_widths) {
    for (const uint32_t vocab : {8192u, 70000u}) {
        const auto shard = make("a" + std::to_string(vocab), vocab, {5, 0, 70001});
        EXPECT_EQ(shard->tokens(), 70006u);
        EXPECT_EQ(shard->vocabulary().size, vocab);
        ASSERT_EQ(shard->documents().size(), 3u);
        EXPECT_EQ(shard->documents()[2].offset, 5u);
        EXPECT_EQ(shard->documents()[0].id, "d0");
        EXPECT_EQ(shard->documents()[0].collection, "c");
        EXPECT_EQ(shard->read(0, 1, 3), (std::vector<int32_t>{1, 2, 3}));
        EXPECT_EQ(shard->read(2, 70000, 1)[0], static_cast<int32_t>(70005 % vocab));
        EXPECT_TRUE(shard->read(1, 0, 0).empty());
    }
}

TEST_F(ShardTest, shard_first_bytes_are_those_of_the_format_page) {
    make("a", 8192, {5});
    std::ifstream in(path("a"), std::ios::binary);
    std::vector<unsigned char> head(32);
    in.read(reinterpret_cast<char*>(head.data()), 32);
    const std::vector<unsigned char> want = {'R', 'P', 'T', 'S', 'H', 'A', 'R', 'D', 1, 0, 0,
                                             0,   2,   0,   0,   0,   5,   0,   0,   0, 0, 0,
                                             0,   0,   0,   32,  0,   0,   0,   0,   0, 0};
    EXPECT_EQ(head, want);
}

TEST_F(ShardTest, shard_names_the_tokens_around_a_gap_where_the_tokenizer_has_them) {
    ShardVocabulary vocabulary{100, 0, 1, 2, {}, 5, 6, 7};
    ShardWriter writer(path("gap"), vocabulary);
    writer.add({"d", "c", "s", 0, 0, 1}, std::vector<int32_t>{9, 1});
    writer.finish();
    const auto with = Shard::open(path("gap"));
    EXPECT_TRUE(with->vocabulary().has_fim());
    EXPECT_EQ(with->vocabulary().fim_prefix, 5);
    EXPECT_EQ(with->vocabulary().fim_suffix, 6);
    EXPECT_EQ(with->vocabulary().fim_middle, 7);
    // A shard of before belongs to the same tokenizer and may be mixed with it.
    vocabulary.fim_prefix = vocabulary.fim_suffix = vocabulary.fim_middle = -1;
    ShardWriter old(path("old"), vocabulary);
    old.add({"d", "c", "s", 0, 0, 1}, std::vector<int32_t>{9, 1});
    old.finish();
    const auto without = Shard::open(path("old"));
    EXPECT_FALSE(without->vocabulary().has_fim());
    EXPECT_EQ(without->vocabulary(), with->vocabulary());
}

TEST_F(ShardTest, shard_open_refuses_broken_files_by_name) {
    make("a", 8192, {50});
    const auto status_of = [&](const std::string& name) {
        try {
            Shard::open(path(name), true);
        } catch (const Error& error) {
            EXPECT_NE(std::string(error.what()).find(name), std::string::npos);
            return error.status();
        }
        return Status::kOk;
    };
    EXPECT_EQ(status_of("missing"), Status::kNotFound);
    const auto copy = [&](const std::string& name, auto&& change) {
        std::ifstream in(path("a"), std::ios::binary);
        std::string bytes((std::istreambuf_iterator<char>(in)), {});
        change(bytes);
        std::ofstream(path(name), std::ios::binary) << bytes;
        fs::copy_file(path("a.json"), path(name + ".json"));
    };
    copy("magic", [](std::string& b) { b[0] = 'X'; });
    copy("short", [](std::string& b) { b.pop_back(); });
    copy("empty", [](std::string& b) { b.clear(); });
    copy("flipped", [](std::string& b) { b[70] ^= 1; });
    copy("version", [](std::string& b) { b[8] = 2; });
    for (const char* name : {"magic", "short", "empty", "flipped"})
        EXPECT_EQ(status_of(name), Status::kCorrupt) << name;
    EXPECT_EQ(status_of("version"), Status::kVersion);
}

TEST_F(ShardTest, shard_writer_refuses_a_token_outside_the_vocabulary_and_leaves_nothing) {
    {
        ShardWriter writer(path("a"), {100, 0, 1, 2, {}});
        const std::vector<int32_t> bad = {100};
        EXPECT_THROW(writer.add({"d", "c", "s", 0, 0, 1}, bad), Error);
    }
    EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(ShardTest, sample_source_covers_every_piece_once_an_epoch) {
    const auto shard = make("a", 8192, {100, 1000, 37});
    SampleSource source({{shard, 1.0}}, 100, 0.25, 7);
    ASSERT_EQ(source.pieces(), 1u + 10u + 1u);
    std::vector<int> pieces_of(3);
    for (int i = 0; i < 12; ++i) {
        const Piece piece = source.next();
        ++pieces_of[piece.document];
        EXPECT_LE(piece.begin + piece.count, shard->documents()[piece.document].tokens);
        EXPECT_EQ(piece.count, piece.document == 2 ? 37u : 100u);
    }
    EXPECT_EQ(pieces_of, (std::vector<int>{1, 10, 1}));
}

TEST_F(ShardTest, sample_source_skip_equals_next) {
    const auto a = make("a", 8192, {1000, 700});
    const auto b = make("b", 8192, {400});
    SampleSource one({{a, 2.0}, {b, 1.0}}, 64, 0.5, 3);
    SampleSource two({{a, 2.0}, {b, 1.0}}, 64, 0.5, 3);
    for (int i = 0; i < 100; ++i) one.next();
    two.skip(100);
    for (int i = 0; i < 100; ++i) {
        const Piece x = one.next(), y = two.next();
        EXPECT_EQ(one.read(x), two.read(y));
    }
}

TEST_F(ShardTest, sample_source_refuses_a_shard_of_short_documents) {
    const auto shard = make("a", 8192, {10, 20});
    EXPECT_THROW(SampleSource({{shard, 1.0}}, 100, 0.25, 1), Error);
}

TEST(JsonLinesTest, document_of_files_names_each_file) {
    const auto document = parse_document(
        R"({"id":"p","files":[{"path":"a.py","text":"x = 1"},{"path":"b/c.py","text":"y\n"}]})",
        "fallback");
    EXPECT_EQ(document.id, "p");
    EXPECT_EQ(document.text, "# a.py\nx = 1\n# b/c.py\ny\n");
}

TEST(JsonLinesTest, files_of_a_line_become_documents_of_one_collection) {
    const auto files = parse_files(
        R"({"id":"p","source":"s","files":[{"path":"a.py","text":"x = 1"},{"text":"y\n"}]})", "fb");
    ASSERT_EQ(files.size(), 2u);
    EXPECT_EQ(files[0].id, "a.py");
    EXPECT_EQ(files[0].collection, "p");
    EXPECT_EQ(files[0].source, "s");
    EXPECT_EQ(files[0].text, "# a.py\nx = 1");
    EXPECT_EQ(files[1].id, "p:2");
    EXPECT_EQ(files[1].text, "# \ny\n");
    const auto text = parse_files(R"({"id":"p","text":"hello"})", "fb");
    ASSERT_EQ(text.size(), 1u);
    EXPECT_EQ(text[0].collection, "");
    EXPECT_EQ(text[0].text, "hello");
    EXPECT_TRUE(parse_files(R"({"id":"p","files":[]})", "fb").empty());
    EXPECT_EQ(parse_document(R"({"id":"p","files":[]})", "fb").id, "p");
}

TEST(JsonLinesTest, document_without_text_is_refused_by_name) {
    EXPECT_EQ(parse_document(R"({"text":"hello"})", "file:3").id, "file:3");
    for (const char* line : {"{}", "[1]", "not json", R"({"text":5})"}) {
        try {
            parse_document(line, "file:3");
            FAIL() << line;
        } catch (const Error& error) {
            EXPECT_EQ(error.status(), Status::kCorrupt);
            EXPECT_NE(std::string(error.what()).find("file:3"), std::string::npos);
        }
    }
}

TEST_F(ShardTest, lines_of_a_plain_file_come_whole) {
    std::ofstream(path("a.jsonl")) << "one\n\nthree";
    const auto lines = LineReader::open(path("a.jsonl"));
    std::string line;
    std::vector<std::string> all;
    while (lines->next(line)) all.push_back(line);
    EXPECT_EQ(all, (std::vector<std::string>{"one", "", "three"}));
    EXPECT_THROW(LineReader::open(path("missing.jsonl")), Error);
}

TEST_F(ShardTest, lines_of_a_broken_zstd_file_are_refused) {
    std::ofstream(path("a.jsonl.zst"), std::ios::binary) << "this is no zstd frame at all";
    std::string line;
    EXPECT_THROW(LineReader::open(path("a.jsonl.zst"))->next(line), Error);
}

}  // namespace
}  // namespace rpt::train
