// The files of a store: whose they are, what may stand in their place, and what happens when one is
// cut short.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fault/store_fault.h"

namespace rpt::storage {
namespace {

constexpr uint64_t kLarge = 1100;  // chunks: enough for an index file

mode_t mode_of(const std::string& path) {
    struct stat facts {};
    EXPECT_EQ(::lstat(path.c_str(), &facts), 0) << path;
    return facts.st_mode & 07777;
}

// Ends by a signal if `work` waits for something that never comes.
int in_child_with_guard(const std::function<int()>& work) {
    return in_child([&] {
        ::alarm(60);
        return work();
    });
}

class StoreFiles : public StoreFault {
  protected:
    void fill_large() {
        auto store = open();
        auto space = store->open_space("o", "c", true);
        Numbers numbers(3);
        add(*space, "large", make_document(numbers, kLarge));
        find(*store, space, std::vector<float>(kDim, 1), 1);
        store->close();
    }
    std::string index_file() const { return path_ + "/index/1.idx"; }
    void expect_modes(mode_t folders, mode_t files) const {
        EXPECT_EQ(mode_of(path_), folders);
        for (const auto& entry : std::filesystem::recursive_directory_iterator(path_))
            EXPECT_EQ(mode_of(entry.path()), entry.is_directory() ? folders : files)
                << entry.path();
    }
    size_t found() {
        auto store = open_reader();
        auto space = store->open_space("o", "c", false);
        return find(*store, space, std::vector<float>(kDim, 1), 5000).size();
    }
};

TEST_F(StoreFiles, new_store_is_its_owners_alone_whatever_the_umask_is) {
    for (const mode_t mask : {mode_t(0), mode_t(022), mode_t(0277)}) {
        std::filesystem::remove_all(path_);
        const mode_t before = ::umask(mask);
        auto store = open();
        auto space = store->open_space("o", "c", true);
        Numbers numbers(3);
        add(*space, "large", make_document(numbers, kLarge));
        find(*store, space, std::vector<float>(kDim, 1), 1);
        store->rebuild_index();
        expect_modes(0700, 0600);
        EXPECT_TRUE(std::filesystem::exists(database() + "-wal"));
        EXPECT_TRUE(std::filesystem::exists(index_file()));
        store->backup(folder_ + "/copy");
        store->close();
        ::umask(before);
        expect_modes(0700, 0600);
        const std::string original = path_;
        path_ = folder_ + "/copy";
        expect_modes(0700, 0600);
        std::filesystem::remove_all(path_);
        path_ = original;
    }
}

TEST_F(StoreFiles, older_store_keeps_the_rights_it_has) {
    fill_large();
    std::filesystem::remove_all(path_ + "/index");
    ::chmod(path_.c_str(), 0750);
    ::chmod(database().c_str(), 0640);
    ::chmod((path_ + "/lock").c_str(), 0640);
    auto store = open();
    find(*store, store->open_space("o", "c", false), std::vector<float>(kDim, 1), 1);
    store->close();
    EXPECT_TRUE(std::filesystem::exists(index_file()));
    expect_modes(0750, 0640);
}

// A pipe, a folder or a link in the place of each file: an error that names it, or nothing at all
// where the file is a cache; never a wait, and nothing written behind a link.
TEST_F(StoreFiles, what_is_no_file_is_refused_and_never_waited_for) {
    fill_large();
    const std::string kept = folder_ + "/kept", elsewhere = folder_ + "/elsewhere";
    std::filesystem::copy(path_, kept, std::filesystem::copy_options::recursive);
    write_bytes(elsewhere, "another's");
    for (const std::string name :
         {"store.sqlite", "store.sqlite-wal", "store.sqlite-shm", "lock", "index/1.idx"}) {
        for (const char* kind : {"pipe", "folder", "link", "link to nothing"}) {
            std::filesystem::remove_all(path_);
            std::filesystem::copy(kept, path_, std::filesystem::copy_options::recursive);
            const std::string file = path_ + "/" + name;
            std::filesystem::remove(file);
            switch (kind[0]) {
                case 'p':
                    ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
                    break;
                case 'f':
                    ASSERT_EQ(::mkdir(file.c_str(), 0700), 0);
                    break;
                default:
                    ASSERT_EQ(::symlink((kind[4] != 0 ? folder_ + "/nothing" : elsewhere).c_str(),
                                        file.c_str()),
                              0);
            }
            const bool cache = name == "index/1.idx";
            for (const bool reading : {true, false}) {
                const int result = in_child_with_guard([&] {
                    std::string text;
                    const Status status = status_of(
                        [&] {
                            auto store =
                                reading ? open_reader() : Store::open(path_, options(false));
                            auto space = store->open_space("o", "c", false);
                            if (find(*store, space, std::vector<float>(kDim, 1), 5000).size() !=
                                kLarge)
                                throw Error(Status::kInternal, "test", "chunks are missing");
                            store->close();
                        },
                        &text);
                    if (cache) return status == Status::kOk ? 0 : 1;
                    if (text.find(name) == std::string::npos) return 2;
                    return status == Status::kCorrupt || status == Status::kIo ? 0 : 3;
                });
                EXPECT_EQ(result, 0) << name << " is a " << kind << (reading ? ", reading" : "");
            }
            if (!cache) {
                EXPECT_EQ(in_child_with_guard([&] {
                              return status_of([&] { Store::destroy(path_); }) != Status::kOk ? 0
                                                                                              : 1;
                          }),
                          0)
                    << name << " is a " << kind;
            }
            EXPECT_EQ(read_bytes(elsewhere), "another's");
            EXPECT_FALSE(std::filesystem::exists(folder_ + "/nothing"));
        }
    }
}

// Of a file that is only mapped, the missing pages would end the process by a signal.
TEST_F(StoreFiles, index_file_that_is_cut_short_harms_nobody_who_has_it_open) {
    fill_large();
    const auto size = static_cast<off_t>(std::filesystem::file_size(index_file()));
    for (const off_t left : {off_t(0), off_t(100), size / 2}) {
        std::filesystem::copy_file(index_file(), folder_ + "/whole",
                                   std::filesystem::copy_options::overwrite_existing);
        EXPECT_EQ(in_child([&] {
                      auto store = open_reader();
                      auto space = store->open_space("o", "c", false);
                      const std::vector<float> query(kDim, 1);
                      const auto before = find(*store, space, query, 5000);
                      if (::truncate(index_file().c_str(), left) != 0) return 1;
                      const auto after = find(*store, space, query, 5000);
                      for (size_t i = 0; i < kLarge; ++i)
                          if (before[i].chunk_id != after[i].chunk_id) return 2;
                      return after.size() == kLarge ? 0 : 3;
                  }),
                  0)
            << left;
        EXPECT_EQ(found(), kLarge);  // a cut file is not believed
        std::filesystem::copy_file(folder_ + "/whole", index_file(),
                                   std::filesystem::copy_options::overwrite_existing);
    }
}

}  // namespace
}  // namespace rpt::storage
