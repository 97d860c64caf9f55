// Sessions: their memory, the recordings of their steps, and the native host's loop around
// Generator.
#include "base/result.h"
#include "engine/engine_impl.h"
#include "engine/generator.h"
#include "gpu/native.h"

#include <algorithm>
#include <numeric>

namespace handloom {

Result<StepBuffers> StepBuffers::create(gpu::Device& device, uint32_t max_tokens, uint32_t context,
                                        uint32_t vocab_size) {
  constexpr auto kKind = gpu::MemoryKind::activations;
  StepBuffers step;
  TRY(step.state.token_ids, device.create_tensor("token_ids", DType::u32, {max_tokens}, kKind));
  TRY(step.state.positions, device.create_tensor("positions", DType::u32, {max_tokens}, kKind));
  TRY(step.state.history, device.create_tensor("history", DType::u32, {context + 1}, kKind));
  TRY(step.sampling, ops::SamplingBuffers::create(device, vocab_size));
  TRY(step.logits, device.create_tensor("logits", DType::f32, {1, vocab_size}, kKind));
  return step;
}

Result<kv_cache::KvCache> Engine::Impl::new_cache(uint32_t context) {
  kv_cache::KvOptions options = kv_options;
  options.context = context;
  return kv_cache::KvCache::create(device, kv_shape, options);
}

void Engine::Impl::write_tokens(const StepBuffers& step, std::span<const uint32_t> ids,
                                uint32_t first) {
  std::vector<uint32_t> positions(ids.size());
  std::iota(positions.begin(), positions.end(), first);
  device.write(step.state.token_ids, std::as_bytes(ids));
  device.write(step.state.positions, std::as_bytes(std::span(positions)));
}

void Engine::Impl::encode_step(gpu::Encoder& enc, const StepBuffers& step,
                               const kv_cache::KvCache& kv, uint32_t n_tokens, uint32_t n_keys,
                               Ending ending, const ops::TokenChoice& choice) {
  const model::Batch batch = {.token_ids = step.state.token_ids.first_rows(n_tokens),
                              .positions = step.state.positions.first_rows(n_tokens),
                              .n_keys = n_keys};
  model->record(enc, batch, kv, step.logits);
  if (ending == Ending::token) {
    if (choice.adjusts) {
      ops::adjust_logits(enc, step.logits, step.sampling, step.state.token_ids,
                         choice.counts_input);
    }
    ops::sample_token(enc, step.logits, step.sampling, step.state, n_tokens - 1, choice);
  }
}

Result<gpu::Recording> Engine::Impl::record_step(const StepBuffers& step,
                                                 const kv_cache::KvCache& kv, uint32_t n_tokens,
                                                 uint32_t n_keys, Ending ending,
                                                 const ops::TokenChoice& choice) {
  gpu::Encoder enc(device, n_tokens == 1 ? "decode step" : fmt::format("prefill {}", n_tokens));
  encode_step(enc, step, kv, n_tokens, n_keys, ending, choice);
  return enc.finish();
}

Result<std::unique_ptr<Session::Impl>> Session::Impl::create(Engine::Impl& engine,
                                                             uint32_t context) {
  TRY(kv_cache::KvCache kv, engine.new_cache(context));
  TRY(StepBuffers step, StepBuffers::create(engine.device, engine.model->max_tokens(), context,
                                            engine.config.vocab_size));
  // Whatever the driver refused to allocate is known now, before anything runs on it.
  if (auto accepted = gpu::wait(engine.device, engine.device.settle()); !accepted) {
    return fail(accepted.error().code, "session: a context of {} tokens: {}", context,
                accepted.error().message);
  }
  return std::make_unique<Impl>(
      Impl{.engine = engine, .kv = std::move(kv), .step = std::move(step)});
}

uint32_t Session::Impl::decode_end(uint32_t position) const {
  return std::min(kv.slab_of(position).end, model::Batch{.n_keys = position + 1}.end_served());
}

Result<const gpu::Recording*> Session::Impl::decode_step(Engine::Impl::Ending ending,
                                                         uint32_t position,
                                                         const ops::TokenChoice& choice) {
  DecodeStep& made = ending == Engine::Impl::Ending::token ? decode_to_token : decode_to_logits;
  const uint32_t end = decode_end(position);
  if (!made.recording || made.end != end || made.revision != kv.revision() ||
      made.choice != choice) {
    TRY(made.recording, engine.record_step(step, kv, 1, position + 1, ending, choice));
    made.choice = choice;
    made.end = end;
    made.revision = kv.revision();
  }
  return &*made.recording;
}

Result<void> make_room_and_wait(gpu::Device& device, kv_cache::KvCache& kv, uint32_t first,
                                uint32_t end) {
  while (true) {
    TRY(std::optional<gpu::Readback> moving, kv.make_room(device, first, end));
    if (!moving) return {};
    TRY(const std::vector<std::byte> bytes, gpu::wait(device, std::move(*moving)));
    kv.moved(device, bytes);
  }
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

std::span<const uint32_t> Session::ids() const { return impl_->ids; }
uint32_t Session::length() const { return static_cast<uint32_t>(impl_->ids.size()); }

Result<void> Session::rewind(uint32_t length) {
  if (length > impl_->ids.size()) {
    return fail(ErrorCode::invalid_argument,
                "session: {} tokens are to be kept, {} are held; expected at most that many",
                length, impl_->ids.size());
  }
  // What lies in the cache past the new end, overrun included, is overwritten by the next tokens.
  impl_->ids.resize(length);
  impl_->n_evaluated = std::min<size_t>(impl_->n_evaluated, length);
  return {};
}

void Session::reset() {
  impl_->ids.clear();
  impl_->n_evaluated = 0;
}

Result<Generation> Session::generate(std::span<const uint32_t> prompt_ids,
                                     const GenerateOptions& options) {
  TRY(engine::Generator generator,
      engine::Generator::start(
          *impl_, prompt_ids, options,
          options.sample_on_host ? engine::host_sampler(options.sampling) : nullptr));
  while (!generator.finished()) {
    TRY(const std::vector<std::byte> bytes,
        gpu::wait(impl_->engine.device, generator.next_readback()));
    CHECK_OK(generator.resume(bytes));
  }
  return generator.finish();
}

std::string_view to_string(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop: return "stop";
    case FinishReason::length: return "length";
    case FinishReason::cancelled: return "cancelled";
  }
  return "stop";
}

}  // namespace handloom
