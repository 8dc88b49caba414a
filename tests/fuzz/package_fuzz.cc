// Target package: a model file is refused, or what it gives is sound and can be written and read
// again.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/weights/package.h"
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

void check_tensors(const Package& package) {
    std::map<const std::byte*, const std::byte*>
        taken;  // begin, end of every tensor that has bytes
    for (const auto& [name, view] : package.tensors()) {
        uint64_t size = weights::dtype_size(view.dtype);
        for (const int64_t extent : view.shape) {
            expect(extent >= 0, "a tensor has a negative extent");
            size *= uint64_t(extent);
        }
        expect(view.data.size() == size, "a tensor's bytes are not what its shape asks for");
        uint8_t sum = 0;
        for (const std::byte byte : view.data) sum = uint8_t(sum + uint8_t(byte));
        volatile uint8_t seen = sum;  // every byte is there to be read
        (void)seen;
        if (!view.data.empty())
            expect(taken.emplace(view.data.data(), view.data.data() + view.data.size()).second,
                   "two tensors begin at one byte");
    }
    const std::byte* end = nullptr;
    for (const auto& [first, last] : taken) {
        expect(end == nullptr || first == end, "tensors overlap or leave a hole");
        end = last;
    }
}

// What is there but for the entries that write_package() makes itself.
std::map<std::string, std::string> own_metadata(const Package& package) {
    std::map<std::string, std::string> metadata = package.metadata();
    for (const char* key : {"format", "sha256", "fingerprint"}) metadata.erase(key);
    return metadata;
}

std::shared_ptr<const Package> write_again(const Package& package, const std::string& file) {
    std::map<std::string, weights::TensorData> tensors;
    for (const auto& [name, view] : package.tensors())
        tensors[name] = {view.dtype, view.shape, view.data};
    weights::write_package(file, tensors, package.metadata());
    return Package::open(file);
}

void check_same(const Package& a, const Package& b) {
    expect(own_metadata(a) == own_metadata(b), "metadata changed in writing");
    expect(a.tensors().size() == b.tensors().size(), "a tensor was lost in writing");
    for (const auto& [name, view] : a.tensors()) {
        const auto found = b.tensors().find(name);
        expect(found != b.tensors().end(), "a tensor was lost in writing");
        expect(found->second.dtype == view.dtype && found->second.shape == view.shape &&
                   std::string_view(reinterpret_cast<const char*>(view.data.data()),
                                    view.data.size()) ==
                       std::string_view(reinterpret_cast<const char*>(found->second.data.data()),
                                        found->second.data.size()),
               "a tensor changed in writing");
    }
}

void run_package(std::string_view input) {
    static const ScratchFolder folder;
    const std::string file = folder.write("given.safetensors", file_of(input));
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
