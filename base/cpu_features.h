// What this processor can do beyond what every compiler's __builtin_cpu_supports() knows by name.
#pragma once

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace rpt {

#if defined(__x86_64__)
// Conversions between fp16 and fp32 (F16C), which need AVX. GCC knows the name, Clang 14 does not.
inline bool has_f16c() {
    static const bool has = [] {
        unsigned a = 0, b = 0, c = 0, d = 0;
        // leaf 1, ECX bit 29 (Intel SDM volume 2, CPUID)
        const bool f16c = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> 29 & 1) != 0;
        return f16c && __builtin_cpu_supports("avx");
    }();
    return has;
}
#endif

}  // namespace rpt
