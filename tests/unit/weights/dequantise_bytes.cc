// dequantise_bytes TYPE < blocks > numbers: what dequantise_python_test.py compares.
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "core/weights/dequantise.h"

int main(int argc, char** argv) {
    using namespace rpt::weights;
    const auto dtype = argc == 2 ? dtype_of(argv[1]) : std::nullopt;
    if (!dtype) return 2;
    const std::string blocks(std::istreambuf_iterator<char>(std::cin), {});
    std::vector<float> numbers(blocks.size() / block_bytes(*dtype) * block_numbers(*dtype));
    dequantise(*dtype, std::as_bytes(std::span(blocks)), numbers);
    return std::fwrite(numbers.data(), sizeof(float), numbers.size(), stdout) == numbers.size() ? 0
                                                                                                : 1;
}
