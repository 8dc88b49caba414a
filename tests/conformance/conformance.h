// What every database below storage/backend.h must do. These tests see the interface alone; a new
// backend is added in backends.cc and runs them all.
#pragma once

#include "storage/backend.h"
#include "tests/unit/storage/store_fixture.h"

namespace rpt::storage {

class Conformance : public StoreTest, public testing::WithParamInterface<const Backend*> {
  protected:
    const Backend& backend() const override { return *GetParam(); }
};

}  // namespace rpt::storage
