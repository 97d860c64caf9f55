#include "engine/profiler.h"

#include "base/result.h"
#include "engine/times.h"

#include <algorithm>

namespace handloom::engine {
namespace {

constexpr uint32_t kRuns = 7;

}  // namespace

double own_us(std::span<const gpu::GpuSpan> spans, size_t i) {
  const uint64_t begin =
      i == 0 ? spans[0].begin_ns : std::max(spans[i].begin_ns, spans[i - 1].end_ns);
  return static_cast<double>(spans[i].end_ns - std::min(begin, spans[i].end_ns)) * 1e-3;
}

Profiler Profiler::of_decode(Session::Impl& session, std::span<const uint32_t> ids) {
  Profiler profiler(session, ids);
  profiler.passes_ = {{.first = static_cast<uint32_t>(ids.size() - 1), .n = 1}};
  return profiler;
}

Profiler Profiler::of_prefill(Session::Impl& session, std::span<const uint32_t> ids) {
  Profiler profiler(session, ids);
  const auto n_ids = static_cast<uint32_t>(ids.size());
  const uint32_t most = std::min(session.engine.model->max_tokens(), session.kv.most_rows());
  for (uint32_t first = 0, n = 0; first < n_ids; first += n) {
    n = even_batch(n_ids - first, most);
    profiler.passes_.push_back({.first = first, .n = n});
  }
  return profiler;
}

/// Of its own: a session's serves positions after this one, too, and counts the bytes of where it
/// was made.
Result<void> Profiler::record(const Pass& pass) {
  using Ending = Engine::Impl::Ending;
  Engine::Impl& engine = session_.engine;
  const uint32_t end = pass.first + pass.n;
  CHECK_OK(make_room_and_wait(engine.device, session_.kv, pass.first, end));
  const Ending ending = end == ids_.size() ? Ending::token : Ending::logits;
  TRY(recording_, engine.record_step(session_.step, session_.kv, pass.n, end, ending));
  return {};
}

Result<gpu::Readback> Profiler::next_readback() {
  const Pass& pass = passes_[pass_];
  if (!recording_) CHECK_OK(record(pass));
  gpu::Device& device = session_.engine.device;
  // A step moves its own position on.
  session_.engine.write_tokens(session_.step, ids_.subspan(pass.first, pass.n), pass.first);
  if (!is_whole_) return device.profile(*recording_);
  CHECK_OK(device.start_trace());
  device.submit(*recording_);
  return device.end_trace();
}

void Profiler::resume(std::span<const std::byte> stamps) {
  const std::vector<gpu::GpuSpan> spans = gpu::spans_of(stamps);
  is_whole_ = !is_whole_;
  if (is_whole_) {
    us_.resize(spans.size());
    for (size_t i = 0; i < spans.size(); ++i) us_[i].push_back(own_us(spans, i));
    return;
  }
  span_us_.push_back(own_us(spans, 0));
  if (++run_ == kRuns) end_pass();
}

void Profiler::end_pass() {
  const auto entries = recording_->plan();
  profile_.entries.insert(profile_.entries.end(), entries.begin(), entries.end());
  for (std::vector<double>& us : us_) profile_.us.push_back(median(std::move(us)));
  profile_.span_us += median(std::move(span_us_));
  us_.clear();
  span_us_.clear();
  run_ = 0;
  recording_.reset();
  ++pass_;
}

StepProfile Profiler::finish() { return std::move(profile_); }

}  // namespace handloom::engine
