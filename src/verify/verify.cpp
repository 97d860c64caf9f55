// Verification: every named stage of a forward pass against Hugging Face's activations in a
// folder's reference.safetensors, or against our own plain loops on the CPU.
#include "base/result.h"
#include "formats/safetensors.h"
#include "reference/kv_append.h"
#include "reference/llama.h"

#include <handloom/handloom.h>

#include <cmath>
#include <cstring>
#include <map>
#include <numeric>

namespace handloom {
namespace {

// The largest ||got - want|| / ||want|| over the rows of a stage that passes. With f32 storage only
// the order of f32 sums differs: about 2^-24 * sqrt(terms) a product, some dozens of products deep.
// With f16 storage each weight and each key and value is off by up to 2^-11 already.
constexpr double kToleranceF32 = 1e-4;
constexpr double kToleranceF16 = 1e-2;
// An int8 code is off by up to half a step, a 254th of the row's largest value; a value of ordinary
// size, a third of that, by a percent or two.
constexpr double kToleranceInt8 = 5e-2;

using Stages = std::map<std::string, HostTensor, std::less<>>;
using OnStage = std::function<void(const StageReport&)>;

double tolerance_of(const Engine& engine) {
  const ModelInfo& model = engine.model();
  if (model.kv_dtype == "int8" || model.matvec == "int8") return kToleranceInt8;
  const bool is_f16 = model.kv_dtype == "f16" || model.precision == Precision::f16;
  return is_f16 ? kToleranceF16 : kToleranceF32;
}

/// What the reference stores keys and values as.
DType kv_dtype(const Engine& engine) {
  const std::string& name = engine.model().kv_dtype;
  return name == "int8" ? DType::i8 : name == "f16" ? DType::f16 : DType::f32;
}

StageReport compare(std::string name, const HostTensor& got, const HostTensor& want,
                    double tolerance) {
  StageReport report{.name = std::move(name), .tolerance = tolerance};
  const size_t dim = want.shape.back(), n_rows = want.values.size() / dim;
  for (size_t r = 0; r < n_rows; ++r) {
    double error = 0, norm = 0;
    for (size_t i = r * dim; i < (r + 1) * dim; ++i) {
      error += std::pow(double{got.values[i]} - want.values[i], 2);
      norm += std::pow(double{want.values[i]}, 2);
    }
    const double relative = std::sqrt(error) / std::max(std::sqrt(norm), 1e-30);
    // A NaN must not pass as "not greater".
    if (!(relative <= report.max_error)) report.max_error = relative;
    report.mean_error += relative / static_cast<double>(n_rows);
  }
  report.passed = report.max_error <= tolerance;
  return report;
}

/// Reports every stage of `got` that `want` has; false after the first that fails.
Result<bool> compare_stages(const std::string& pass, const std::vector<HostTensor>& got,
                            const Stages& want, double tolerance, const OnStage& on_stage) {
  size_t n_compared = 0;
  for (const HostTensor& stage : got) {
    const auto it = want.find(stage.name);
    if (it == want.end()) continue;
    if (it->second.shape != stage.shape) {
      return fail(ErrorCode::bad_format, "verify: stage '{}' has {} values, the reference holds {}",
                  stage.name, stage.values.size(), it->second.values.size());
    }
    const StageReport report =
        compare(fmt::format("{} {}", pass, stage.name), stage, it->second, tolerance);
    on_stage(report);
    if (!report.passed) return false;
    ++n_compared;
  }
  if (n_compared != want.size()) {
    return fail(ErrorCode::bad_format, "verify: {} of the reference's {} stages have a counterpart",
                n_compared, want.size());
  }
  return true;
}

/// Both regimes against `want`, then decode against prefill.
Result<bool> compare_regimes(Engine& engine, std::span<const uint32_t> ids, const Stages& want,
                             const OnStage& on_stage) {
  const double tolerance = tolerance_of(engine);
  TRY(const std::vector<HostTensor> prefill, engine.dump(ids, false));
  TRY(const bool prefill_passed, compare_stages("prefill", prefill, want, tolerance, on_stage));
  if (!prefill_passed) return false;
  TRY(const std::vector<HostTensor> decode, engine.dump(ids, true));
  TRY(const bool decode_passed, compare_stages("decode", decode, want, tolerance, on_stage));
  if (!decode_passed) return false;
  Stages as_prefilled;
  for (const HostTensor& stage : prefill) as_prefilled.emplace(stage.name, stage);
  return compare_stages("decode against prefill:", decode, as_prefilled, tolerance, on_stage);
}

Result<HostTensor> to_host(const formats::TensorInfo& info) {
  TRY(std::vector<float> values, formats::to_f32(info));
  const auto dims = info.shape.dims();
  return HostTensor{
      .name = info.name, .shape = {dims.begin(), dims.end()}, .values = std::move(values)};
}

Result<std::vector<uint32_t>> read_input_ids(const formats::Checkpoint& reference) {
  TRY(const formats::TensorInfo* info, reference.get("input_ids"));
  if (info->dtype != DType::i64 || info->shape.rank() != 1) {
    return fail(ErrorCode::bad_format, "{}: 'input_ids' is {} {}, expected i64 [n]",
                reference.where(), to_string(info->dtype), to_string(info->shape));
  }
  std::vector<uint32_t> ids(info->shape.count());
  for (size_t i = 0; i < ids.size(); ++i) {
    int64_t id = 0;
    std::memcpy(&id, info->bytes.data() + i * sizeof id, sizeof id);
    if (id < 0 || id > INT32_MAX) {
      return fail(ErrorCode::bad_format, "{}: 'input_ids' holds {}, expected a token id",
                  reference.where(), id);
    }
    ids[i] = static_cast<uint32_t>(id);
  }
  return ids;
}

}  // namespace

Result<bool> verify_folder(const std::string& folder, const LoadOptions& options,
                           const OnStage& on_stage, const std::string& model) {
  TRY(const formats::Checkpoint reference,
      formats::open_safetensors(folder + "/reference.safetensors"));
  TRY(const std::vector<uint32_t> ids, read_input_ids(reference));
  Stages want;
  for (const formats::TensorInfo& info : reference.tensors()) {
    if (info.name == "input_ids") continue;
    TRY(HostTensor host, to_host(info));
    if (host.shape.size() != 2) {
      return fail(ErrorCode::bad_format, "{}: '{}' has shape {}, expected [rows, dim]",
                  reference.where(), info.name, to_string(info.shape));
    }
    want.emplace(info.name, std::move(host));
  }
  TRY(Engine engine, Engine::load(model.empty() ? folder : model, options));
  return compare_regimes(engine, ids, want, on_stage);
}

Result<bool> verify_against_cpu(Engine& engine, std::span<const uint32_t> ids,
                                const OnStage& on_stage) {
  const DType stored_as = engine.model().precision == Precision::f16 ? DType::f16 : DType::f32;
  TRY(const reference::Llama llama, reference::Llama::load(engine.model().folder, stored_as));
  const auto n_pages = static_cast<uint32_t>(ids.size() / reference::kPageSize + 1);
  reference::KvCache kv(llama.config(), n_pages, kv_dtype(engine));
  std::vector<uint32_t> positions(ids.size()), pages(n_pages);
  std::iota(positions.begin(), positions.end(), 0u);
  std::iota(pages.begin(), pages.end(), 0u);
  Stages want;
  const auto keep = [&want](std::string_view name, const reference::Host& values) {
    const auto dims = values.shape.dims();
    want.emplace(name, HostTensor{.name = std::string(name),
                                  .shape = {dims.begin(), dims.end()},
                                  .values = values.values});
  };
  CHECK_OK(
      llama.forward({.token_ids = ids, .positions = positions, .page_table = pages}, kv, keep));
  return compare_regimes(engine, ids, want, on_stage);
}

}  // namespace handloom
