#include "apps/rpt-lab/text_files.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/error.h"
#include "lab/train/compressed_text.h"

namespace rpt::lab {
std::string read_file(const std::string& path) {
    if (path == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
    if (path.ends_with(".zst")) return train::read_compressed(path);
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        const int code = errno;
        throw Error(code == ENOENT ? Status::kNotFound : Status::kIo, "os",
                    "cannot open \"" + path + "\": " + std::strerror(code), -1, code);
    }
    return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, const std::string& text) {
    const std::string temporary = path + ".tmp";
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out << (path.ends_with(".zst") ? train::compressed(text, path) : text);
    out.close();
    if (!out || std::rename(temporary.c_str(), path.c_str()) != 0) {
        const int code = errno;
        throw Error(Status::kIo, "os", "cannot write \"" + path + "\": " + std::strerror(code), -1,
                    code);
    }
}

std::shared_ptr<const text::Tokenizer> load_tokenizer(const std::string& path) {
    return text::Tokenizer::from_json(read_file(path));
}

Digest tokenizer_digest(const text::Tokenizer& tokenizer) {
    const std::string json = tokenizer.to_json();
    return sha256(json.data(), json.size());
}

}  // namespace rpt::lab
