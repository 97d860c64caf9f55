// Bench: a session driven for its times and not for its text.
#include "base/md5.h"
#include "base/random.h"
#include "base/result.h"
#include "engine/engine_impl.h"
#include "engine/profiler.h"
#include "gpu/encoder.h"
#include "gpu/native.h"
#include "kernels/kernels.h"

#include <handloom/bench.h>

#include <algorithm>
#include <cstring>

namespace handloom {
namespace {

using Ending = Engine::Impl::Ending;

std::vector<uint32_t> made_up_ids(uint32_t n, uint32_t vocab_size) {
  std::vector<uint32_t> ids(n);
  for (uint32_t i = 0; i < n; ++i) ids[i] = random_bits(1, i, 0) % vocab_size;
  return ids;
}

Result<std::vector<gpu::GpuSpan>> wait_for_spans(gpu::Device& device, gpu::Readback readback) {
  TRY(const std::vector<std::byte> bytes, gpu::wait(device, std::move(readback)));
  return gpu::spans_of(bytes);
}

/// What a trace says of `n_steps` decode steps, one or several a submit, behind the prompt's
/// submit.
StepTrace summary(std::span<const gpu::GpuSpan> spans, uint32_t n_steps) {
  // How many steps are in flight is found out on the way: idle is counted in the second half.
  const size_t steady = std::max<size_t>(spans.size() / 2, 1);
  if (spans.size() <= steady || n_steps == 0) return {};
  double busy_us = 0, steady_us = 0;
  for (size_t i = 1; i < spans.size(); ++i) {
    busy_us += engine::own_us(spans, i);
    if (i >= steady) steady_us += engine::own_us(spans, i);
  }
  const double wall_us = static_cast<double>(spans.back().end_ns - spans[steady - 1].end_ns) * 1e-3;
  return {.n_steps = n_steps,
          .step_us = busy_us / n_steps,
          .idle = wall_us > 0 ? 1.0 - steady_us / wall_us : 0.0};
}

}  // namespace

std::vector<KernelHash> kernel_hashes() {
  std::vector<KernelHash> hashes;
  for (const gpu::Kernel* kernel : kernels::all()) {
    const std::string text = gpu::flatten(*kernel);
    hashes.push_back({std::string(kernel->name), md5_hex(std::as_bytes(std::span(text)))});
  }
  std::ranges::sort(hashes, {}, &KernelHash::kernel);
  return hashes;
}

struct Bench::Impl {
  Session::Impl& inside;  // of the session
  Session session;
  std::vector<uint32_t> ids;  // made up, as many as the context holds
  uint32_t n_filled = 0;      // of them, whose keys and values the cache has held since

  Result<Generation> generate(std::span<const uint32_t> prompt, uint32_t n_tokens,
                              const BenchOptions& options);
  /// Makes the timeline the first `n` - 1 ids, with room for `n_steps`; the first of these
  /// evaluates the last of the `n`.
  Result<void> hold(uint32_t n, uint32_t n_steps);
  Result<StepProfile> run(engine::Profiler profiler);
};

Result<Generation> Bench::Impl::generate(std::span<const uint32_t> prompt, uint32_t n_tokens,
                                         const BenchOptions& options) {
  GenerateOptions generate = {.max_tokens = n_tokens,
                              .steps_in_flight = options.steps_in_flight,
                              .sample_on_host = options.sample_on_host,
                              .ids_only = true};
  if (options.go_on) generate.on_text = [&](std::string_view, uint32_t) { return options.go_on(); };
  return session.generate(prompt, generate);
}

Result<void> Bench::Impl::hold(uint32_t n, uint32_t n_steps) {
  if (n == 0 || n_steps >= ids.size() || n > ids.size() - n_steps) {
    return fail(ErrorCode::invalid_argument,
                "bench: {} steps after {} tokens are asked for, expected at least one token and "
                "both within the context of {}",
                n_steps, n, ids.size());
  }
  if (n > n_filled) {
    session.reset();
    CHECK_OK(generate(std::span(ids).first(n), 1, {}));
    n_filled = n;
  }
  inside.ids.assign(ids.begin(), ids.begin() + n - 1);
  inside.n_evaluated = n - 1;
  return {};
}

Result<StepProfile> Bench::Impl::run(engine::Profiler profiler) {
  while (!profiler.finished()) {
    TRY(gpu::Readback readback, profiler.next_readback());
    TRY(const std::vector<std::byte> stamps, gpu::wait(inside.engine.device, std::move(readback)));
    profiler.resume(stamps);
  }
  return profiler.finish();
}

Result<Bench> Bench::create(Engine& engine) {
  const uint32_t context = engine.model().context;
  TRY(std::unique_ptr<Session::Impl> session, Session::Impl::create(engine.impl(), context));
  Session::Impl& inside = *session;
  return Bench(
      std::make_unique<Impl>(Impl{.inside = inside,
                                  .session = Session(std::move(session)),
                                  .ids = made_up_ids(context, engine.model().vocab_size)}));
}

Bench::Bench(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Bench::Bench(Bench&&) noexcept = default;
Bench& Bench::operator=(Bench&&) noexcept = default;
Bench::~Bench() = default;

Result<Timings> Bench::prefill(uint32_t n_tokens, const BenchOptions& options) {
  impl_->session.reset();
  const std::span<const uint32_t> ids = impl_->ids;
  TRY(const Generation made,
      impl_->generate(ids.first(std::min<size_t>(n_tokens, ids.size())), 1, options));
  return made.timings;
}

Result<Timings> Bench::decode(uint32_t context, uint32_t n_tokens, const BenchOptions& options) {
  CHECK_OK(impl_->hold(context, n_tokens));
  // The first token is that of the prompt's last; its time is not a decode step's.
  TRY(const Generation made, impl_->generate({&impl_->ids[context - 1], 1}, n_tokens + 1, options));
  return made.timings;
}

Result<std::vector<uint32_t>> Bench::greedy(uint32_t n_prompt, uint32_t n_tokens,
                                            const BenchOptions& options) {
  CHECK_OK(impl_->hold(n_prompt, n_tokens));
  TRY(Generation made, impl_->generate({&impl_->ids[n_prompt - 1], 1}, n_tokens, options));
  return std::move(made.ids);
}

Result<HostTensor> Bench::logits(uint32_t n_prompt, std::span<const uint32_t> ids) {
  CHECK_OK(impl_->hold(n_prompt, static_cast<uint32_t>(ids.size())));
  Session::Impl& s = impl_->inside;
  const uint32_t vocab_size = s.engine.config.vocab_size;
  HostTensor rows = {.name = "logits", .shape = {static_cast<uint32_t>(ids.size()), vocab_size}};
  rows.values.resize(ids.size() * vocab_size);
  for (uint32_t i = 0; i < ids.size(); ++i) {
    const uint32_t position = n_prompt - 1 + i;
    CHECK_OK(make_room_and_wait(s.engine.device, s.kv, position, position + 1));
    const uint32_t token_id = i == 0 ? impl_->ids[position] : ids[i - 1];
    s.engine.write_tokens(s.step, {&token_id, 1}, position);
    TRY(const gpu::Recording* step, s.decode_step(Ending::logits, position, {}));
    TRY(const std::vector<std::byte> row,
        gpu::wait(s.engine.device, s.engine.device.submit_and_read(*step, s.step.logits)));
    std::memcpy(&rows.values[size_t{i} * vocab_size], row.data(), row.size());
  }
  return rows;
}

Result<StepTrace> Bench::trace_decode(uint32_t context, uint32_t n_tokens,
                                      const BenchOptions& options) {
  gpu::Device& device = impl_->inside.engine.device;
  CHECK_OK(impl_->hold(context, n_tokens));
  CHECK_OK(device.start_trace());
  const auto made = impl_->generate({&impl_->ids[context - 1], 1}, n_tokens + 1, options);
  gpu::Readback trace = device.end_trace();
  if (!made) return std::unexpected(made.error());
  TRY(const std::vector<gpu::GpuSpan> spans, wait_for_spans(device, std::move(trace)));
  return summary(spans, made->timings.n_generated - 1);
}

Result<StepProfile> Bench::profile_decode(uint32_t context) {
  CHECK_OK(impl_->hold(context, 1));
  return impl_->run(
      engine::Profiler::of_decode(impl_->inside, std::span(impl_->ids).first(context)));
}

Result<StepProfile> Bench::profile_prefill(uint32_t n_tokens) {
  CHECK_OK(impl_->hold(n_tokens, 1));
  return impl_->run(
      engine::Profiler::of_prefill(impl_->inside, std::span(impl_->ids).first(n_tokens)));
}

}  // namespace handloom
