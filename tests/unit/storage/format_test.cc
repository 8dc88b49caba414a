// The examples of docs/format: bytes on disk that may never change without a new version.
#include <gtest/gtest.h>

#include <fstream>

#include "storage/codec/blob_codec.h"
#include "storage/codec/pointer_codec.h"
#include "storage/codec/state_codec.h"
#include "storage/sqlite/segment_table.h"
#include "storage/sqlite/sqlite_connection.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {
namespace {

std::string hex(std::string_view bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    for (const char c : bytes) {
        out += kDigits[static_cast<uint8_t>(c) >> 4];
        out += kDigits[static_cast<uint8_t>(c) & 15];
    }
    return out;
}

}  // namespace

TEST(StoreFormat, blobs_are_as_documented) {
    const std::vector<float> states{1, -0.5f, 0, 0};
    EXPECT_EQ(hex(encode_states(states, 2, StateCodec::kInt8, 0)),
              "0102000000"
              "08200000"
              "7fc00000");
    EXPECT_EQ(hex(encode_states(states, 2, StateCodec::kFp16, 0)),
              "0302000000"
              "003c00b800000000");
    EXPECT_EQ(hex(encode_states(states, 2, StateCodec::kInt4, 0)),
              "0502000000"
              "08140000"
              "8100"
              "c088");
    EXPECT_EQ(hex(encode_states(states, 2, StateCodec::kLowRank, 0, 1)),
              "0702000000"
              "0100"
              "10068238"
              "7f00"
              "7fc0");
    // Two rows of three numbers.
    const std::vector<float> rows{-0.8f, 0.6f, 0, 0.28f, 0, 0.96f};
    EXPECT_EQ(hex(encode_pointers(rows, 3)),
              "01"
              "662ec1af"
              "e0888680");
    EXPECT_EQ(hex(encode_tokens(std::vector<int32_t>{1, 2, 300})), "02010002002c01");
    EXPECT_EQ(hex(encode_tokens(std::vector<int32_t>{-1, 65536})), "04ffffffff00000100");
    EXPECT_EQ(hex(encode_key(std::vector<float>{1, -2, 0.5f})), "003c00c00038");
    EXPECT_EQ(hex(encode_text("hi", 0)), "00020000006869");
    EXPECT_EQ(*decode_text(encode_text(std::string(70, 'a'), 0)), std::string(70, 'a'));
    EXPECT_EQ(*decode_tokens(encode_tokens(std::vector<int32_t>{-1, 65536})),
              (std::vector<int32_t>{-1, 65536}));
    EXPECT_FALSE(decode_tokens("\x03zzz"));
    EXPECT_FALSE(decode_text(std::string_view("\x01\xff\xff\xff\x7f", 5)));
}

TEST(StoreFormat, seals_and_digest_are_as_documented) {
    const ChunkPlace place{1, 2, 3, {4, 5}, true};
    EXPECT_EQ(seal_key(place, "key"), 3234282337u);
    EXPECT_NE(seal_key(place, "key"), seal_tokens(place, "key"));
    EXPECT_EQ(seal_states(7, "states"), 3093070325u);
    EXPECT_EQ(seal_text(7, "text"), 2389850822u);
    EXPECT_EQ(seal_pointers(7, "pointers"), 3645412442u);
    EXPECT_EQ(place_digest({1, 2, 3, 4}), 8885611916927982139u);
    EXPECT_EQ(digest_part(9, 10), 17952480864676757800u);
}

TEST_F(StoreTest, database_header_is_as_documented) {
    open()->close();
    std::ifstream file(path_ + "/store.sqlite", std::ios::binary);
    std::string header(72, '\0');
    file.read(header.data(), 72);
    EXPECT_EQ(hex(header.substr(60)), "000000050000000152505453");
}

TEST_F(StoreTest, binding_of_the_model_is_kept_with_its_context) {
    open()->close();
    StoreOptions o = options(false);
    o.model.reset();
    EXPECT_EQ(Store::open(path_, o)->model().context_tokens, 16u);
    o.model = test_model();
    o.model->context_tokens = 0;  // whatever the store has
    EXPECT_EQ(Store::open(path_, o)->model().context_tokens, 16u);
    Connection connection(path_ + "/store.sqlite", Connection::Access::kReadOnly, "test");
    EXPECT_EQ(connection.read_number("SELECT context_tokens FROM store"), 16);
    // fingerprint of 32 times 01, dim 24, 8 tokens a chunk, 16 of context, keys of 24, pointer keys
    // of 7
    EXPECT_EQ(connection.read_number("SELECT seal FROM store"), 787927835);
}

TEST_F(StoreTest, keys_may_be_wider_than_states) {
    constexpr uint32_t kWide = 3 * kDim;
    StoreOptions o = options();
    o.model->key_dim = kWide;
    Numbers numbers(11);
    Edit edit = make_document(numbers, 9);
    for (SegmentRecord& segment : edit.segments)
        for (ChunkRecord& chunk : segment.chunks) chunk.key = numbers.vector(kWide);
    const std::vector<ChunkRecord> chunks = chunks_of(edit);
    {
        const auto store = Store::open(path_, o);
        const auto space = store->open_space("o", "c", true);
        add(*space, "wide", edit);
        Edit narrow = make_document(numbers, 1);
        std::string text;
        EXPECT_EQ(status_of([&] { add(*space, "narrow", narrow); }, &text), Status::kArgument);
        EXPECT_NE(text.find("its key has 24 values, the store's have 72"), std::string::npos);
        EXPECT_EQ(status_of([&] { find(*store, space, chunks[0].states, 1); }), Status::kArgument);
        store->close();
    }
    const auto store = Store::open(path_, o);
    const auto space = store->open_space("o", "c", false);
    store->check(CheckLevel::kFull, [](const Finding& f) { ADD_FAILURE() << f.text; });
    EXPECT_EQ(store->stats().format_version, 5u);
    EXPECT_EQ(store->stats().key_bytes, 9u * kWide * 2);
    for (uint64_t i = 0; i < chunks.size(); ++i) {
        const std::vector<Hit> hits = find(*store, space, chunks[i].key, 1);
        ASSERT_EQ(hits.size(), 1u);
        EXPECT_EQ(store->describe(hits[0].chunk_id)->ordinal, i);
        const std::optional<ChunkRecord> record = space->read_chunk("wide", i);
        ASSERT_TRUE(record);
        ASSERT_EQ(record->key.size(), kWide);
        ASSERT_EQ(record->states.size(), size_t(kTokens) * kDim);
        EXPECT_NEAR(record->key[7], chunks[i].key[7], 2e-3);
        EXPECT_NEAR(record->states[7], chunks[i].states[7], 5e-2);
    }
    Connection connection(path_ + "/store.sqlite", Connection::Access::kReadOnly, "test");
    EXPECT_EQ(connection.read_number("PRAGMA user_version"), 5);
    EXPECT_EQ(connection.read_number("SELECT key_dim FROM store"), kWide);
    // the first four numbers of the seal above, 72 and 7
    EXPECT_EQ(connection.read_number("SELECT seal FROM store"), 2961183133);
    std::string text;
    store->close();
    EXPECT_EQ(status_of([&] { Store::open(path_, options(false)); }, &text),
              Status::kModelMismatch);
    EXPECT_NE(text.find("keys of 72"), std::string::npos) << text;
}

}  // namespace rpt::storage
