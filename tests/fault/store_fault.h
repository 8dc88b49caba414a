// Stores with some documents in them, and the means to damage them.
#pragma once

#include <sqlite3.h>
#include <sys/wait.h>

#include <cstring>
#include <fstream>
#include <functional>

#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {

// Runs `work` in a child; its result, or -1 if it died. A child is where limits and rights can be
// given up.
inline int in_child(const std::function<int()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        int result = 99;
        try {
            result = work();
        } catch (...) {
        }
        ::_exit(result);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

inline std::string read_bytes(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_bytes(const std::string& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline void run_sql(const std::string& file, const char* sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
}

class StoreFault : public StoreTest {
  protected:
    // A closed store with some documents; every byte of it is in store.sqlite.
    void fill(int documents = 4, uint64_t chunks = 6) {
        auto store = open();
        auto space = store->open_space("o", "c", true);
        Numbers numbers(1);
        for (int i = 0; i < documents; ++i) {
            const std::string key = std::to_string(i);
            add(*space, key, make_document(numbers, chunks));
        }
        store->close();
    }
    std::string database() const { return path_ + "/store.sqlite"; }

    // All that a store holds, as one string; throws like the calls it makes.
    std::string everything() {
        auto store = Store::open(path_, options(false));
        std::string all;
        std::vector<std::pair<std::string, std::string>> names;
        store->list_spaces([&](const std::string& o, const std::string& c) {
            names.emplace_back(o, c);
            return true;
        });
        const auto put = [&](const auto& values) {
            all.append(reinterpret_cast<const char*>(values.data()),
                       values.size() * sizeof(values[0]));
        };
        for (const auto& [owner, collection] : names) {
            auto space = store->open_space(owner, collection, false);
            all += owner + collection;
            std::vector<DocumentInfo> documents;
            space->list_documents("", [&](const DocumentInfo& info) {
                documents.push_back(info);
                return true;
            });
            for (const DocumentInfo& info : documents) {
                all += info.key + space->read_text(info.key, 0, SIZE_MAX);
                put(info.content_hash);
                for (uint64_t i = 0; i < info.chunks; ++i) {
                    const auto chunk = space->read_chunk(info.key, i);
                    if (!chunk) throw Error(Status::kNotFound, "test", "chunk is missing");
                    put(chunk->tokens);
                    put(chunk->key);
                    put(chunk->states);
                    put(chunk->pointers);
                }
            }
            const auto snapshot = store->pointers(space);
            for (const PointerSnapshot::Part& part : snapshot->parts) {
                put(part.rows().tokens);
                put(part.rows().scales);
                put(part.rows().nibbles);
                all += std::to_string(part.chunk()) + " " + std::to_string(part.next) + "\n";
            }
            for (const Hit& hit :
                 store->search({&space, 1}, std::vector<float>(kDim, 1), 1000, {})) {
                all += std::to_string(hit.chunk_id) + " " + std::to_string(hit.score) + "\n";
                const auto states = store->load_states({&hit, 1});
                if (states[0].chunk) put(*states[0].chunk);
            }
        }
        return all;
    }
};

}  // namespace rpt::storage
