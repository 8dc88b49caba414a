// Target package: a model file is refused, or what it gives is sound and can be written and read
// again.
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/weights/package.h"
#include "core/weights/package_writer.h"
#include "core/weights/safetensors_header.h"
#include "tests/fuzz/finding.h"
#include "tests/fuzz/input_bytes.h"
#include "tests/fuzz/scratch_folder.h"

namespace rpt::fuzz {
namespace {

using weights::Package;

// Inputs are whole files; one that begins with 'h' stands for a file whose header is the text up to
// the first zero byte and whose tensors are the rest, so that a change of the header keeps its
// length right.
std::string file_of(std::string_view input) {
    InputBytes in(input);
    if (!input.starts_with('h')) return std::string(input);
    in.byte();
    const std::string_view header = in.take_until('\0');
    std::string file;
    for (int i = 0; i < 8; ++i) file += char(uint8_t(header.size() >> (8 * i)));
    file += header;
    return file += in.rest();
}

std::string bytes_of(const Package& package, const std::string& name) {
    std::string bytes(package.tensors().at(name).bytes, 0);
    package.read(name, std::as_writable_bytes(std::span(bytes)));
    return bytes;
}

void check_tensors(const Package& package) {
    for (const auto& [name, info] : package.tensors()) {
        uint64_t size = 1;
        for (const int64_t extent : info.shape) {
            expect(extent >= 0, "a tensor has a negative extent");
            size *= uint64_t(extent);
        }
        size = size / weights::block_numbers(info.dtype) * weights::block_bytes(info.dtype);
        expect(info.bytes == size, "a tensor's bytes are not what its shape asks for");
        bytes_of(package, name);  // every byte is there to be read
    }
}

// Of a header that was accepted: no byte belongs to two tensors, and each to one.
void check_places(std::string_view file) {
    if (file.size() < 8) return;
    uint64_t size = 0;
    for (size_t i = 0; i < 8; ++i) size |= uint64_t(uint8_t(file[i])) << (8 * i);
    if (size > file.size() - 8) return;
    const std::string_view header = file.substr(8, size);
    const uint64_t data_bytes = file.size() - 8 - size;
    weights::SafetensorsHeader parsed;
    if (!accepts([&] {
            parsed = weights::parse_safetensors_header("given", header, data_bytes,
                                                       weights::kPackageFile);
        }))
        return;
    std::map<std::pair<uint64_t, uint64_t>, int> places;
    for (const auto& [name, entry] : parsed.tensors) ++places[{entry.begin, entry.end}];
    uint64_t end = 0;
    for (const auto& [place, n] : places) {
        expect(place.first == end, "tensors overlap or leave a hole");
        expect(n == 1 || place.first == place.second, "two tensors stand at one place");
        end = place.second;
    }
    expect(end == data_bytes, "bytes belong to no tensor");
}

// What is there but for the entries that write_package() makes itself.
std::map<std::string, std::string> own_metadata(const Package& package) {
    std::map<std::string, std::string> metadata = package.metadata();
    for (const char* key : {"format", "sha256", "fingerprint", "quantised"}) metadata.erase(key);
    return metadata;
}

std::shared_ptr<const Package> write_again(const Package& package, const std::string& file) {
    std::map<std::string, weights::TensorData> tensors;
    std::map<std::string, std::string> bytes;
    for (const auto& [name, info] : package.tensors()) {
        bytes[name] = bytes_of(package, name);
        tensors[name] = {info.dtype, info.shape, std::as_bytes(std::span(bytes[name]))};
    }
    weights::write_package(file, tensors, package.metadata());
    return Package::open(file);
}

void check_same(const Package& a, const Package& b) {
    expect(own_metadata(a) == own_metadata(b), "metadata changed in writing");
    expect(a.tensors().size() == b.tensors().size(), "a tensor was lost in writing");
    for (const auto& [name, info] : a.tensors()) {
        const auto found = b.tensors().find(name);
        expect(found != b.tensors().end(), "a tensor was lost in writing");
        expect(found->second.dtype == info.dtype && found->second.shape == info.shape &&
                   bytes_of(a, name) == bytes_of(b, name),
               "a tensor changed in writing");
    }
}

void run_package(std::string_view input) {
    static const ScratchFolder folder;
    const std::string bytes = file_of(input);
    const std::string file = folder.write("given.safetensors", bytes);
    check_places(bytes);
    std::shared_ptr<const Package> trusting, verified;
    accepts([&] { trusting = Package::open(file, false); });
    if (!accepts([&] { verified = Package::open(file); })) {
        if (trusting) check_tensors(*trusting);
        return;
    }
    expect(trusting != nullptr,
           "a package that stands the check of its bytes is refused without it");
    expect(trusting->fingerprint() == verified->fingerprint(), "two fingerprints of one file");
    check_tensors(*verified);
    accepts([&] { verified->config_json(); });
    accepts([&] { verified->tokenizer_json(); });

    const auto once = write_again(*verified, folder.path("once.safetensors"));
    check_tensors(*once);
    check_same(*verified, *once);
    const auto twice = write_again(*once, folder.path("twice.safetensors"));
    expect(once->fingerprint() == twice->fingerprint(), "writing again gives another fingerprint");
}

}  // namespace
}  // namespace rpt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    rpt::fuzz::run_package({reinterpret_cast<const char*>(data), size});
    return 0;
}
