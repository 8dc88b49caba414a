// How much a feature of a query counts, by how much of it the searched chunks hold: what the
// inverse document frequency is to words.
#pragma once

#include <algorithm>

namespace rpt {

// `mean` of the feature over the keys of all chunks that are searched, whose numbers are about 1 in
// root mean square; 0 where nothing is searched. Between 0 and 1.
inline double feature_idf(double mean) {
    return 1.0 / (1.0 + std::max(0.0, mean));
}

}  // namespace rpt
