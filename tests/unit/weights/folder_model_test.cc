#include "core/weights/folder_model.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "core/text/gguf_vocabulary.h"
#include "core/text/tokenizer.h"
#include "core/weights/dequantise.h"
#include "core/weights/folder_config.h"
#include "core/weights/model_file.h"
#include "core/weights/package_config.h"
#include "core/weights/package_writer.h"
#include "tests/fakes/tiny_decoder.h"

namespace rpt::weights {
namespace {

namespace fs = std::filesystem;
using fakes::TinyDecoder;
using nlohmann::json;

json config_json(const TinyDecoder& tiny, const std::string& type) {
    json config = {
        {"model_type", type},     {"vocab_size", 260},        {"hidden_size", 8},
        {"num_hidden_layers", 2}, {"num_attention_heads", 2}, {"num_key_value_heads", 1},
        {"head_dim", 4},          {"intermediate_size", 12},  {"hidden_act", "silu"},
        {"rope_theta", 5000},     {"rms_norm_eps", 0x1p-17},  {"tie_word_embeddings", tiny.tied},
        {"rope_scaling", nullptr}};
    return config;
}

class FolderModel : public ::testing::Test {
  protected:
    const std::string folder_ = ::testing::TempDir() + "folder_model";
    using Tensors = std::map<std::string, std::pair<std::vector<int64_t>, std::vector<float>>>;

    void SetUp() override {
        fs::remove_all(folder_);
        fs::create_directories(folder_);
    }
    void TearDown() override { fs::remove_all(folder_); }

    void write(const std::string& name, const std::string& text) const {
        std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
    }
    void write_tensors(const std::string& name, const Tensors& tensors) const {
        std::map<std::string, TensorData> data;
        for (const auto& [tensor, value] : tensors)
            data[tensor] = {DType::kF32, value.first, std::as_bytes(std::span(value.second))};
        write_package(folder_ + "/" + name, data, {});
    }
    void write_tokenizer() const {
        text::GgufTokenizer file;
        file.model = "gpt2";
        file.pre = "smollm";
        file.tokens = TinyDecoder::tokens();
        file.merges = {"t h"};
        write("tokenizer.json",
              text::Tokenizer::from_vocabulary(text::gguf_vocabulary(file))->to_json());
        write("tokenizer_config.json", R"({"eos_token":"<|im_end|>","chat_template":"x"})");
    }
    void write_model(const TinyDecoder& tiny = {}, const std::string& type = "llama") const {
        write("config.json", config_json(tiny, type).dump());
        write_tensors("model.safetensors", tiny.numbers(Naming::kFolder));
        write_tokenizer();
    }
    std::string refusal(Status* status = nullptr) const {
        try {
            open_model(folder_);
        } catch (const Error& error) {
            if (status) *status = error.status();
            return error.what();
        }
        return "";
    }
};

// What a configuration of these changes is refused with; "" if it is read.
std::string config_refusal(const json& changes, const std::string& type = "llama",
                           model::ModelConfig* read = nullptr) {
    json config = config_json({}, type);
    config.update(changes);
    try {
        const auto found = read_folder_config("folder", config.dump());
        if (read) *read = found;
    } catch (const Error& error) {
        EXPECT_TRUE(error.status() == Status::kCorrupt || error.status() == Status::kUnsupported);
        return error.what();
    }
    return "";
}

}  // namespace

TEST_F(FolderModel, families_open_with_names_and_shapes_of_ours) {
    struct Case {
        TinyDecoder tiny;
        const char* type;
    };
    for (const auto& [tiny, type] :
         {Case{{}, "llama"}, Case{{.tied = false}, "mistral"},
          Case{{"qwen2", true, false, true}, "qwen2"}, Case{{"qwen3", false, true}, "qwen3"}}) {
        write_model(tiny, type);
        const auto model = open_model(folder_);
        model::ModelConfig wanted = tiny.config();
        wanted.rope_pairing = model::RopePairing::kHalves;
        EXPECT_EQ(config_of(*model), wanted) << type;
        const auto numbers = tiny.numbers(Naming::kFolder);
        EXPECT_EQ(model->tensors().size(), numbers.size());
        for (const DecoderTensor& tensor : decoder_tensors(tiny.config(), Naming::kFolder)) {
            std::vector<float> read(numbers.at(tensor.in_file).second.size());
            read_floats(*model, tensor.name, read);
            EXPECT_EQ(read, numbers.at(tensor.in_file).second) << tensor.name;
        }
        EXPECT_EQ(model->metadata().at("chat_template"), "x");
    }
}

TEST_F(FolderModel, shards_are_one_model_with_and_without_an_index) {
    write_model();
    const Digest whole = open_model(folder_)->fingerprint();
    fs::remove(folder_ + "/model.safetensors");
    Tensors first = TinyDecoder{}.numbers(Naming::kFolder), second;
    json map;
    for (int i = 0; i < 5; ++i) {
        second.insert(first.extract(first.begin()));
    }
    write_tensors("model-00001-of-00002.safetensors", first);
    write_tensors("model-00002-of-00002.safetensors", second);
    EXPECT_EQ(open_model(folder_)->fingerprint(), whole);

    for (const auto& [name, tensor] : first) map[name] = "model-00001-of-00002.safetensors";
    for (const auto& [name, tensor] : second) map[name] = "model-00002-of-00002.safetensors";
    write("model.safetensors.index.json", json{{"weight_map", map}}.dump());
    write_tensors("other.safetensors", second);  // not in the index
    EXPECT_EQ(open_model(folder_)->fingerprint(), whole);

    fs::remove(folder_ + "/model.safetensors.index.json");
    EXPECT_NE(refusal().find("stands in two files"), std::string::npos) << refusal();
    for (const char* odd :
         {"[]", "{}", "no", R"({"weight_map":[]})", R"({"weight_map":{"a":1}})",
          R"({"weight_map":{"a":"../x.safetensors"}})", R"({"weight_map":{"a":"b"}})"}) {
        write("model.safetensors.index.json", odd);
        EXPECT_NE(refusal().find("index.json"), std::string::npos) << odd << refusal();
    }
}

TEST_F(FolderModel, an_imported_package_has_the_fingerprint_of_its_source) {
    write_model();
    const auto model = open_model(folder_);
    const std::string path = folder_ + "/out.safetensors";
    write_package(path, *model, {});
    EXPECT_EQ(open_model(path)->fingerprint(), model->fingerprint());
}

TEST_F(FolderModel, missing_files_are_named) {
    for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"}) {
        write_model();
        fs::remove(folder_ + "/" + name);
        Status status = Status::kOk;
        const std::string line = refusal(&status);
        EXPECT_EQ(status, Status::kNotFound) << line;
        EXPECT_NE(line.find(std::string(name) == "model.safetensors" ? "*.safetensors" : name),
                  std::string::npos)
            << line;
    }
}

TEST_F(FolderModel, broken_files_are_refused) {
    write_model();
    for (const char* text : {"", "{", "[]", "{}", "1e999", "{\"model_type\":1}"}) {
        write("config.json", text);
        EXPECT_NE(refusal().find("config.json"), std::string::npos) << text << refusal();
    }
    write_model();
    write("tokenizer.json", "{}");
    EXPECT_NE(refusal(), "");
    write_model();
    fs::resize_file(folder_ + "/model.safetensors", 2000);
    EXPECT_NE(refusal().find("truncated"), std::string::npos) << refusal();
    write_model();
    Tensors tensors = TinyDecoder{}.numbers(Naming::kFolder);
    tensors.erase("model.norm.weight");
    write_tensors("model.safetensors", tensors);
    EXPECT_NE(refusal().find("\"model.norm.weight\" is missing"), std::string::npos) << refusal();
    tensors["model.layers.0.mlp.experts.0.weight"] = {{1}, {1}};
    tensors["model.norm.weight"] = {{8}, std::vector<float>(8)};
    write_tensors("model.safetensors", tensors);
    EXPECT_NE(refusal().find("mlp.experts.0.weight\" is of no kind"), std::string::npos);
}

TEST(FolderConfig, every_key_of_a_wrong_kind_is_named) {
    const json keys = config_json({}, "llama");
    for (const auto& [key, value] : keys.items()) {
        for (const json& wrong : {json::array(), json(""), json(-1.5), json(true), json(1e300)}) {
            if (value.type() == wrong.type() || (value.is_number() && wrong.is_number_float()))
                continue;
            EXPECT_NE(config_refusal({{key, wrong}}).find("\"" + key + "\""), std::string::npos)
                << key << wrong << config_refusal({{key, wrong}});
        }
    }
    for (const char* key : {"vocab_size", "hidden_size", "num_hidden_layers", "rms_norm_eps",
                            "num_attention_heads", "intermediate_size", "model_type"})
        EXPECT_NE(config_refusal({{key, nullptr}}).find("no key \"" + std::string(key)),
                  std::string::npos);
}

TEST(FolderConfig, scaled_rotary_angles_are_read_from_either_place) {
    const json llama3 = {{"rope_type", "llama3"},
                         {"factor", 8.0},
                         {"low_freq_factor", 1.0},
                         {"high_freq_factor", 4.0},
                         {"original_max_position_embeddings", 8192}};
    json newer = llama3;
    newer["rope_theta"] = 7000;
    model::ModelConfig older_read, newer_read;
    EXPECT_EQ(config_refusal({{"rope_scaling", llama3}}, "llama", &older_read), "");
    EXPECT_EQ(older_read.rope_scaling, model::RopeScaling::kLlama3);
    EXPECT_EQ(older_read.rope_factor, 8);
    EXPECT_EQ(older_read.rope_theta, 5000);
    EXPECT_EQ(config_refusal({{"rope_parameters", newer}}, "llama", &newer_read), "");
    EXPECT_EQ(newer_read.rope_theta, 7000);
    EXPECT_EQ(newer_read.rope_scaling, model::RopeScaling::kLlama3);
    model::ModelConfig linear;
    EXPECT_EQ(
        config_refusal({{"rope_scaling", {{"type", "linear"}, {"factor", 2.0}}}}, "llama", &linear),
        "");
    EXPECT_EQ(linear.rope_scaling, model::RopeScaling::kLinear);
    EXPECT_NE(config_refusal({{"rope_scaling", {{"rope_type", "yarn"}, {"factor", 2.0}}}})
                  .find("\"yarn\"; linear and llama3"),
              std::string::npos);
    EXPECT_NE(config_refusal({{"rope_scaling", {{"type", "linear"}}}}).find("\"factor\""),
              std::string::npos);
}

TEST(FolderConfig, what_is_not_computed_is_refused_by_name) {
    EXPECT_NE(config_refusal({{"model_type", "mixtral"}}).find("\"mixtral\" is not supported"),
              std::string::npos);
    EXPECT_NE(config_refusal({{"hidden_act", "gelu"}}).find("silu"), std::string::npos);
    EXPECT_NE(config_refusal({{"attention_bias", true}}).find("attention_bias"), std::string::npos);
    EXPECT_NE(config_refusal({{"mlp_bias", true}}).find("mlp_bias"), std::string::npos);
    EXPECT_NE(config_refusal({{"partial_rotary_factor", 0.5}}).find("partial"), std::string::npos);
    EXPECT_NE(config_refusal({{"quantization_config", json::object()}}).find("GGUF"),
              std::string::npos);
    EXPECT_NE(config_refusal({{"sliding_window", 512}}, "mistral").find("512"), std::string::npos);
    EXPECT_EQ(config_refusal({{"sliding_window", 4096}}, "mistral"), "");
    EXPECT_EQ(config_refusal({{"sliding_window", 512}}, "qwen2"), "") << "not in use";
    EXPECT_NE(config_refusal({{"sliding_window", 512}, {"use_sliding_window", true}}, "qwen2")
                  .find("512"),
              std::string::npos);
}

}  // namespace rpt::weights
