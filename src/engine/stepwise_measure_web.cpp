// The door of a host that must not wait, for measuring: Profiler and BandwidthProbe with what they
// wait for by its name.
#include <handloom/stepwise_measure.h>

#include "base/result.h"
#include "engine/bandwidth.h"
#include "engine/profiler.h"

namespace handloom {
namespace {

std::optional<Wanted> wanted_of(const gpu::Readback& readback) {
  if (!readback.pending()) return std::nullopt;
  return Wanted{.readback = readback.buffer()};
}

/// The first `n` tokens of a timeline, if they have been evaluated.
Result<std::span<const uint32_t>> held(const Session& session, uint32_t n) {
  const std::span<const uint32_t> ids = session.ids();
  if (n > 0 && n <= ids.size()) return ids.first(n);
  return fail(ErrorCode::invalid_argument,
              "profile: {} tokens are asked for, expected 1 to the {} that the session holds", n,
              ids.size());
}

}  // namespace

struct ProfileSteps::Impl {
  engine::Profiler profiler;
  gpu::Readback readback = {};

  Result<void> look() {
    if (profiler.finished()) return {};
    TRY(readback, profiler.next_readback());
    return {};
  }
};

ProfileSteps::ProfileSteps(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProfileSteps::ProfileSteps(ProfileSteps&&) noexcept = default;
ProfileSteps& ProfileSteps::operator=(ProfileSteps&&) noexcept = default;
ProfileSteps::~ProfileSteps() = default;

Result<ProfileSteps> ProfileSteps::decode(Session& session, uint32_t n_tokens) {
  TRY(const std::span<const uint32_t> ids, held(session, n_tokens));
  auto impl =
      std::make_unique<Impl>(Impl{.profiler = engine::Profiler::of_decode(session.impl(), ids)});
  CHECK_OK(impl->look());
  return ProfileSteps(std::move(impl));
}

Result<ProfileSteps> ProfileSteps::prefill(Session& session, uint32_t n_tokens) {
  TRY(const std::span<const uint32_t> ids, held(session, n_tokens));
  auto impl =
      std::make_unique<Impl>(Impl{.profiler = engine::Profiler::of_prefill(session.impl(), ids)});
  CHECK_OK(impl->look());
  return ProfileSteps(std::move(impl));
}

std::optional<Wanted> ProfileSteps::wanted() const { return wanted_of(impl_->readback); }

Result<void> ProfileSteps::resume() {
  TRY(const std::vector<std::byte>& stamps, std::exchange(impl_->readback, {}).take());
  impl_->profiler.resume(stamps);
  return impl_->look();
}

StepProfile ProfileSteps::finish() { return impl_->profiler.finish(); }

struct BandwidthSteps::Impl {
  engine::BandwidthProbe probe;
  gpu::Readback readback = {};

  void look() {
    if (!probe.finished()) readback = probe.next_readback();
  }
};

BandwidthSteps::BandwidthSteps(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BandwidthSteps::BandwidthSteps(BandwidthSteps&&) noexcept = default;
BandwidthSteps& BandwidthSteps::operator=(BandwidthSteps&&) noexcept = default;
BandwidthSteps::~BandwidthSteps() = default;

Result<BandwidthSteps> BandwidthSteps::start(Engine& engine) {
  TRY(engine::BandwidthProbe probe, engine::BandwidthProbe::start(engine.impl().device));
  auto impl = std::make_unique<Impl>(Impl{.probe = std::move(probe)});
  impl->look();
  return BandwidthSteps(std::move(impl));
}

std::optional<Wanted> BandwidthSteps::wanted() const { return wanted_of(impl_->readback); }

Result<void> BandwidthSteps::resume() {
  CHECK_OK(std::exchange(impl_->readback, {}).take());
  impl_->probe.resume();
  impl_->look();
  return {};
}

double BandwidthSteps::finish() { return impl_->probe.bytes_per_second(); }

}  // namespace handloom
