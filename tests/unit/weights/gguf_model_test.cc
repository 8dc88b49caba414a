#include "core/weights/gguf_model.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "core/text/tokenizer.h"
#include "core/weights/dequantise.h"
#include "core/weights/model_file.h"
#include "core/weights/package_config.h"
#include "core/weights/package_writer.h"
#include "tests/fakes/tiny_decoder.h"

namespace rpt::weights {
namespace {

using fakes::GgufBuilder;
using fakes::TinyDecoder;

std::string write(const std::string& bytes) {
    const std::string path = ::testing::TempDir() + "tiny.gguf";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
}

std::shared_ptr<const Package> open(const GgufBuilder& file) {
    return open_model(write(file.build().bytes));
}

// The line with which a file is refused; "" if it opens.
std::string refusal(const std::string& bytes, Status* status = nullptr) {
    try {
        open_model(write(bytes));
    } catch (const Error& error) {
        if (status) *status = error.status();
        EXPECT_TRUE(error.status() == Status::kCorrupt || error.status() == Status::kUnsupported ||
                    error.status() == Status::kVersion)
            << error.what();
        return error.what();
    }
    return "";
}

void expect_unsupported(const GgufBuilder& file, const std::string& words) {
    Status status = Status::kOk;
    const std::string line = refusal(file.build().bytes, &status);
    EXPECT_NE(line.find(words), std::string::npos) << line;
    EXPECT_EQ(status, Status::kUnsupported) << line;
}

model::ModelConfig config_of_file(const GgufBuilder& file) {
    return config_of(*open(file));
}

}  // namespace

TEST(GgufModel, families_open_with_names_and_shapes_of_ours) {
    for (const TinyDecoder& tiny :
         {TinyDecoder{}, TinyDecoder{.tied = false}, TinyDecoder{"qwen2", true, false, true},
          TinyDecoder{"qwen3", false, true, false}}) {
        const auto model = open(tiny.gguf());
        EXPECT_EQ(config_of(*model), tiny.config()) << tiny.architecture;
        const auto numbers = tiny.numbers(Naming::kGguf);
        EXPECT_EQ(model->tensors().size(), numbers.size());
        for (const DecoderTensor& tensor : decoder_tensors(tiny.config(), Naming::kGguf)) {
            ASSERT_TRUE(model->tensors().contains(tensor.name)) << tensor.name;
            EXPECT_EQ(model->tensors().at(tensor.name).shape, tensor.shape);
            std::vector<float> read(numbers.at(tensor.in_file).second.size());
            read_floats(*model, tensor.name, read);
            EXPECT_EQ(read, numbers.at(tensor.in_file).second) << tensor.name;
        }
    }
}

TEST(GgufModel, the_tokenizer_comes_along_and_is_filled_to_the_embedding) {
    const auto model = open(TinyDecoder{}.gguf());
    const auto tokenizer = text::Tokenizer::from_json(model->tokenizer_json(), model->roles_json());
    EXPECT_EQ(tokenizer->vocab_size(), 260);
    EXPECT_EQ(tokenizer->encode("th")[0].id, 258);
    EXPECT_EQ(tokenizer->role(text::Role::kTurnEnd), 257);
    EXPECT_EQ(model->metadata().at("chat_template"), "{{ '<|im_start|>' }}");
}

TEST(GgufModel, an_imported_package_has_the_fingerprint_of_its_source) {
    GgufBuilder file = TinyDecoder{}.keys();
    for (const auto& [name, tensor] : TinyDecoder{}.numbers(Naming::kGguf)) {
        if (name == "blk.0.attn_q.weight") {  // one tensor of halves between those of fp32
            file.tensor(name, {8, 8}, 1, std::string(128, '\x31'));
        } else {
            file.floats(name, {tensor.first.begin(), tensor.first.end()}, tensor.second);
        }
    }
    const auto model = open(file);
    const std::string path = ::testing::TempDir() + "imported.safetensors";
    write_package(path, *model, {});
    const auto package = open_model(path);
    EXPECT_EQ(package->fingerprint(), model->fingerprint());
    EXPECT_EQ(package->metadata().at("config"), model->metadata().at("config"));
    EXPECT_EQ(package->tensors().at("layers.0.attention.query").dtype, DType::kF16);
}

// Stores and memory files are bound to it: what an import makes of a file never changes.
TEST(GgufModel, the_fingerprint_of_a_file_is_the_same_for_ever) {
    const auto model = open(TinyDecoder{}.gguf());
    EXPECT_EQ(
        model->config_json(),
        R"({"vocab":260,"dim":8,"n_lower":1,"n_upper":1,"n_heads":2,"n_kv_heads":1,"head_dim":4,)"
        R"("ffn":"swiglu","ffn_dim":12,"rope_theta":5000.0,"rope_pairing":"interleaved",)"
        R"("norm_eps":7.62939453125e-06,"tied_output":true,"sink":true,"scale_logits":false,)"
        R"("chunk":64,"stride":256,"retrieval":"none"})");
    const auto& metadata = model->metadata();
    EXPECT_EQ(model->fingerprint(),
              fingerprint_of(metadata, lay_out(model->tensors()), metadata.at("sha256")));
}

TEST(GgufModel, scaled_rotary_angles_are_recognised) {
    GgufBuilder linear = TinyDecoder{}.gguf();
    linear.text("llama.rope.scaling.type", "linear").f32("llama.rope.scaling.factor", 4);
    EXPECT_EQ(config_of_file(linear).rope_scaling, model::RopeScaling::kLinear);
    EXPECT_EQ(config_of_file(linear).rope_factor, 4);

    // 8192 tokens: pair 0 turns 1304 times and is kept; pair 1 turns 8192 / (2 pi sqrt(5000)) =
    // 18.4 times and is kept too; with theta 5e7 it turns 0.18 times and is divided
    GgufBuilder llama3 = TinyDecoder{}.gguf();
    llama3.floats("rope_freqs.weight", {2}, {1, 1});
    EXPECT_EQ(config_of_file(llama3).rope_scaling, model::RopeScaling::kNone);
    llama3 = TinyDecoder{}.gguf();
    llama3.floats("rope_freqs.weight", {2}, {1, 8});
    expect_unsupported(llama3, "another way than Llama 3");

    GgufBuilder yarn = TinyDecoder{}.gguf();
    yarn.text("llama.rope.scaling.type", "yarn");
    expect_unsupported(yarn, "\"yarn\"; linear and Llama 3");
}

TEST(GgufModel, what_the_network_cannot_compute_is_refused_by_name) {
    GgufBuilder file;
    file.text("general.architecture", "phi3");
    expect_unsupported(file, "architecture \"phi3\" is not supported; Llama, Mistral, Qwen2");

    file = TinyDecoder{}.gguf();
    file.u32("llama.expert_count", 8);
    expect_unsupported(file, "mixture of 8 experts");

    file = TinyDecoder{}.gguf();
    file.u32("llama.attention.sliding_window", 512);
    expect_unsupported(file, "attends to 512 tokens");
    file = TinyDecoder{}.gguf();
    file.u32("llama.attention.sliding_window", 4096);
    EXPECT_EQ(refusal(file.build().bytes), "");

    file = TinyDecoder{}.gguf();
    file.floats("blk.0.attn_q.bias", {8}, std::vector<float>(8));
    expect_unsupported(file, "tensor \"blk.0.attn_q.bias\" is of no kind of layer");

    file = TinyDecoder{}.gguf();
    file.u32("llama.rope.dimension_count", 2);
    expect_unsupported(file, "rotates 2 of 4");
}

TEST(GgufModel, sentencepiece_vocabularies_are_refused_by_name) {
    GgufBuilder file;
    file.text("general.architecture", "llama")
        .u32("llama.block_count", 2)
        .u32("llama.embedding_length", 8)
        .u32("llama.feed_forward_length", 12)
        .u32("llama.attention.head_count", 2)
        .u32("llama.attention.head_count_kv", 1)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    TinyDecoder::add_vocabulary(file, "llama");
    TinyDecoder{}.add_tensors(file);
    expect_unsupported(file, "byte-level BPE");
}

TEST(GgufModel, missing_tensors_and_wrong_shapes_are_named) {
    const TinyDecoder tiny;
    for (const auto& [name, tensor] : tiny.numbers(Naming::kGguf)) {
        GgufBuilder file = tiny.keys();
        tiny.add_tensors(file, name);
        const std::string missing = refusal(file.build().bytes);
        EXPECT_NE(missing.find("tensor \"" + name + "\" is missing"), std::string::npos) << missing;
        file.floats(name, {7, 3}, std::vector<float>(21));
        const std::string shape = refusal(file.build().bytes);
        EXPECT_NE(shape.find("\"" + name + "\""), std::string::npos) << shape;
    }
    GgufBuilder file = tiny.keys();
    tiny.add_tensors(file, "output_norm.weight");
    file.tensor("output_norm.weight", {8}, 24, std::string(8, 0));
    EXPECT_NE(refusal(file.build().bytes).find("\"output_norm.weight\" holds integers"),
              std::string::npos);
}

TEST(GgufModel, every_falsified_field_is_refused_or_a_model) {
    const auto [bytes, fields] = TinyDecoder{}.gguf().build();
    std::map<std::string, int> of_kind;
    for (const fakes::GgufField& field : fields) {
        // of many tokens a few
        const std::string kind = field.what.substr(0, 40);
        if (++of_kind[kind] > 3) continue;
        for (const uint64_t value : {uint64_t(0), uint64_t(1), uint64_t(3), uint64_t(0xffff),
                                     uint64_t(0x7fffffff), uint64_t(1) << 40, ~uint64_t(0)}) {
            std::string changed = bytes;
            for (size_t i = 0; i < field.size; ++i)
                changed[field.begin + i] = char(value >> (8 * i));
            refusal(changed);
        }
        const bool counts = field.what.ends_with("_count") || field.what.ends_with("_length");
        if (counts && field.what.starts_with("value of ")) {
            std::string changed = bytes;
            changed[field.begin] = char(changed[field.begin] + 1);
            EXPECT_NE(refusal(changed), "") << field.what;
        }
    }
}

TEST(GgufModel, opening_can_be_cancelled) {
    const std::string path = write(TinyDecoder{}.gguf().build().bytes);
    const std::atomic<bool> cancelled = true;
    EXPECT_THROW(open_model(path, true, CallControl(&cancelled, 0)), Error);
}

}  // namespace rpt::weights
