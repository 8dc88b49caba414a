#include "core/weights/imported_package.h"

namespace rpt::weights {

ImportedPackage::ImportedPackage(std::map<std::string, TensorOrigin> origins, Metadata metadata,
                                 const CallControl& control)
    : origins_(std::move(origins)), metadata_(std::move(metadata)) {
    for (const auto& [name, origin] : origins_)
        tensors_[name] = origin.source->tensors().at(origin.name);
    const auto places = lay_out(tensors_);
    metadata_["sha256"] = hash_tensors(*this, places, control);
    fingerprint_ = fingerprint_of(metadata_, places, metadata_.at("sha256"));
}

void ImportedPackage::read_at(const std::string& name, uint64_t offset,
                              std::span<std::byte> out) const {
    const TensorOrigin& origin = origins_.at(name);
    origin.source->read_at(origin.name, offset, out);
}

}  // namespace rpt::weights
