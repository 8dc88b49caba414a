// The tensors of imported decoders: what they are called here, in GGUF files and in folders of
// safetensors, and what shape they have. One table for all families.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/model/config.h"
#include "core/weights/tensor_source.h"

namespace rpt::weights {

// Who named the tensors of a file.
enum class Naming { kGguf, kFolder };

struct DecoderTensor {
    std::string name;  // docs/format/model.md
    std::string in_file;
    std::vector<int64_t> shape;
};

// All that a decoder of this configuration has.
std::vector<DecoderTensor> decoder_tensors(const model::ModelConfig& config, Naming naming);

// Names in the file by our names. Throws, naming `path` and the file's tensor: kCorrupt for one
// that is missing, of another shape or of integers; kUnsupported for one that the family does not
// have, because a model that needs it would be computed wrongly.
std::map<std::string, std::string> match_tensors(const std::string& path,
                                                 const std::map<std::string, TensorInfo>& found,
                                                 const model::ModelConfig& config, Naming naming);

}  // namespace rpt::weights
