// rpt_hash: the hash that documents carry, for hosts that want to know whether a text is stored.
#include <cstring>
#include <new>

#include "base/sha256.h"
#include "include/rpt.h"

struct rpt_hash {
    rpt::Sha256 state;
};

rpt_hash* rpt_hash_new(void) {
    return new (std::nothrow) rpt_hash;
}

void rpt_hash_add(rpt_hash* hash, const void* bytes, size_t size) {
    if (hash && bytes) hash->state.update(bytes, size);
}

void rpt_hash_get(const rpt_hash* hash, uint8_t* digest) {
    if (!hash || !digest) return;
    const rpt::Digest result = rpt::Sha256(hash->state).finish();
    std::memcpy(digest, result.data(), result.size());
}

void rpt_hash_free(rpt_hash* hash) {
    delete hash;
}
