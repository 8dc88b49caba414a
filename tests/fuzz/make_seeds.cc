// make_fuzz_seeds FOLDER: small valid inputs of each target, from which a fuzzer starts.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/bpe_trainer.h"
#include "core/weights/package.h"
#include "core/weights/package_writer.h"
#include "storage/codec/blob_codec.h"
#include "storage/codec/pointer_codec.h"
#include "storage/codec/state_codec.h"
#include "tests/fakes/synthetic_segments.h"
#include "tests/fakes/tiny_decoder.h"

namespace rpt::fuzz {
namespace {

namespace fs = std::filesystem;

class Seeds {
  public:
    explicit Seeds(fs::path folder) : folder_(std::move(folder)) {}
    void add(const char* target, const std::string& name, std::string_view bytes) const {
        fs::create_directories(folder_ / target);
        std::ofstream out(folder_ / target / name, std::ios::binary);
        out.write(bytes.data(), std::streamsize(bytes.size()));
        if (!out.flush()) throw std::runtime_error("cannot write " + name);
    }
    fs::path folder() const { return folder_; }

  private:
    fs::path folder_;
};

constexpr std::string_view kScripts =
    "Gr\xC3\xBC\xC3\x9F"
    "e aus K\xC3\xB6ln, \xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E \xF0\x9F\x98\x80 \xEF\xBB\xBF"
    "end\n";

void utf8_seeds(const Seeds& seeds) {
    const std::string three_cuts("\x03\x01\x02\x05", 4), whole(1, '\0');
    seeds.add("utf8_gate", "scripts", three_cuts + std::string(kScripts));
    seeds.add("utf8_gate", "ascii", whole + "plain text");
    seeds.add("utf8_gate", "borders",
              "\x01\x01\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xF0\x90\x80\x80\xF4\x8F"
              "\xBF\xBF");
    seeds.add("utf8_gate", "invalid",
              "\x01\x02\xC0\xAF\xE0\x9F\xBF\xED\xA0\x80\xF4\x90\x80\x80\xF5\xFF\x80\xF0\x9F");
}

void package_seeds(const Seeds& seeds) {
    const std::vector<float> numbers = synthetic::Numbers(1).vector(12);
    const std::span<const std::byte> bytes = std::as_bytes(std::span(numbers));
    const fs::path file = seeds.folder() / "package" / "written";
    fs::create_directories(file.parent_path());
    using weights::DType;
    weights::write_package(file.string(),
                           {{"embed", {DType::kF32, {3, 2}, bytes.first(24)}},
                            {"layers.0.norm", {DType::kF16, {4}, bytes.first(8)}},
                            {"layers.0.codes", {DType::kI8, {3, 1, 1}, bytes.first(3)}},
                            {"empty", {DType::kBf16, {0, 7}, {}}},
                            {"count", {DType::kI64, {}, bytes.first(8)}}},
                           {{"config", R"({"dim":2})"}, {"tokenizer", "{}"}});
    const std::string short_form =
        R"(h{"__metadata__":{"format":"rpt-package-1","config":"{\"dim\":64,\"cca_layers\":[4]}"},)"
        R"("a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
        R"("b":{"dtype":"I8","shape":[2],"data_offsets":[8,10]}})";
    seeds.add("package", "short_form", short_form + std::string(1, '\0') + "0123456789");
}

// A whole model, and small files of single parts that fuzzers change more easily.
void gguf_seeds(const Seeds& seeds) {
    seeds.add("gguf", "llama", fakes::TinyDecoder{}.gguf().build().bytes);
    fakes::GgufBuilder keys;
    keys.text("general.architecture", "qwen2").f32("qwen2.rope.freq_base", 5000);
    seeds.add("gguf", "keys", keys.truth("flag", true).build().bytes);
    fakes::GgufBuilder arrays;
    arrays.texts("tokenizer.ggml.tokens", {"a", "", "bc"})
        .integers("tokenizer.ggml.token_type", {1, 3, 1})
        .texts("other", {"x"});
    seeds.add("gguf", "arrays", arrays.build().bytes);
    fakes::GgufBuilder tensors;
    tensors.u32("general.alignment", 8).floats("norm", {3}, {1, 2, 3});
    tensors.alignment = 8;
    for (const auto& [type, size] : {std::pair{2u, 18u}, {8u, 34u}, {12u, 144u}, {14u, 210u}})
        tensors.tensor("blocks" + std::to_string(type), {1, type < 12 ? 32u : 256u}, type,
                       std::string(size, char(type)));
    seeds.add("gguf", "tensors", tensors.build().bytes);
    tensors.version = 2;
    seeds.add("gguf", "version_2", tensors.build().bytes);
}

void tokenizer_seeds(const Seeds& seeds) {
    text::BpeTrainer trainer;
    for (int i = 0; i < 4; ++i)
        trainer.add("the chunk reads what the reader wrote " + std::string(kScripts));
    const std::string end(1, '\0');
    seeds.add("tokenizer", "trained", trainer.train(275)->to_json() + end + "the reader wrote it");
    seeds.add("tokenizer", "short_form",
              R"(v,"th":256,"the":257,"aa":258,"<|bos|>":259)" + end +
                  R"(["t","h"],"th e",["a","a"])" + end +
                  R"({"id":259,"content":"<|bos|>","special":true})" + end +
                  "the theatre aaaa aaaaa");
    seeds.add("tokenizer", "no_merges", "v" + end + end + end + std::string(kScripts));
    for (const std::string rule : {"s", "l", "q"})
        seeds.add("tokenizer", "rule_" + rule,
                  rule + R"(,"th":256,"They":257)" + end + R"(["t","h"])" + end + end +
                      "They'LL say 'the 1234\r\n  -- end--\n" + std::string(kScripts));
}

void blob_seeds(const Seeds& seeds) {
    constexpr uint32_t kDim = 24, kTokens = 4;
    const std::vector<float> states = synthetic::Numbers(2).vector(kDim * kTokens);
    // which check; then dim - 1 in two bytes, most tokens
    const std::string head("\0\x17\0\x10", 4);
    using storage::StateCodec;
    const std::map<std::string, StateCodec> codecs = {{"fp16", StateCodec::kFp16},
                                                      {"int8", StateCodec::kInt8},
                                                      {"int4", StateCodec::kInt4},
                                                      {"low_rank", StateCodec::kLowRank}};
    const std::vector<float> even(kDim * kTokens, 0.5f);  // zstd makes these smaller
    for (const auto& [name, codec] : codecs) {
        seeds.add("blobs", name, head + storage::encode_states(states, kDim, codec, 1, 2));
        seeds.add("blobs", name + "_zstd", head + storage::encode_states(even, kDim, codec, 1, 2));
    }
    const std::string_view numbers(reinterpret_cast<const char*>(states.data()), 128);
    seeds.add("blobs", "numbers", std::string("\x01\x07\x02", 3) + std::string(numbers));
    const std::vector<int32_t> narrow = {1, 2, 65535}, wide = {1, 70000, -1};
    seeds.add("blobs", "tokens_narrow", "\x02" + storage::encode_tokens(narrow));
    seeds.add("blobs", "tokens_wide", "\x02" + storage::encode_tokens(wide));
    seeds.add(
        "blobs", "pointers",
        std::string("\x04\x05\x03", 3) + storage::encode_pointers(std::vector<float>(18, 0.4f), 6));
    seeds.add("blobs", "text", "\x03" + storage::encode_text("a short text", 1));
    seeds.add("blobs", "text_zstd", "\x03" + storage::encode_text(std::string(300, 'a'), 1));
}

std::string bytes(std::initializer_list<int> values) {
    std::string out;
    for (const int value : values) out += char(value);
    return out;
}

// What index_fuzz.cc and pages_fuzz.cc take from the front, then what they do with the store.
void damage_seeds(const Seeds& seeds) {
    const std::string writes = bytes({0, 1, 2, 0, 5, 2, 7, 3, 1, 1, 4, 0, 3, 2, 6, 1});
    seeds.add("index", "sound", bytes({1, 0, 20, 5, 2, 1}));
    seeds.add("index", "table", bytes({1, 1, 0, 64, 59, 0, 0, 0, 9}));
    seeds.add("index", "link", bytes({1, 2, 1, 0x00, 0x12, 61, 1, 0x40, 0x06, 3, 9}));
    seeds.add("index", "cut", bytes({1, 1, 3, 0x00, 0x10}));
    seeds.add("index", "wrong_checksum", bytes({0, 1, 2, 0x80, 0x01, 3, 1, 2, 3, 4}));
    seeds.add("pages", "sound", bytes({2, 0, 0}) + writes);
    seeds.add("pages", "sound_read_only", bytes({3, 0, 0}));
    seeds.add("pages", "sound_copied", bytes({8 + 16, 0, 0}) + writes);
    // each value of a table's row as a small number
    for (int table = 0; table < 7; ++table)
        for (int column = 1; column < 8; column += 3)
            seeds.add("pages", "value_" + std::to_string(table) + "_" + std::to_string(column),
                      bytes({2, 1, table, 1, column, column % 5, 9, 4, 0}) + writes);
    seeds.add("pages", "lost_row", bytes({2, 1, 5, 2, 0, 5, 0}) + writes);
    seeds.add("pages", "page_header", bytes({2, 0, 1, 1, 3, 4, 200}) + writes);
    seeds.add("pages", "page_swapped", bytes({2, 0, 1, 2, 3, 5}) + writes);
    seeds.add("pages", "cut_file", bytes({2, 0, 1, 4, 0x00, 0x60, 0x00}) + writes);
}

// Calls as doc_calls_fuzz.cc reads them: writer, key, action, what the action takes.
void call_seeds(const Seeds& seeds) {
    seeds.add("doc_calls", "begin_append_finish",
              bytes({0, 0, 6, 0}) + bytes({0, 0, 1, 1, 5}) + "words" + bytes({7, 0, 0, 10, 7}));
    seeds.add("doc_calls", "long_text_spliced",
              bytes({0, 1, 6, 0}) + bytes({0, 1, 1, 0, 0xa0, 0x0f, 7, 7}) + bytes({0, 1, 9, 1, 7}) +
                  bytes({0, 1, 6, 0x10, 0x02, 0x40, 0, 1, 20, 1, 3}) + "new" +
                  bytes({7, 0, 1, 10, 7, 0, 1, 11}) + bytes({0, 1, 1, 0, 0, 1, 12, 0x20, 0, 9}));
    seeds.add("doc_calls", "replaced_and_deleted",
              bytes({0, 0, 6, 3}) + bytes({0, 0, 2, 1, 3}) + "\xFF\xC3x" + bytes({7, 0, 0, 10, 7}) +
                  bytes({0, 0, 11, 0, 0, 7, 1, 0, 0, 13, 0, 0, 14, 10, 3, 2, 1}));
    seeds.add("doc_calls", "failing_engine",
              bytes({0, 2, 6, 1}) + bytes({0, 2, 1, 0, 0x00, 0x0c, 3, 0, 1}) +
                  bytes({0, 2, 8, 0, 0, 2}) + bytes({0, 2, 10, 1, 0, 0, 2, 10, 7, 0, 0, 15}));
}

void rule_seeds(const Seeds& seeds) {
    seeds.add("ignore_rules", "pattern", bytes({0}) + "src/**/[a-c]*.?\nsrc/x/y/b1.o");
    seeds.add("ignore_rules", "classes", bytes({0}) + "[[:alpha:]][!0-9\\]][]-]*\na]]x");
    seeds.add("ignore_rules", "rules",
              bytes({1, 1}) + "*.o\n!keep.o\n/build/\nx\\ \n#no\n" + "\xff" + "**/deep\n!a\n" +
                  "\xff" + "a/b/keep.o\nbuild\nx/build\na/b/c/deep\nx \n");
    seeds.add("ignore_rules", "many_stars", bytes({2, 60}) + "a*\naaaa");
}

// Bytes of a chunk and of the question, then the text.
void word_seeds(const Seeds& seeds) {
    seeds.add("words", "code",
              bytes({10, 20}) + "def read_all(path):\n    return getUser(HTTPServer, u8)\n");
    seeds.add("words", "scripts", bytes({32, 32}) + "The sea 東京都, GRÖSSE e\xCC\x81té МИР");
    std::string odd;
    for (int i = 0; i < 70; ++i) odd += "a_";
    seeds.add("words", "odd",
              bytes({5, 64}) + odd + "\xff\xe3\x81 __ _x_ " + std::string(200, 'Z'));
}

}  // namespace
}  // namespace rpt::fuzz

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: make_fuzz_seeds FOLDER\n");
        return 2;
    }
    try {
        const rpt::fuzz::Seeds seeds{argv[1]};
        rpt::fuzz::utf8_seeds(seeds);
        rpt::fuzz::package_seeds(seeds);
        rpt::fuzz::gguf_seeds(seeds);
        rpt::fuzz::tokenizer_seeds(seeds);
        rpt::fuzz::blob_seeds(seeds);
        rpt::fuzz::damage_seeds(seeds);
        rpt::fuzz::call_seeds(seeds);
        rpt::fuzz::rule_seeds(seeds);
        rpt::fuzz::word_seeds(seeds);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
