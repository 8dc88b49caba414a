// Which library multiplies fp32 matrices on this CPU.
#pragma once

namespace rpt::model {

// LibTorch sends fp32 products to MKL, which takes its AVX2 kernels on CPUs of another maker even where AVX-512 is
// there; oneDNN takes AVX-512, but only when it is allowed to round. On CPUs with AMX it then does round to bf16. So:
// try it once, keep it where the products stay as exact as before (relative error below 2e-6) and come faster, else
// put everything back. Process-wide inside LibTorch; takes some 10 ms the first time, nothing later. Returns whether
// the faster products are on.
bool use_fast_float_products();

}  // namespace rpt::model
