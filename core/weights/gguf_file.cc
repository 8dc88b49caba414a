#include "core/weights/gguf_file.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "base/error.h"
#include "core/weights/safetensors_header.h"

namespace rpt::weights {
namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint32_t kMostSizes = 4;
constexpr uint64_t kMostTensors = 1 << 20;
constexpr uint64_t kMostAlignment = 1 << 20;

struct GgmlType {
    uint32_t number;
    DType dtype;
};
constexpr GgmlType kTypes[] = {
    {0, DType::kF32},  {1, DType::kF16},  {2, DType::kQ4_0}, {3, DType::kQ4_1}, {6, DType::kQ5_0},
    {7, DType::kQ5_1}, {8, DType::kQ8_0}, {12, DType::kQ4K}, {13, DType::kQ5K}, {14, DType::kQ6K},
    {24, DType::kI8},  {27, DType::kI64}, {30, DType::kBf16}};
// Types that files have and this library does not read, as people know them.
constexpr std::pair<uint32_t, std::string_view> kOtherTypes[] = {
    {9, "Q8_1"},    {10, "Q2_K"},    {11, "Q3_K"},  {15, "Q8_K"},   {16, "IQ2_XXS"},
    {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"},
    {22, "IQ2_S"},  {23, "IQ4_XS"},  {25, "I16"},   {26, "I32"},    {28, "F64"},
    {29, "IQ1_M"},  {34, "TQ1_0"},   {35, "TQ2_0"}, {39, "MXFP4"}};

[[noreturn]] void unsupported(const std::string& path, const std::string& why) {
    throw Error(Status::kUnsupported, "rpt", "model \"" + path + "\": " + why);
}

DType read_type(const std::string& path, const std::string& tensor, uint32_t number) {
    const auto known = std::ranges::find(kTypes, number, &GgmlType::number);
    if (known != std::end(kTypes)) return known->dtype;
    std::string name = "type " + std::to_string(number);
    for (const auto& [other, spelled] : kOtherTypes)
        if (other == number) name += " (" + std::string(spelled) + ")";
    std::string supported;
    for (const GgmlType& type : kTypes)
        if (is_floating(type.dtype))
            supported += (supported.empty() ? "" : ", ") + std::string(dtype_name(type.dtype));
    unsupported(path, "tensor \"" + tensor + "\" has " + name + "; supported are " + supported);
}

}  // namespace

bool is_gguf(const std::string& path) {
    const InputFile file(path);
    uint8_t front[4] = {};
    if (file.size() < sizeof front) return false;
    file.read(0, std::as_writable_bytes(std::span(front)));
    return std::equal(front, front + 4, "GGUF");
}

GgufFile::GgufFile(const std::string& path) : path_(path), file_(path), metadata_(path) {
    GgufReader reader(path_, file_);
    if (reader.u32("the magic") != kMagic)
        reader.corrupt("it does not begin with \"GGUF\", so it is no GGUF file");
    read_version(reader);
    const uint64_t n_tensors = reader.count(24, "the number of tensors");
    const uint64_t n_keys = reader.count(13, "the number of keys");
    if (n_tensors > kMostTensors)
        reader.corrupt("its number of tensors is " + std::to_string(n_tensors));
    metadata_.read(reader, n_keys);
    if (metadata_.integer("split.count", 1) > 1)
        unsupported(path_, "it is one part of " + std::to_string(metadata_.integer("split.count")) +
                               "; join the parts with gguf-split --merge");
    const int64_t alignment = metadata_.integer("general.alignment", 32);
    if (alignment < 1 || uint64_t(alignment) > kMostAlignment ||
        !std::has_single_bit(uint64_t(alignment)))
        reader.corrupt("general.alignment is " + std::to_string(alignment) +
                       ", not a power of two up to 2^20");
    for (uint64_t i = 0; i < n_tensors; ++i) read_tensor(reader);
    const uint64_t step = uint64_t(alignment);
    check_places((reader.at() + step - 1) / step * step, step);
}

void GgufFile::read_version(GgufReader& reader) const {
    const uint32_t version = reader.u32("the version");
    if ((version & 0xffff) == 0 && version != 0)
        unsupported(path_, "it is a big-endian GGUF file; little-endian ones are supported");
    if (version == 1) unsupported(path_, "it is GGUF of version 1; versions 2 and 3 are supported");
    if (version == 0) reader.corrupt("its GGUF version is 0");
    if (version > 3)
        throw Error(Status::kVersion, "rpt",
                    "model \"" + path_ + "\" is GGUF of version " + std::to_string(version) +
                        ", this library reads up to 3; upgrade the library");
}

void GgufFile::read_tensor(GgufReader& reader) {
    const std::string name = reader.text(255, "the name of a tensor");
    check_tensor_name(path_, name);
    const uint32_t n_sizes = reader.u32("a tensor's number of sizes");
    if (n_sizes > kMostSizes)
        reader.corrupt("tensor \"" + name + "\" has " + std::to_string(n_sizes) +
                       " sizes, more than 4");
    TensorInfo info;
    for (uint32_t i = 0; i < n_sizes; ++i)
        info.shape.push_back(
            int64_t(std::min<uint64_t>(reader.u64("a size of a tensor"), INT64_MAX)));
    std::ranges::reverse(info.shape);
    info.dtype = read_type(path_, name, reader.u32("the type of a tensor"));
    info.bytes = tensor_bytes(path_, name, info.dtype, info.shape);
    begins_[name] = reader.u64("the place of a tensor");
    if (!tensors_.emplace(name, std::move(info)).second)
        reader.corrupt("tensor \"" + name + "\" stands twice");
}

// Tensors stand one behind the other, each on the next multiple of the alignment.
void GgufFile::check_places(uint64_t data_begin, uint64_t alignment) {
    if (!tensors_.empty() && data_begin > file_.size())
        throw_corrupt_model(path_, "its tensors would begin at byte " + std::to_string(data_begin) +
                                       " of " + std::to_string(file_.size()) +
                                       ", so the file is truncated");
    std::vector<std::string> order;
    for (const auto& [name, begin] : begins_) order.push_back(name);
    std::ranges::stable_sort(order, {}, [&](const std::string& name) {
        return std::pair(begins_.at(name), tensors_.at(name).bytes);
    });
    const uint64_t data_bytes = file_.size() - std::min<uint64_t>(data_begin, file_.size());
    uint64_t expected = 0, end = 0;
    for (const std::string& name : order) {
        uint64_t& begin = begins_.at(name);
        const uint64_t bytes = tensors_.at(name).bytes;
        if (begin != expected)
            throw_corrupt_model(path_, "tensor \"" + name + "\" begins at byte " +
                                           std::to_string(begin) + " of the tensors, not at " +
                                           std::to_string(expected));
        if (bytes > data_bytes - std::min(begin, data_bytes))
            throw_corrupt_model(path_, "tensor \"" + name + "\" ends behind the file's " +
                                           std::to_string(file_.size()) +
                                           " bytes, so the file is truncated");
        end = begin + bytes;
        expected = (end + alignment - 1) / alignment * alignment;
        begin += data_begin;
    }
    if (data_bytes > expected)
        throw_corrupt_model(path_, std::to_string(data_bytes - end) +
                                       " bytes behind its last tensor belong to none");
}

void GgufFile::read_at(const std::string& name, uint64_t offset, std::span<std::byte> out) const {
    RPT_CHECK(offset + out.size() <= tensors_.at(name).bytes);
    file_.read(begins_.at(name) + offset, out);
}

}  // namespace rpt::weights
