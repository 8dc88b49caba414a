// make_fuzz_seeds FOLDER: small valid inputs of each target, from which a fuzzer starts.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/bpe_trainer.h"
#include "core/weights/package.h"
#include "storage/codec/blob_codec.h"
#include "storage/codec/state_codec.h"
#include "tests/fakes/synthetic_segments.h"

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
    const std::string short_form = R"(h{"__metadata__":{"format":"rpt-package-1","config":"{}"},)"
                                   R"("a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
                                   R"("b":{"dtype":"I8","shape":[2],"data_offsets":[8,10]}})";
    seeds.add("package", "short_form", short_form + std::string(1, '\0') + "0123456789");
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
    seeds.add("blobs", "text", "\x03" + storage::encode_text("a short text", 1));
    seeds.add("blobs", "text_zstd", "\x03" + storage::encode_text(std::string(300, 'a'), 1));
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
        rpt::fuzz::tokenizer_seeds(seeds);
        rpt::fuzz::blob_seeds(seeds);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
