#include "core/weights/dequantise.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/error.h"

namespace rpt::weights {
namespace {

// One tensor "t" in memory, of which `cut` bytes are there.
class OneTensor final : public TensorSource {
  public:
    OneTensor(DType dtype, std::vector<int64_t> shape, std::vector<std::byte> bytes)
        : bytes_(std::move(bytes)) {
        tensors_["t"] = {dtype, std::move(shape), bytes_.size()};
    }
    const std::map<std::string, TensorInfo>& tensors() const override { return tensors_; }
    void read_at(const std::string&, uint64_t offset, std::span<std::byte> out) const override {
        ASSERT_LE(offset + out.size(), bytes_.size());
        std::memcpy(out.data(), &bytes_[offset], out.size());
    }

  private:
    std::vector<std::byte> bytes_;
    std::map<std::string, TensorInfo> tensors_;
};

Status status_of_read(const TensorSource& source, const std::string& name, std::span<float> out) {
    try {
        read_floats(source, name, out);
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("\"" + name + "\""), std::string::npos);
        return error.status();
    }
    return Status::kOk;
}

}  // namespace

TEST(Dequantise, block_by_hand) {
    // scale 2, least -1; number 0 is 3, number 16 is 15, the others 0
    std::vector<uint8_t> block(20, 0);
    block[1] = 0x40;
    block[2] = 0x00, block[3] = 0xbc;
    block[4] = 0xf3;
    float out[32];
    dequantise(DType::kQ4_1, std::as_bytes(std::span(block)), out);
    for (size_t i = 0; i < 32; ++i) EXPECT_EQ(out[i], i == 0 ? 5.f : i == 16 ? 29.f : -1.f) << i;
}

TEST(Dequantise, read_floats_in_portions_equals_at_once) {
    for (const DType dtype : {DType::kF16, DType::kQ4_1, DType::kQ6K}) {
        const size_t numbers = (size_t{1} << 19) + 5 * block_numbers(dtype);
        std::vector<std::byte> bytes(numbers / block_numbers(dtype) * block_bytes(dtype));
        for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::byte(i * 31 % 57);
        std::vector<float> whole(numbers), portions(numbers);
        dequantise(dtype, bytes, whole);
        read_floats(OneTensor(dtype, {int64_t(numbers)}, bytes), "t", portions);
        EXPECT_EQ(std::memcmp(whole.data(), portions.data(), numbers * sizeof(float)), 0);
    }
}

TEST(Dequantise, integers_and_missing_tensors_are_refused) {
    const OneTensor source(DType::kI8, {4}, std::vector<std::byte>(4));
    float out[4];
    EXPECT_EQ(status_of_read(source, "t", out), Status::kCorrupt);
    EXPECT_EQ(status_of_read(source, "u", out), Status::kCorrupt);
}

}  // namespace rpt::weights
