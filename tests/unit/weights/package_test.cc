#include "core/weights/package.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace rpt::weights {
namespace {

std::string make_package(const std::string& path) {
    static const float kWide[6] = {1, 2, 3, 4, 5, 6};
    static const uint16_t kNarrow[3] = {0x3c00, 0x4000, 0};
    write_package(path,
                  {{"b.wide", {DType::kF32, {2, 3}, std::as_bytes(std::span(kWide))}},
                   {"a.narrow", {DType::kF16, {3}, std::as_bytes(std::span(kNarrow))}}},
                  {{"config", "{}"}, {"tokenizer", "{\"x\":1}"}});
    return path;
}

std::string temporary(const char* name) {
    const char* kept = std::getenv("RPT_PACKAGE_OUT");  // the Python test reads what this one wrote
    return kept ? std::string(kept) : ::testing::TempDir() + name;
}

std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

Status status_of(const std::string& path, std::string* text = nullptr) {
    try {
        Package::open(path);
    } catch (const Error& error) {
        if (text) *text = error.what();
        return error.status();
    }
    return Status::kOk;
}

}  // namespace

TEST(Package, round_trip_keeps_tensors_and_metadata) {
    const auto package = Package::open(make_package(temporary("round.safetensors")));
    ASSERT_EQ(package->tensors().size(), 2u);
    const TensorView& wide = package->tensors().at("b.wide");
    EXPECT_EQ(wide.shape, (std::vector<int64_t>{2, 3}));
    float values[6];
    std::memcpy(values, wide.data.data(), sizeof values);
    EXPECT_EQ(values[5], 6.0f);
    EXPECT_EQ(package->config_json(), "{}");
    EXPECT_EQ(package->tokenizer_json(), "{\"x\":1}");
}

TEST(Package, fingerprint_follows_config_tokenizer_and_tensors) {
    const std::string path = make_package(::testing::TempDir() + "finger.safetensors");
    const Digest first = Package::open(path)->fingerprint();
    make_package(path);
    EXPECT_EQ(Package::open(path)->fingerprint(), first);
    const float value = 1;
    const std::map<std::string, TensorData> tensors = {{"x", {DType::kF32, {1}, std::as_bytes(std::span(&value, 1))}}};
    write_package(path, tensors, {{"config", "a"}, {"tokenizer", "t"}});
    const Digest a = Package::open(path)->fingerprint();
    write_package(path, tensors, {{"config", "b"}, {"tokenizer", "t"}});
    EXPECT_NE(Package::open(path)->fingerprint(), a);
}

TEST(Package, missing_file_is_not_found) {
    EXPECT_EQ(status_of(::testing::TempDir() + "no-such-file"), Status::kNotFound);
}

TEST(Package, every_truncation_is_refused) {
    const std::string whole = read_file(make_package(::testing::TempDir() + "whole.safetensors"));
    const std::string path = ::testing::TempDir() + "cut.safetensors";
    for (size_t size = 0; size < whole.size(); ++size) {
        write_file(path, whole.substr(0, size));
        EXPECT_EQ(status_of(path), Status::kCorrupt) << size;
    }
}

TEST(Package, every_flipped_data_byte_is_refused) {
    const std::string whole = read_file(make_package(::testing::TempDir() + "whole2.safetensors"));
    const std::string path = ::testing::TempDir() + "flipped.safetensors";
    for (size_t at = whole.size() - 30; at < whole.size(); ++at) {
        std::string bytes = whole;
        bytes[at] = char(bytes[at] ^ 0x10);
        write_file(path, bytes);
        std::string text;
        EXPECT_EQ(status_of(path, &text), Status::kCorrupt);
        EXPECT_NE(text.find("SHA-256"), std::string::npos);
    }
}

TEST(Package, flipped_header_bytes_never_abort) {
    const std::string whole = read_file(make_package(::testing::TempDir() + "whole3.safetensors"));
    const std::string path = ::testing::TempDir() + "header.safetensors";
    for (size_t at = 0; at + 30 < whole.size(); ++at) {
        std::string bytes = whole;
        bytes[at] = char(bytes[at] ^ 0x15);
        write_file(path, bytes);
        const Status status = status_of(path);  // a changed name or space may still be a package
        EXPECT_TRUE(status == Status::kOk || status == Status::kCorrupt || status == Status::kVersion) << at;
    }
}

TEST(Package, changed_config_is_refused) {
    const std::string path = make_package(::testing::TempDir() + "config.safetensors");
    std::string bytes = read_file(path);
    const size_t at = bytes.find("{\\\"x\\\":1}");
    ASSERT_NE(at, std::string::npos);
    bytes[at + 3] = 'y';
    write_file(path, bytes);
    std::string text;
    EXPECT_EQ(status_of(path, &text), Status::kCorrupt);
    EXPECT_NE(text.find("fingerprint"), std::string::npos);
}

TEST(Package, foreign_and_newer_files_are_named) {
    const std::string path = ::testing::TempDir() + "foreign.safetensors";
    std::string header = R"({"__metadata__":{"format":"pt"}})";
    std::string text;
    write_file(path, std::string(1, char(header.size())) + std::string(7, '\0') + header);
    EXPECT_EQ(status_of(path, &text), Status::kCorrupt);
    EXPECT_NE(text.find("not a model package"), std::string::npos);
    header = R"({"__metadata__":{"format":"rpt-package-99"}})";
    write_file(path, std::string(1, char(header.size())) + std::string(7, '\0') + header);
    EXPECT_EQ(status_of(path, &text), Status::kVersion);
    EXPECT_NE(text.find("99"), std::string::npos);
}

}  // namespace rpt::weights
