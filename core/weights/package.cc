#include "core/weights/package.h"

#include "base/error.h"
#include "core/weights/package_layout.h"
#include "core/weights/safetensors_file.h"

namespace rpt::weights {
namespace {

class PackageFile final : public Package {
  public:
    PackageFile(const std::string& path, bool verify, const CallControl& control)
        : path_(path), file_(path, kPackageFile) {
        check_digests(verify, control);
    }

    const std::map<std::string, TensorInfo>& tensors() const override { return file_.tensors(); }
    void read_at(const std::string& name, uint64_t offset,
                 std::span<std::byte> out) const override {
        file_.read_at(name, offset, out);
    }
    const Metadata& metadata() const override { return file_.header().metadata; }
    const Digest& fingerprint() const override { return fingerprint_; }

  private:
    void check_digests(bool verify, const CallControl& control) {
        const auto& places = file_.header().tensors;
        const auto told = metadata().find("sha256");
        std::string hex = told == metadata().end() ? "" : told->second;
        if (verify || hex.empty()) {
            const std::string found = hash_tensors(file_, places, control);
            if (hex.empty()) hex = found;
            if (found != hex)
                throw_corrupt_model(
                    path_, "its tensor bytes do not match their SHA-256, so some were changed");
        }
        fingerprint_ = fingerprint_of(metadata(), places, hex);
        const auto name = metadata().find("fingerprint");
        if (name != metadata().end() && name->second != to_hex(fingerprint_))
            throw_corrupt_model(path_,
                                "its configuration, tokenizer or tensor names do not match its "
                                "fingerprint, so some bytes were changed");
    }

    const std::string path_;
    const SafetensorsFile file_;
    Digest fingerprint_{};
};

const std::string& required(const Package& package, const char* key) {
    const auto found = package.metadata().find(key);
    if (found == package.metadata().end()) {
        throw Error(Status::kCorrupt, "rpt",
                    std::string("the model package has no \"") + key +
                        "\" in its metadata; export it again");
    }
    return found->second;
}

}  // namespace

std::shared_ptr<const Package> Package::open(const std::string& path, bool verify,
                                             const CallControl& control) {
    return std::make_shared<PackageFile>(path, verify, control);
}

const std::string& Package::config_json() const {
    return required(*this, "config");
}

const std::string& Package::tokenizer_json() const {
    return required(*this, "tokenizer");
}

std::string Package::roles_json() const {
    const auto found = metadata().find("roles");
    return found == metadata().end() ? std::string() : found->second;
}

}  // namespace rpt::weights
