#include "core/weights/gguf_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>

#include "base/error.h"
#include "tests/fakes/gguf_builder.h"

namespace rpt::weights {
namespace {

using fakes::GgufBuilder;
using fakes::GgufField;

GgufBuilder small_file() {
    GgufBuilder file;
    file.text("general.architecture", "llama")
        .u32("llama.block_count", 2)
        .f32("llama.rope.freq_base", 5000)
        .truth("tokenizer.ggml.add_bos_token", true)
        .texts("tokenizer.ggml.tokens", {"a", "",
                                         "\xc4\xa0"
                                         "b"})
        .integers("tokenizer.ggml.token_type", {1, 3, 1})
        .texts("general.languages", {"en"})
        .floats("output_norm.weight", {3}, {1, 2, 3})
        .tensor("token_embd.weight", {2, 32}, 8, std::string(68, '\x01'))
        .tensor("blk.0.half", {2, 3}, 1, std::string(12, '\x02'));
    return file;
}

std::string write(const std::string& bytes) {
    const std::string path = ::testing::TempDir() + "small.gguf";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
}

// Opens, reads every tensor whole; the error's line, or "" if there is none.
std::string refusal(const std::string& bytes, Status* status = nullptr) {
    const std::string path = write(bytes);
    try {
        const GgufFile file(path);
        for (const auto& [name, info] : file.tensors()) {
            EXPECT_LE(info.bytes, bytes.size());
            std::vector<std::byte> out(info.bytes);
            file.read(name, out);
        }
    } catch (const Error& error) {
        if (status) *status = error.status();
        const std::string text = error.what();
        EXPECT_TRUE(error.status() == Status::kCorrupt || error.status() == Status::kUnsupported ||
                    error.status() == Status::kVersion)
            << text;
        EXPECT_NE(text.find("small.gguf"), std::string::npos) << text;
        EXPECT_EQ(text.find('\n'), std::string::npos) << text;
        EXPECT_LT(text.size(), 600u) << text;
        return text;
    }
    if (status) *status = Status::kOk;
    return "";
}

std::string with(const std::string& bytes, const GgufField& field, uint64_t value) {
    std::string changed = bytes;
    for (size_t i = 0; i < field.size; ++i) changed[field.begin + i] = char(value >> (8 * i));
    return changed;
}

}  // namespace

TEST(GgufFile, metadata_and_tensors_are_read) {
    for (const uint32_t version : {2u, 3u}) {
        GgufBuilder builder = small_file();
        builder.version = version;
        const GgufFile file(write(builder.build().bytes));
        const GgufMetadata& keys = file.metadata();
        EXPECT_EQ(keys.text("general.architecture"), "llama");
        EXPECT_EQ(keys.integer("llama.block_count"), 2);
        EXPECT_EQ(keys.real("llama.rope.freq_base"), 5000);
        EXPECT_EQ(keys.integer("tokenizer.ggml.add_bos_token"), 1);
        EXPECT_EQ(keys.texts("tokenizer.ggml.tokens"), (std::vector<std::string>{"a", "",
                                                                                 "\xc4\xa0"
                                                                                 "b"}));
        EXPECT_EQ(keys.integers("tokenizer.ggml.token_type"), (std::vector<int32_t>{1, 3, 1}));
        EXPECT_TRUE(keys.texts("general.languages").empty()) << "not of the tokenizer: not kept";
        EXPECT_EQ(keys.integer("no.such", 7), 7);

        const TensorInfo& embedding = file.tensors().at("token_embd.weight");
        EXPECT_EQ(embedding.dtype, DType::kQ8_0);
        EXPECT_EQ(embedding.shape, (std::vector<int64_t>{2, 32})) << "outermost first";
        float values[3];
        file.read("output_norm.weight", std::as_writable_bytes(std::span(values)));
        EXPECT_EQ(values[2], 3.f);
        uint8_t last = 0;
        file.read_at("blk.0.half", 11, std::as_writable_bytes(std::span(&last, 1)));
        EXPECT_EQ(last, 2);
    }
}

TEST(GgufFile, keys_of_another_kind_or_missing_are_named) {
    const GgufFile file(write(small_file().build().bytes));
    const GgufMetadata& keys = file.metadata();
    const auto line = [](auto&& get) -> std::string {
        try {
            get();
        } catch (const Error& error) {
            EXPECT_EQ(error.status(), Status::kCorrupt);
            return error.what();
        }
        return "";
    };
    for (const std::string& text : {line([&] { keys.text("llama.block_count"); }),
                                    line([&] { keys.real("llama.block_count"); }),
                                    line([&] { keys.texts("llama.block_count"); })})
        EXPECT_NE(text.find("\"llama.block_count\""), std::string::npos) << text;
    EXPECT_NE(line([&] { keys.integer("no.such"); }).find("no key \"no.such\""), std::string::npos);
    EXPECT_NE(line([&] { keys.integers("tokenizer.ggml.tokens"); }), "");
    EXPECT_NE(line([&] { keys.texts("tokenizer.ggml.token_type"); }), "");
}

TEST(GgufFile, every_truncation_is_refused) {
    const std::string whole = small_file().build().bytes;
    ASSERT_EQ(refusal(whole), "");
    // the last bytes are padding
    for (size_t size = 0; size + 20 < whole.size(); ++size)
        EXPECT_NE(refusal(whole.substr(0, size)), "") << size;
    EXPECT_NE(refusal(whole + std::string(64, 'x')).find("belong to none"), std::string::npos);
}

TEST(GgufFile, every_falsified_field_is_refused_or_harmless_in_little_memory) {
    rusage before{}, after{};
    getrusage(RUSAGE_SELF, &before);
    const auto [bytes, fields] = small_file().build();
    size_t refused = 0;
    for (const GgufField& field : fields) {
        uint64_t now = 0;
        for (size_t i = 0; i < field.size; ++i)
            now |= uint64_t(uint8_t(bytes[field.begin + i])) << (8 * i);
        size_t of_field = 0;
        for (const uint64_t value : {uint64_t(0),
                                     uint64_t(1),
                                     now + 1,
                                     now - 1,
                                     now + 32,
                                     now * 2 + 1,
                                     uint64_t(4),
                                     uint64_t(5),
                                     uint64_t(9),
                                     uint64_t(255),
                                     uint64_t(1) << 16,
                                     uint64_t(1) << 24,
                                     uint64_t(0x7fffffff),
                                     uint64_t(0xffffffff),
                                     uint64_t(1) << 32,
                                     uint64_t(1) << 40,
                                     uint64_t(1) << 59,
                                     uint64_t(1) << 60,
                                     uint64_t(1) << 61,
                                     uint64_t(1) << 62,
                                     uint64_t(1) << 63,
                                     ~uint64_t(31),
                                     ~uint64_t(0)})
            of_field += refusal(with(bytes, field, value)) != "";
        const bool any_value_will_do = field.what.starts_with("value of ");
        EXPECT_TRUE(of_field > 0 || any_value_will_do) << field.what;
        refused += of_field;
    }
    EXPECT_GT(refused, fields.size() * 10);
    getrusage(RUSAGE_SELF, &after);
    EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 512 << 10) << "kB for files of 700 bytes";
}

TEST(GgufFile, flipped_bytes_never_abort) {
    const std::string bytes = small_file().build().bytes;
    for (size_t at = 0; at < bytes.size(); ++at) {
        std::string flipped = bytes;
        flipped[at] = char(flipped[at] ^ 0x55);
        refusal(flipped);
    }
}

TEST(GgufFile, tensors_that_overlap_leave_holes_or_stand_twice_are_refused) {
    const auto [bytes, fields] = small_file().build();
    for (const GgufField& field : fields) {
        if (!field.what.starts_with("place of ")) continue;
        for (const uint64_t place : {0, 32, 64, 128, 160, 1 << 20}) {
            const std::string changed = with(bytes, field, place);
            EXPECT_TRUE(changed == bytes || refusal(changed) != "") << field.what << place;
        }
    }
    GgufBuilder twice = small_file();
    twice.floats("output_norm.weight", {3}, {1, 2, 3});
    EXPECT_NE(refusal(twice.build().bytes).find("stands twice"), std::string::npos);
    GgufBuilder key_twice = small_file();
    key_twice.u32("llama.block_count", 3);
    EXPECT_NE(refusal(key_twice.build().bytes).find("\"llama.block_count\" stands twice"),
              std::string::npos);
}

TEST(GgufFile, what_is_not_supported_is_named) {
    Status status;
    GgufBuilder builder = small_file();
    builder.tensor("odd", {256}, 10, std::string(84, 0));
    EXPECT_NE(refusal(builder.build().bytes, &status).find("tensor \"odd\" has type 10 (Q2_K)"),
              std::string::npos);
    EXPECT_EQ(status, Status::kUnsupported);
    builder = small_file();
    builder.u32("split.count", 3);
    EXPECT_NE(refusal(builder.build().bytes, &status).find("gguf-split"), std::string::npos);
    EXPECT_EQ(status, Status::kUnsupported);
    for (const auto& [version, wanted] : {std::pair{1u, Status::kUnsupported},
                                          {0x03000000u, Status::kUnsupported},
                                          {4u, Status::kVersion},
                                          {0u, Status::kCorrupt}}) {
        builder = small_file();
        builder.version = version;
        EXPECT_NE(refusal(builder.build().bytes, &status), "");
        EXPECT_EQ(status, wanted) << version;
    }
}

TEST(GgufFile, rows_are_whole_blocks) {
    GgufBuilder builder;
    builder.tensor("odd", {2, 16}, 8, std::string(34, 0));
    EXPECT_NE(refusal(builder.build().bytes).find("whole blocks of 32"), std::string::npos);
}

TEST(GgufFile, alignment_is_the_files) {
    for (const uint32_t alignment : {1u, 8u, 4096u}) {
        GgufBuilder builder = small_file();
        builder.alignment = alignment;
        builder.u32("general.alignment", alignment);
        EXPECT_EQ(refusal(builder.build().bytes), "") << alignment;
    }
    for (const uint32_t alignment : {0u, 3u, 1u << 21}) {
        GgufBuilder builder = small_file();
        builder.u32("general.alignment", alignment);
        EXPECT_NE(refusal(builder.build().bytes).find("general.alignment"), std::string::npos);
    }
}

TEST(GgufFile, a_file_that_is_cut_short_while_open_is_an_error_and_no_signal) {
    const std::string bytes = small_file().build().bytes, path = write(bytes);
    const GgufFile file(path);
    std::ofstream(path, std::ios::binary) << bytes.substr(0, 300);
    std::vector<std::byte> out(68);
    EXPECT_THROW(file.read("token_embd.weight", out), Error);
}

}  // namespace rpt::weights
