// Generator: one call of Session::generate as a state machine that never waits.
//
//   auto g = Generator::start(...);              // prefill and the first steps are submitted
//   while (!g->finished()) {
//     bytes = <wait for g->next_readback()>;     // natively gpu::wait, in a page a promise
//     g->resume(bytes);                          // one token further; more steps are submitted
//   }
//   g->finish();
//
// Where the GPU chooses the tokens, several steps are in flight: step k + 1 is submitted before
// token k is known here. Steps beyond the end are overrun: their tokens are never read, and what
// they appended to the KV cache lies past the session's length, where the next tokens overwrite it.
#pragma once

#include "engine/engine_impl.h"
#include "engine/stop_matcher.h"
#include "gpu/encoder.h"
#include "sampling/sampler.h"

#include <chrono>
#include <deque>

namespace handloom::engine {

class Generator {
 public:
  static Result<Generator> start(Session::Impl& session, std::span<const uint32_t> prompt_ids,
                                 const GenerateOptions& options);

  bool finished() const { return reason_.has_value() && in_flight_.empty(); }
  /// The oldest step's result, to be completed by the host. Only while not finished().
  gpu::Readback next_readback();
  Result<void> resume(std::span<const std::byte> bytes);
  Generation finish();

 private:
  using Clock = std::chrono::steady_clock;

  Generator(Session::Impl& session, const GenerateOptions& options);
  Result<void> prefill();
  /// Submits decode steps while there is room in flight, in the context and under max_tokens.
  Result<void> submit_steps();
  Result<uint32_t> chosen_token(std::span<const std::byte> bytes);
  /// One token further: text out, and whether this was the end.
  Result<void> accept(uint32_t token_id);
  Result<std::string> text_of(uint32_t token_id);
  bool is_end(uint32_t token_id) const;
  uint32_t max_tokens() const;

  Session::Impl& session_;
  const GenerateOptions& options_;
  bool on_gpu_;  // the GPU chooses the tokens
  std::optional<sampling::Sampler> sampler_;
  size_t prompt_len_ = 0;     // ids of the timeline when generation began
  uint32_t n_submitted_ = 0;  // tokens asked of the GPU so far
  std::deque<gpu::Readback> in_flight_;
  tokenizer::StreamDecoder decoder_;
  StopMatcher stops_;
  std::optional<FinishReason> reason_;
  Generation result_;
  Clock::time_point started_, first_token_, last_token_;
};

}  // namespace handloom::engine
