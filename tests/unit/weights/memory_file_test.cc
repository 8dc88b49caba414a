#include "core/weights/memory_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "core/weights/model_file.h"
#include "core/weights/package_config.h"
#include "core/weights/package_writer.h"
#include "tests/fakes/tiny_decoder.h"

namespace rpt::weights {
namespace {

namespace fs = std::filesystem;

class MemoryFile : public ::testing::Test {
  protected:
    const std::string model_ = ::testing::TempDir() + "remembers.gguf";
    const std::string memory_ = ::testing::TempDir() + "remembers.memory.safetensors";
    const std::vector<float> mean_ = {1, 2, 3, 4, 5, 6, 7, 8};

    void SetUp() override {
        std::ofstream(model_, std::ios::binary) << fakes::TinyDecoder{}.gguf().build().bytes;
        fs::remove(memory_);
    }
    void TearDown() override { fs::remove(memory_); }

    void write(const std::string& json, const std::string& name = "memory.pointer.mean",
               const Digest* weights = nullptr) const {
        write_package(
            memory_, {{name, {DType::kF32, {8}, std::as_bytes(std::span(mean_))}}},
            {{"memory", json},
             {"weights", to_hex(weights ? *weights : open_model_alone(model_)->fingerprint())},
             {"config", "{}"},
             {"tokenizer", "{}"}});
    }
    std::string refusal(Status wanted = Status::kCorrupt) const {
        try {
            open_model(model_);
        } catch (const Error& error) {
            EXPECT_EQ(error.status(), wanted) << error.what();
            return error.what();
        }
        return "";
    }
};

const char* const kKeys =
    R"({"retrieval":"pointer","pointer_layer":2,"pointer_width":4,"stride":512})";

}  // namespace

TEST_F(MemoryFile, stands_beside_the_model) {
    EXPECT_EQ(memory_path_of("a/b.gguf"), "a/b.memory.safetensors");
    EXPECT_EQ(memory_path_of("a/b.Q4_1.safetensors"), "a/b.Q4_1.memory.safetensors");
    EXPECT_EQ(memory_path_of("a/folder//"), "a/folder.memory.safetensors");
    EXPECT_EQ(memory_path_of("a.b/c"), "a.b/c.memory.safetensors");
}

TEST_F(MemoryFile, keys_tensors_and_fingerprint_are_joined) {
    const auto alone = open_model(model_);
    write(kKeys);
    const auto joined = open_model(model_);
    const model::ModelConfig config = config_of(*joined);
    EXPECT_EQ(config.retrieval, model::RetrievalKind::kPointer);
    EXPECT_EQ(config.stride, 512);
    EXPECT_EQ(config.dim, 8);
    std::vector<float> mean(8), norm(8), own(8);
    joined->read("memory.pointer.mean", std::as_writable_bytes(std::span(mean)));
    EXPECT_EQ(mean, mean_);
    joined->read("final_norm", std::as_writable_bytes(std::span(norm)));
    alone->read("final_norm", std::as_writable_bytes(std::span(own)));
    EXPECT_EQ(norm, own);
    EXPECT_EQ(joined->tokenizer_json(), alone->tokenizer_json());

    EXPECT_NE(joined->fingerprint(), alone->fingerprint());
    EXPECT_EQ(open_model_alone(model_)->fingerprint(), alone->fingerprint());
    EXPECT_EQ(open_model(model_)->fingerprint(), joined->fingerprint());
    write(R"({"retrieval":"pointer","pointer_layer":1,"pointer_width":4,"stride":512})");
    EXPECT_NE(open_model(model_)->fingerprint(), joined->fingerprint());
}

TEST_F(MemoryFile, a_package_made_of_the_model_takes_the_same_file) {
    write(kKeys);
    const Digest joined = open_model(model_)->fingerprint();
    const std::string package = ::testing::TempDir() + "remembers.safetensors";
    write_package(package, *open_model_alone(model_), {});
    EXPECT_EQ(open_model(package)->fingerprint(), joined);
    fs::remove(package);
}

TEST_F(MemoryFile, the_file_of_another_model_is_refused) {
    const Digest other = sha256("x", 1);
    write(kKeys, "memory.pointer.mean", &other);
    const std::string line = refusal(Status::kModelMismatch);
    EXPECT_NE(line.find(to_hex(other)), std::string::npos) << line;
    EXPECT_NE(line.find(to_hex(open_model_alone(model_)->fingerprint())), std::string::npos);
}

TEST_F(MemoryFile, what_would_change_the_weights_is_refused) {
    write(R"({"dim":16})");
    EXPECT_NE(refusal().find("\"dim\""), std::string::npos) << refusal();
    write(R"({"n_lower":2,"n_upper":1})");
    EXPECT_NE(refusal().find("number of layers"), std::string::npos) << refusal();
    write(R"({"n_lower":"2"})");
    EXPECT_NE(refusal().find("n_lower"), std::string::npos) << refusal();
    write(R"({"no_such_key":1})");
    EXPECT_NE(refusal().find("'no_such_key'"), std::string::npos) << refusal();
    write("[]");
    EXPECT_NE(refusal().find("no JSON object"), std::string::npos) << refusal();
    write(kKeys, "final_norm");
    EXPECT_NE(refusal().find("\"final_norm\" has no place"), std::string::npos) << refusal();
}

TEST_F(MemoryFile, every_changed_or_missing_byte_is_noticed) {
    write(kKeys);
    std::string bytes;
    {
        std::ifstream in(memory_, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    const Digest whole = open_model(model_)->fingerprint();
    const std::string config = open_model(model_)->config_json();
    EXPECT_THROW(open_model(memory_), Error) << "it is no model";
    for (size_t at = 0; at < bytes.size(); at += 3) {
        std::string changed = bytes;
        changed[at] = char(changed[at] ^ 0x11);
        std::ofstream(memory_, std::ios::binary) << changed;
        try {
            const auto joined = open_model(model_);  // a key that nobody reads, or another memory
            EXPECT_TRUE(joined->fingerprint() != whole || joined->config_json() == config) << at;
        } catch (const Error&) {
        }
        std::ofstream(memory_, std::ios::binary) << bytes.substr(0, at);
        EXPECT_THROW(open_model(model_), Error) << at;
    }
}

}  // namespace rpt::weights
