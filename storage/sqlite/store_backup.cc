// A copy of a store as it is at one moment, made while others read and write.
#include <unistd.h>

#include "base/error.h"
#include "storage/sqlite/schema.h"
#include "storage/sqlite/store_impl.h"

namespace rpt::storage {

void StoreImpl::backup(const std::string& target, const CallControl& control) {
    const StoreDirectory copy(target);
    if (copy.holds_store())
        throw Error(Status::kExists, "rpt",
                    "there is a store in \"" + target + "\" already; give another folder");
    const bool made = copy.make();
    const std::string fresh = copy.database() + ".new";
    const auto clean = [&] {
        for (const char* tail : {"", "-journal"}) ::unlink((fresh + tail).c_str());
        if (made) ::rmdir(target.c_str());
    };
    try {
        for (const char* tail : {"", "-journal"}) ::unlink((fresh + tail).c_str());
        const auto lock = copy.lock_for_writing();
        {
            make_empty_file(fresh, 0600);
            // Its read transaction is the moment.
            ConnectionPool::Lease lease(readers_);
            (*lease).copy_to(fresh, control);
        }
        {
            Connection written(fresh, Connection::Access::kReadWrite, target);
            if (verify_database(written).fingerprint != model_.fingerprint)
                throw Error(Status::kInternal, "rpt", "the copy is of another model");
            written.close();
        }
        publish_database(fresh, copy.database());
        copy.make_index_folder();
    } catch (...) {
        ::unlink((target + "/lock").c_str());
        clean();
        throw;
    }
}

}  // namespace rpt::storage
