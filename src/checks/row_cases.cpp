// Cases of the kernels that take each row, or each value, by itself; and of the one that only
// reads.
#include "checks/kernel_cases.h"
#include "checks/rope_data.h"
#include "kernels/kernels.h"
#include "ops/add.h"
#include "ops/add_bias.h"
#include "ops/geglu.h"
#include "ops/qk_norm.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "ops/softcap.h"
#include "ops/swiglu.h"
#include "reference/add.h"
#include "reference/add_bias.h"
#include "reference/geglu.h"
#include "reference/qk_norm.h"
#include "reference/rms_norm.h"
#include "reference/rope.h"
#include "reference/softcap.h"
#include "reference/swiglu.h"

#include <fmt/format.h>

namespace handloom::checks {
namespace {

constexpr uint32_t kRows = 5, kDim = 260;
constexpr float kEps = 1e-5f;
constexpr ops::Heads kHeads = {.n_heads = 4, .n_kv_heads = 2, .head_dim = 80};

/// [gate | up] with gates from -8 to 8.
Host gate_up() {
  Host host = ramp({kRows, 2 * kDim}, 1);
  for (float& value : host.values) value *= 8;
  return host;
}

std::vector<Expectation> add(KernelRun& run) {
  const Host x = ramp({kRows, kDim}, 1);
  Host y = ramp({kRows, kDim}, 2);
  const gpu::Tensor y_gpu = run.inout("y", y);
  ops::add(run.encoder(), run.in("x", x), y_gpu);
  reference::add(y, x);
  return {{y_gpu, y}};
}

std::vector<Expectation> add_bias(KernelRun& run) {
  const Host bias = ramp({kDim}, 1);
  Host y = ramp({kRows, kDim}, 2);
  const gpu::Tensor y_gpu = run.inout("y", y);
  ops::add_bias(run.encoder(), run.in("bias", bias), y_gpu);
  reference::add_bias(y, bias);
  return {{y_gpu, y}};
}

std::vector<Expectation> swiglu(KernelRun& run) {
  const Host both = gate_up();
  const gpu::Tensor y = run.out("y", {kRows, kDim});
  ops::swiglu(run.encoder(), run.in("gate_up", both), y);
  // exp, 1 + exp, the quotient, the product, and the reference.
  return {{y, reference::swiglu(both), {.roundings = exp_roundings(8) + 1 + kDivision + 1 + 1}}};
}

std::vector<Expectation> geglu(KernelRun& run) {
  const Host both = gate_up();
  Host products({kRows, kDim});
  for (uint32_t r = 0; r < kRows; ++r) {
    for (uint32_t i = 0; i < kDim; ++i) {
      products.row(r)[i] = std::abs(both.row(r)[i] * both.row(r)[kDim + i]);
    }
  }
  const gpu::Tensor y = run.out("y", {kRows, kDim});
  ops::geglu(run.encoder(), run.in("gate_up", both), y);
  // The argument of tanh is off by 7 roundings; half the gate then meets 1 + tanh, whose own is
  // relative to at most 2; two products and the reference are left.
  const double roundings = (tanh_roundings(7) + 2) / 2 + 2 + 1;
  return {{y, reference::geglu(both), {.roundings = roundings, .magnitude = products}}};
}

std::vector<Expectation> softcap(KernelRun& run) {
  constexpr float kCap = 30;
  Host y = ramp({kRows, kDim}, 1);
  for (float& value : y.values) value *= 100;
  const gpu::Tensor y_gpu = run.inout("y", y);
  ops::softcap(run.encoder(), y_gpu, kCap);
  reference::softcap(y, kCap);
  Host caps(y.shape, std::vector<float>(y.values.size(), kCap));
  return {{y_gpu, y, {.roundings = kSoftcap + 1, .magnitude = caps}}};
}

std::vector<Expectation> rms_norm(KernelRun& run, DType type) {
  const Host x = ramp({kRows, kDim}, 1), weight = ramp_in({kDim}, type, 2);
  const gpu::Tensor y = run.out("y", x.shape);
  ops::rms_norm(run.encoder(), run.in("x", x), run.in("weight", weight, type), y, kEps);
  return {{y, reference::rms_norm(x, weight, kEps), {.roundings = norm_roundings(kDim)}}};
}

std::vector<Expectation> qk_norm(KernelRun& run) {
  Host qkv = ramp({kRows, kHeads.row_dim()}, 1);
  const Host q = ramp({kHeads.head_dim}, 2), k = ramp({kHeads.head_dim}, 3);
  const gpu::Tensor qkv_gpu = run.inout("qkv", qkv);
  ops::qk_norm(run.encoder(), run.in("q_weight", q), run.in("k_weight", k), qkv_gpu, kHeads, kEps);
  reference::qk_norm(qkv, q, k, kHeads.n_heads, kHeads.n_kv_heads, kHeads.head_dim, kEps);
  return {{qkv_gpu, qkv, {.roundings = norm_roundings(kHeads.head_dim)}}};
}

std::vector<Expectation> rope(KernelRun& run, uint32_t rope_dim) {
  Host qkv = ramp({static_cast<uint32_t>(kPositions.size()), kHeads.row_dim()}, 1);
  const std::vector<float> inv_freq = make_inv_freq(rope_dim);
  const gpu::Tensor qkv_gpu = run.inout("qkv", qkv);
  ops::rope(run.encoder(), run.in("positions", kPositions),
            run.in("cos_sin", make_cos_sin(inv_freq, kLongest)), qkv_gpu, kHeads);
  const Host lengths = pair_lengths(qkv, kHeads, rope_dim / 2);
  reference::rope(qkv, kPositions, inv_freq, kHeads.n_heads + kHeads.n_kv_heads, kHeads.head_dim);
  return {{qkv_gpu, qkv, {.roundings = kRotation, .magnitude = lengths}}};
}

/// Each workgroup's vec4s have the same xor, so that it does not matter which lane writes it.
std::vector<Expectation> read_bandwidth(KernelRun& run) {
  constexpr uint32_t kGroups = 7, kLanes = 256, kRounds = 3;
  std::vector<uint32_t> data, want(kGroups);
  for (uint32_t i = 0; i < kRounds * kGroups * kLanes; ++i) {
    const uint32_t group = i / kLanes % kGroups, round = i / kLanes / kGroups;
    const uint32_t word = (group + 1) << (8 * round);
    for (uint32_t component = 0; component < 4; ++component) {
      data.push_back(component == 0 ? word : 0);
    }
    if (i % kLanes == 0) want[group] ^= word;
  }
  const uint32_t n = static_cast<uint32_t>(data.size() / 4);
  const gpu::Tensor folded = run.inout("folded", std::vector<uint32_t>(kGroups, 0xdeadbeef));
  run.encoder().dispatch({.kernel = kernels::read_bandwidth(),
                          .bindings = {run.in("data", data), folded},
                          .params = kernels::ReadBandwidthParams{.n = n, .n_workgroups = kGroups},
                          .workgroups = {kGroups, 1, 1}});
  return {{.tensor = folded, .want = from_integers(want), .read = from_integers}};
}

}  // namespace

void add_row_cases(KernelCases& cases) {
  const std::string rows = fmt::format("{} x {}", kRows, kDim);
  cases.push_back({"add", rows, add});
  cases.push_back({"add_bias", rows, add_bias});
  cases.push_back({"swiglu", rows, swiglu});
  cases.push_back({"geglu", rows, geglu});
  cases.push_back({"softcap", rows + ", cap 30", softcap});
  for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
    cases.push_back({"rms_norm", fmt::format("{}, weight {}", rows, to_string(type)),
                     [type](KernelRun& run) { return rms_norm(run, type); }});
  }
  cases.push_back({"qk_norm", fmt::format("{} rows, {}", kRows, describe(kHeads)), qk_norm});
  for (const uint32_t rope_dim : {kHeads.head_dim, 32u}) {
    cases.push_back({"rope", fmt::format("{}, {} of them turn", describe(kHeads), rope_dim),
                     [rope_dim](KernelRun& run) { return rope(run, rope_dim); }});
  }
  cases.push_back({"read_bandwidth", "7 workgroups", read_bandwidth});
}

}  // namespace handloom::checks
