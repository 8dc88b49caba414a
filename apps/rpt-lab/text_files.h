// Whole files in and out; names that end with .zst are of compressed files.
#pragma once

#include <memory>
#include <string>

#include "base/sha256.h"
#include "core/text/tokenizer.h"

namespace rpt::lab {

// "-" is standard input. Throws kNotFound, kIo; of compressed files kCorrupt, and kUnsupported in a
// build without zstd.
std::string read_file(const std::string& path);
// Written beside `path`, then renamed. Throws kIo, kUnsupported (as above).
void write_file(const std::string& path, const std::string& text);

std::shared_ptr<const text::Tokenizer> load_tokenizer(const std::string& path);
// What shards and checkpoints remember of their tokenizer: SHA-256 of its JSON as the library
// writes it.
Digest tokenizer_digest(const text::Tokenizer& tokenizer);

}  // namespace rpt::lab
