// One kind of database that stores can live in. tests/conformance runs against this alone.
#pragma once

#include <memory>
#include <string>

#include "storage/store.h"

namespace rpt::storage {

// Stateless; shared by threads. Store::open(), upgrade() and destroy() say what each call does.
class Backend {
  public:
    virtual std::shared_ptr<Store> open(const std::string& path,
                                        const StoreOptions& options) const = 0;
    virtual bool upgrade(const std::string& path, const CallControl& control) const = 0;
    virtual void destroy(const std::string& path) const = 0;

  protected:
    ~Backend() = default;  // nobody owns one
};

}  // namespace rpt::storage
