// Target gguf: a GGUF file is refused, or it is a model whose tensors can be read, and a package
// made of it is the same model.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/weights/dequantise.h"
#include "core/weights/gguf_file.h"
#include "core/weights/model_file.h"
#include "core/weights/package_config.h"
#include "core/weights/package_writer.h"
#include "tests/fuzz/finding.h"
#include "tests/fuzz/scratch_folder.h"

namespace rpt::fuzz {
namespace {

using weights::Package;
using weights::TensorSource;

// Every byte is there to be read, and becomes numbers.
void check_tensors(const TensorSource& source, size_t file_bytes) {
    for (const auto& [name, info] : source.tensors()) {
        expect(info.bytes <= file_bytes, "a tensor is larger than its file");
        uint64_t numbers = 1;
        for (const int64_t size : info.shape) {
            expect(size >= 0, "a tensor has a negative size");
            numbers *= uint64_t(size);
        }
        const size_t block = weights::block_numbers(info.dtype);
        expect(numbers / block * weights::block_bytes(info.dtype) == info.bytes,
               "a tensor's bytes are not what its shape asks for");
        std::vector<std::byte> bytes(info.bytes);
        source.read(name, bytes);
        if (!weights::is_floating(info.dtype)) continue;
        std::vector<float> values(numbers);
        weights::read_floats(source, name, values);
    }
}

void run_gguf(std::string_view input) {
    static const ScratchFolder folder;
    const std::string path = folder.write("given.gguf", std::string(input));
    std::shared_ptr<const weights::GgufFile> file;
    if (!accepts([&] { file = std::make_shared<const weights::GgufFile>(path); })) return;
    check_tensors(*file, input.size());
    std::shared_ptr<const Package> model;
    if (!accepts([&] { model = weights::open_model(path); })) return;
    check_tensors(*model, input.size());
    const std::string package = folder.path("once.safetensors");
    weights::write_package(package, *model, {});
    const auto again = weights::open_model(package);
    expect(again->fingerprint() == model->fingerprint(), "an import has another fingerprint");
    expect(weights::config_of(*again) == weights::config_of(*model),
           "an import has another configuration");
}

}  // namespace
}  // namespace rpt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    rpt::fuzz::run_gguf({reinterpret_cast<const char*>(data), size});
    return 0;
}
