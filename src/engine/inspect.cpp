// What an Engine tells of its inside: the list of dispatches, activations, the adapter's bandwidth.
#include "base/file.h"
#include "base/result.h"
#include "engine/bandwidth.h"
#include "engine/engine_impl.h"
#include "formats/safetensors.h"
#include "gpu/encoder.h"
#include "gpu/native.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace handloom {
namespace {

Result<Plan> plan_step(Engine::Impl& e, uint32_t n_tokens, uint32_t n_keys, std::string title) {
  if (n_tokens == 0 || n_tokens > e.model->max_tokens() || n_keys > e.info.context) {
    return fail(ErrorCode::invalid_argument,
                "plan: {} tokens are asked for, one pass takes 1 to {} in a context of {}",
                std::max(n_tokens, n_keys), e.model->max_tokens(), e.info.context);
  }
  TRY(kv_cache::KvCache kv, e.new_cache(n_keys));
  CHECK_OK(make_room_and_wait(e.device, kv, 0, n_keys));
  TRY(const StepBuffers step, StepBuffers::create(e.device, n_tokens, n_keys, e.config.vocab_size));
  TRY(const gpu::Recording recording,
      e.record_step(step, kv, n_tokens, n_keys, Engine::Impl::Ending::token));
  return Plan{.title = std::move(title), .entries = recording.plan()};
}

/// The stages of one forward pass, copied aside while it runs.
struct Taps {
  gpu::Device& device;
  std::vector<std::pair<std::string, gpu::Tensor>> copies;
  std::optional<Error> error;

  void take(gpu::Encoder& enc, std::string_view name, const gpu::Tensor& tensor) {
    Result<gpu::Tensor> copy =
        device.create_tensor(std::string(name), tensor.dtype, tensor.shape, gpu::MemoryKind::other);
    if (!copy) {
      error = std::move(copy).error();
      return;
    }
    enc.copy(tensor, *copy);
    copies.emplace_back(name, std::move(*copy));
  }
};

/// Adds the rows of a GPU tensor to those that a dump holds already.
Result<void> append_rows(gpu::Device& device, const gpu::Tensor& tensor, HostTensor& to) {
  TRY(const std::vector<std::byte>& bytes, gpu::wait(device, device.read(tensor)));
  const size_t before = to.values.size();
  to.values.resize(before + tensor.count());
  std::memcpy(to.values.data() + before, bytes.data(), tensor.count() * sizeof(float));
  if (to.shape.empty()) to.shape = {0, tensor.dim(1)};
  to.shape[0] += tensor.dim(0);
  return {};
}

}  // namespace

Result<Plan> Engine::plan_prefill(uint32_t n_tokens) {
  return plan_step(*impl_, n_tokens, n_tokens, fmt::format("prefill of {} tokens", n_tokens));
}

Result<Plan> Engine::plan_decode(uint32_t n_tokens) {
  return plan_step(*impl_, 1, n_tokens + 1, fmt::format("decode step after {} tokens", n_tokens));
}

Result<std::vector<HostTensor>> Engine::dump(std::span<const uint32_t> ids, bool one_by_one) {
  Impl& e = *impl_;
  if (ids.empty() || ids.size() > e.info.context) {
    return fail(ErrorCode::invalid_argument, "dump: {} tokens are given, expected 1 to {}",
                ids.size(), e.info.context);
  }
  for (const uint32_t id : ids) {
    if (id >= e.config.vocab_size) {
      return fail(ErrorCode::invalid_argument, "dump: token {} is not in the vocabulary of {}", id,
                  e.config.vocab_size);
    }
  }
  const auto n_ids = static_cast<uint32_t>(ids.size());
  const uint32_t n_rows =
      one_by_one ? 1 : std::min({n_ids, e.model->max_tokens(), e.kv_options.most_rows()});
  TRY(kv_cache::KvCache kv, e.new_cache(n_ids));
  TRY(const StepBuffers step, StepBuffers::create(e.device, n_rows, n_ids, e.config.vocab_size));

  std::vector<HostTensor> stages;
  for (uint32_t first = 0, n = 0; first < n_ids; first += n) {
    n = even_batch(n_ids - first, n_rows);
    CHECK_OK(make_room_and_wait(e.device, kv, first, first + n));
    e.write_tokens(step, ids.subspan(first, n), first);
    TRY(const gpu::Tensor logits,
        e.device.create_tensor("all logits", DType::f32, {n, e.config.vocab_size},
                               gpu::MemoryKind::other));
    Taps taps{.device = e.device};
    gpu::Encoder enc(e.device, "dump",
                     [&taps](gpu::Encoder& tapped, std::string_view name,
                             const gpu::Tensor& tensor) { taps.take(tapped, name, tensor); });
    e.model->record(enc,
                    {.token_ids = step.state.token_ids.first_rows(n),
                     .positions = step.state.positions.first_rows(n),
                     .n_keys = first + n},
                    kv, logits);
    TRY(const gpu::Recording recording, enc.finish());
    if (taps.error) return std::unexpected(*taps.error);
    e.device.submit(recording);
    stages.resize(taps.copies.size());
    for (size_t i = 0; i < stages.size(); ++i) {
      stages[i].name = taps.copies[i].first;
      CHECK_OK(append_rows(e.device, taps.copies[i].second, stages[i]));
    }
  }
  return stages;
}

Result<double> Engine::measure_read_bandwidth() {
  Impl& e = *impl_;
  if (e.read_bandwidth) return *e.read_bandwidth;
  TRY(engine::BandwidthProbe probe, engine::BandwidthProbe::start(e.device));
  while (!probe.finished()) {
    CHECK_OK(gpu::wait(e.device, probe.next_readback()));
    probe.resume();
  }
  e.read_bandwidth = probe.bytes_per_second();
  return *e.read_bandwidth;
}

Result<void> write_tensors(const std::string& path, TensorFormat format,
                           std::span<const HostTensor> tensors) {
  std::vector<formats::TensorInfo> infos;
  for (const HostTensor& t : tensors) {
    infos.push_back({.name = t.name,
                     .dtype = DType::f32,
                     .shape = Shape(std::span<const uint32_t>(t.shape)),
                     .bytes = std::as_bytes(std::span(t.values))});
  }
  if (format == TensorFormat::safetensors) return formats::write_safetensors(path, infos);
  CHECK_OK(make_folder(path));
  for (const formats::TensorInfo& info : infos) {
    CHECK_OK(formats::write_npy(fmt::format("{}/{}.npy", path, info.name), info));
  }
  return {};
}

}  // namespace handloom
