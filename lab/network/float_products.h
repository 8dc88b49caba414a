// Which library multiplies fp32 matrices on this CPU.
#pragma once

namespace rpt::model {

// LibTorch sends fp32 products to MKL, which takes its AVX2 kernels on CPUs of another maker even
// where AVX-512 is there (99 GFLOP/s a thread against 223 on a Zen 5); oneDNN takes AVX-512, but
// only when it is allowed to round. On CPUs with AMX it then does round to bf16. So: on such a CPU
// try it once, and keep it if the products stay as exact as before (relative error below 2e-6),
// else put everything back. Process-wide inside LibTorch. Returns whether it is on.
bool use_fast_float_products();
// Whether they were switched on.
bool fast_float_products_on();

}  // namespace rpt::model
