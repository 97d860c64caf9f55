// Measuring for a host that must not wait: what bench.h does in one call, in the steps of
// stepwise.h. No ranges are ever wanted.
#pragma once

#include <handloom/bench.h>
#include <handloom/stepwise.h>

namespace handloom {

/// What a step over tokens that the session holds costs on the GPU's clock. Needs the adapter's
/// feature `timestamps`; without it: unsupported.
class ProfileSteps {
 public:
  /// Of the decode step that evaluates the last of the session's first `n_tokens`, or of the
  /// prefill of all of these. `session` must outlive the steps, and do nothing else meanwhile.
  /// Error: invalid_argument where it has not evaluated so many.
  static Result<ProfileSteps> decode(Session& session, uint32_t n_tokens);
  static Result<ProfileSteps> prefill(Session& session, uint32_t n_tokens);
  ProfileSteps(ProfileSteps&&) noexcept;
  ProfileSteps& operator=(ProfileSteps&&) noexcept;
  ~ProfileSteps();

  std::optional<Wanted> wanted() const;
  Result<void> resume();
  StepProfile finish();

 private:
  struct Impl;
  explicit ProfileSteps(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Bytes per second that a plain read of a large buffer reaches.
class BandwidthSteps {
 public:
  static Result<BandwidthSteps> start(Engine& engine);
  BandwidthSteps(BandwidthSteps&&) noexcept;
  BandwidthSteps& operator=(BandwidthSteps&&) noexcept;
  ~BandwidthSteps();

  std::optional<Wanted> wanted() const;
  Result<void> resume();
  double finish();

 private:
  struct Impl;
  explicit BandwidthSteps(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace handloom
