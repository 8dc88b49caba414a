#include "storage/sqlite/sqlite_backend.h"

#include "storage/sqlite/store_impl.h"

namespace rpt::storage {
namespace {

class SqliteBackend final : public Backend {
  public:
    std::shared_ptr<Store> open(const std::string& path,
                                const StoreOptions& options) const override {
        return std::make_shared<StoreImpl>(StoreDirectory(path), options);
    }
    bool upgrade(const std::string& path, const CallControl& control) const override {
        return upgrade_store(path, control);
    }
    void destroy(const std::string& path) const override { destroy_store(path); }
};

}  // namespace

const Backend& sqlite_backend() {
    static constexpr SqliteBackend kBackend;
    return kBackend;
}

}  // namespace rpt::storage
