// Whole files in and out.
#pragma once

#include <memory>
#include <string>

#include "base/sha256.h"
#include "core/text/tokenizer.h"

namespace rpt::lab {

// "-" is standard input. Throws kNotFound, kIo.
std::string read_file(const std::string& path);
// Written beside `path`, then renamed. Throws kIo.
void write_file(const std::string& path, const std::string& text);

std::shared_ptr<const text::Tokenizer> load_tokenizer(const std::string& path);
// What shards and checkpoints remember of their tokenizer: SHA-256 of its JSON as the library
// writes it.
Digest tokenizer_digest(const text::Tokenizer& tokenizer);

}  // namespace rpt::lab
