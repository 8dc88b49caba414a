#include "core/weights/package.h"
#include "core/weights/package_writer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

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

// A file of a header as it stands and `n` zero bytes behind it.
std::string write_header(const std::string& header, size_t n) {
    const std::string path = ::testing::TempDir() + "by_hand.safetensors";
    std::string size(8, 0);
    for (size_t i = 0; i < 8; ++i) size[i] = char(header.size() >> (8 * i));
    write_file(path, size + header + std::string(n, 0));
    return path;
}

// Tensors of a package by hand.
std::string header_of(const std::string& tensors) {
    return R"({"__metadata__":{"format":"rpt-package-1"})" +
           (tensors.empty() ? "" : "," + tensors) + "}";
}

std::string tensor(const std::string& name, const std::string& shape, const std::string& offsets,
                   const std::string& type = "F32") {
    return "\"" + name + R"(":{"dtype":")" + type + R"(","shape":)" + shape +
           R"(,"data_offsets":)" + offsets + "}";
}

// The reason why a package of these tensors over `n` bytes is refused; "" if it is not.
std::string refusal(const std::string& tensors, size_t n) {
    std::string text;
    const Status status = status_of(write_header(header_of(tensors), n), &text);
    EXPECT_TRUE(status == Status::kOk || status == Status::kCorrupt) << text;
    return status == Status::kOk ? "" : text;
}

}  // namespace

TEST(Package, round_trip_keeps_tensors_and_metadata) {
    const auto package = Package::open(make_package(temporary("round.safetensors")));
    ASSERT_EQ(package->tensors().size(), 2u);
    const TensorInfo& wide = package->tensors().at("b.wide");
    EXPECT_EQ(wide.shape, (std::vector<int64_t>{2, 3}));
    float values[6];
    ASSERT_EQ(wide.bytes, sizeof values);
    package->read("b.wide", std::as_writable_bytes(std::span(values)));
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
    const std::map<std::string, TensorData> tensors = {
        {"x", {DType::kF32, {1}, std::as_bytes(std::span(&value, 1))}}};
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
        EXPECT_TRUE(status == Status::kOk || status == Status::kCorrupt ||
                    status == Status::kVersion)
            << at;
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

TEST(Package, tensors_that_cover_the_bytes_one_after_the_other_are_read) {
    EXPECT_EQ(refusal(tensor("a", "[1]", "[0,4]") + "," + tensor("b", "[2]", "[4,12]"), 12), "");
    EXPECT_EQ(refusal(tensor("b", "[1]", "[8,12]") + "," + tensor("a", "[2]", "[0,8]"), 12), "");
    EXPECT_EQ(refusal(tensor("a", "[]", "[0,4]"), 4), "") << "a number is a tensor";
    EXPECT_EQ(refusal(tensor("a", "[2]", "[0,8]") + "," + tensor("none", "[0,3]", "[8,8]"), 8), "");
}

TEST(Package, tensors_that_overlap_or_leave_holes_are_refused) {
    const auto pair = [](const char* a, const char* b) {
        return tensor("a", "[2]", a) + "," + tensor("b", "[2]", b);
    };
    // The sizes add up in all of these.
    EXPECT_NE(refusal(pair("[0,8]", "[0,8]"), 16), "");
    EXPECT_NE(refusal(pair("[0,8]", "[4,12]"), 16), "");
    EXPECT_NE(refusal(pair("[4,12]", "[4,12]"), 16), "");
    EXPECT_NE(refusal(pair("[0,8]", "[8,16]"), 20), "") << "bytes of nobody at the end";
    EXPECT_NE(refusal(pair("[0,8]", "[12,20]"), 20), "") << "a hole";
    EXPECT_NE(refusal(pair("[4,12]", "[12,20]"), 20), "") << "a hole at the start";
    EXPECT_NE(refusal(tensor("a", "[2]", "[0,8]") + "," + tensor("none", "[0]", "[4,4]"), 8), "")
        << "nothing, inside another tensor";
    EXPECT_NE(refusal("", 4), "");
}

TEST(Package, broken_entries_of_tensors_are_refused_by_name) {
    for (const auto& entry : {
             tensor("odd", "[-1]", "[0,4]"),
             tensor("odd", "[1.0]", "[0,4]"),
             tensor("odd", "[true]", "[0,4]"),
             tensor("odd", "[4611686018427387904,4]", "[0,4]"),
             tensor("odd", "[18446744073709551615]", "[0,4]"),
             tensor("odd", "[1,1,1,1,1,1,1,1,1]", "[0,4]"),
             tensor("odd", "1", "[0,4]"),
             tensor("odd", "[1]", "[0,4,4]"),
             tensor("odd", "[1]", "[0]"),
             tensor("odd", "[1]", "[4,0]"),
             tensor("odd", "[1]", "[-4,0]"),
             tensor("odd", "[1]", "[0.5,4.5]"),
             tensor("odd", "[1]", "[0,8]"),
             tensor("odd", "[1]", "[18446744073709551612,18446744073709551616]"),
             tensor("odd", "[1]", "[0,4]", "F64"),
             std::string(R"("odd":{"dtype":"F32","shape":[1]})"),
             std::string(R"("odd":[1])"),
             std::string(R"("odd":null)"),
         }) {
        const std::string why = refusal(entry, 4);
        EXPECT_NE(why.find("\"odd\""), std::string::npos) << entry << ": " << why;
    }
}

TEST(Package, names_that_stand_twice_are_refused) {
    EXPECT_NE(refusal(tensor("a", "[1]", "[0,4]") + "," + tensor("a", "[1]", "[0,4]"), 4), "");
    EXPECT_NE(refusal(R"("a":{"dtype":"F32","shape":[2],"shape":[1],"data_offsets":[0,4]})", 4),
              "");
    std::string text;
    EXPECT_EQ(
        status_of(write_header(R"({"__metadata__":{"format":"rpt-package-1","format":"x"}})", 0),
                  &text),
        Status::kCorrupt);
    EXPECT_NE(text.find("twice"), std::string::npos) << text;
}

TEST(Package, names_that_would_break_a_line_are_refused) {
    EXPECT_NE(refusal(tensor("a\\nb", "[1]", "[0,4]"), 4), "");
    EXPECT_NE(refusal(tensor("", "[1]", "[0,4]"), 4), "");
    EXPECT_NE(refusal(tensor(std::string(256, 'n'), "[1]", "[0,4]"), 4), "");
}

TEST(Package, a_header_of_endless_brackets_is_refused) {
    EXPECT_EQ(status_of(write_header(std::string(1 << 20, '['), 0)), Status::kCorrupt);
    EXPECT_EQ(status_of(write_header(header_of("\"a\":" + std::string(1 << 20, '[')), 0)),
              Status::kCorrupt);
}

TEST(Package, only_whole_numbers_from_one_on_are_versions) {
    const auto status = [](const std::string& format) {
        return status_of(write_header(R"({"__metadata__":{"format":")" + format + R"("}})", 0));
    };
    EXPECT_EQ(status("rpt-package-1"), Status::kOk);
    EXPECT_EQ(status("rpt-package-2"), Status::kOk);
    EXPECT_EQ(status("rpt-package-3"), Status::kVersion);
    EXPECT_EQ(status("rpt-package-99999999999999999999"), Status::kVersion);
    for (const char* odd : {"", "-1", "0", "00", "01", "1 ", " 1", "+1", "1x", "one", "1.0"})
        EXPECT_EQ(status(std::string("rpt-package-") + odd), Status::kCorrupt) << odd;
    EXPECT_EQ(status("rpt-package"), Status::kCorrupt);
}

TEST(Package, quantised_tensors_come_back_with_type_and_shape) {
    const std::string path = ::testing::TempDir() + "quantised.safetensors";
    std::vector<std::byte> blocks(3 * 2 * 34, std::byte(7));
    const float one = 1;
    write_package(path,
                  {{"blocks", {DType::kQ8_0, {3, 64}, blocks}},
                   {"plain", {DType::kF32, {1}, std::as_bytes(std::span(&one, 1))}}},
                  {{"config", "{}"}, {"tokenizer", "{}"}, {"quantised", "{\"of the caller\":1}"}});
    const auto package = Package::open(path);
    EXPECT_EQ(package->metadata().at("format"), "rpt-package-2");
    EXPECT_EQ(package->tensors().at("blocks").dtype, DType::kQ8_0);
    EXPECT_EQ(package->tensors().at("blocks").shape, (std::vector<int64_t>{3, 64}));
    std::vector<std::byte> read(blocks.size());
    package->read("blocks", read);
    EXPECT_EQ(read, blocks);

    const std::string copy = ::testing::TempDir() + "copied.safetensors";
    write_package(copy, *package, {});
    EXPECT_EQ(read_file(copy), read_file(path));
}

TEST(Package, broken_notes_of_quantised_tensors_are_refused) {
    const auto status = [](const std::string& quantised, const std::string& entry) {
        std::string spelled;
        for (const char c : quantised) spelled += c == '"' ? "\\\"" : std::string(1, c);
        std::string text;
        const Status found =
            status_of(write_header(R"({"__metadata__":{"format":"rpt-package-2","quantised":")" +
                                       spelled + "\"}," + entry + "}",
                                   34),
                      &text);
        EXPECT_TRUE(found == Status::kOk || text.find("tensor \"b\"") != std::string::npos ||
                    text.find("not JSON") != std::string::npos)
            << text;
        return found;
    };
    const std::string good = R"({"b":{"dtype":"Q8_0","shape":[32]}})";
    const std::string bytes = tensor("b", "[34]", "[0,34]", "U8");
    EXPECT_EQ(status(good, bytes), Status::kOk);
    EXPECT_EQ(status("{}", bytes), Status::kCorrupt) << "bytes of nothing";
    EXPECT_EQ(status(good, tensor("b", "[34]", "[0,34]", "I8")), Status::kCorrupt);
    EXPECT_EQ(status(good, tensor("b", "[33]", "[0,34]", "U8")), Status::kCorrupt);
    EXPECT_EQ(status(good, tensor("b", "[17,2]", "[0,34]", "U8")), Status::kCorrupt);
    EXPECT_EQ(status(good, tensor("b", "[1]", "[0,34]", "Q8_0")), Status::kCorrupt);
    for (const char* note :
         {R"({"b":{"dtype":"Q8_0","shape":[64]}})", R"({"b":{"dtype":"Q8_0","shape":[2,17]}})",
          R"({"b":{"dtype":"Q8_0","shape":[]}})", R"({"b":{"dtype":"Q9_0","shape":[32]}})",
          R"({"b":{"dtype":"I8","shape":[34]}})", R"({"b":{"shape":[32]}})", R"({"b":[32]})",
          R"({"b":{"dtype":"Q8_0","shape":[4611686018427387904,32]}})", R"([])", "no"})
        EXPECT_EQ(status(note, bytes), Status::kCorrupt) << note;
}

TEST(Package, file_that_is_cut_short_while_open_is_an_error_and_no_signal) {
    const std::string path = make_package(::testing::TempDir() + "shrinks.safetensors");
    const auto package = Package::open(path);
    std::filesystem::resize_file(path, 100);
    float values[6];
    try {
        package->read("b.wide", std::as_writable_bytes(std::span(values)));
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), Status::kCorrupt);
    }
}

TEST(Package, a_replaced_file_is_read_to_its_end) {
    const std::string path = make_package(::testing::TempDir() + "replaced.safetensors");
    const auto package = Package::open(path);
    write_package(path, {}, {});
    float values[6];
    package->read("b.wide", std::as_writable_bytes(std::span(values)));
    EXPECT_EQ(values[5], 6.0f);
}

TEST(Package, opening_tells_its_progress_and_can_be_cancelled) {
    const std::string path = ::testing::TempDir() + "large.safetensors";
    const std::vector<float> zeros(1 << 20);
    write_package(path, {{"x", {DType::kF32, {1 << 20}, std::as_bytes(std::span(zeros))}}}, {});
    std::vector<uint64_t> told;
    const CallControl watch(nullptr, 0, [&](uint64_t done, uint64_t total) {
        EXPECT_EQ(total, zeros.size() * sizeof(float));
        told.push_back(done);
        return true;
    });
    Package::open(path, true, watch);
    EXPECT_EQ(told.size(), 4u);
    const std::atomic<bool> cancelled = true;
    EXPECT_THROW(Package::open(path, true, CallControl(&cancelled, 0)), Error);
}

TEST(Package, roles_of_special_tokens_belong_to_the_fingerprint) {
    const std::string path = ::testing::TempDir() + "roles.safetensors";
    const auto write = [&](std::map<std::string, std::string> metadata) {
        metadata["config"] = metadata["tokenizer"] = "{}";
        write_package(path, {}, metadata);
        return Package::open(path);
    };
    const auto none = write({}), some = write({{"roles", "{}"}});
    EXPECT_EQ(none->roles_json(), "");
    EXPECT_EQ(some->roles_json(), "{}");
    EXPECT_NE(none->fingerprint(), some->fingerprint());
    EXPECT_EQ(write({{"note", "x"}})->fingerprint(), none->fingerprint());
}

}  // namespace rpt::weights
