// Generator: one call of Session::generate as a state machine that never waits.
//
//   auto g = Generator::start(...);              // prefill and the first steps are submitted
//   while (!g->finished()) {
//     bytes = <wait for g->next_readback()>;     // natively gpu::wait, in a page a promise
//     g->resume(bytes);                          // one token further; more steps are submitted
//   }
//   g->finish();
//
// Where the GPU chooses the tokens, several steps are in flight (pace.h): step k + 1 is submitted
// before token k is known here. Steps beyond the end are overrun: nobody waits for them, their
// tokens are never read, and what they appended to the KV cache lies past the session's length,
// where the next tokens overwrite it.
#pragma once

#include "engine/engine_impl.h"
#include "engine/host_sampler.h"
#include "engine/pace.h"
#include "engine/stop_matcher.h"
#include "gpu/encoder.h"

#include <chrono>
#include <vector>

namespace handloom::engine {

class Generator {
 public:
  /// Without `sample_on_host` the GPU chooses the tokens.
  static Result<Generator> start(Session::Impl& session, std::span<const uint32_t> prompt_ids,
                                 const GenerateOptions& options, HostSampler sample_on_host = {});

  bool finished() const { return reason_.has_value() && !moving_.pending(); }
  /// The oldest submit's result, or keys and values on their way to the host's memory, to be
  /// completed by the host. Only while not finished().
  gpu::Readback next_readback();
  Result<void> resume(std::span<const std::byte> bytes);
  Generation finish();

 private:
  using Clock = Pace::Clock;

  /// A submit that ends in tokens, or in logits that the host chooses from.
  struct Submitted {
    gpu::Readback readback = {};
    uint32_t n_tokens = 0;
    Clock::time_point at = {};
  };

  Generator(Session::Impl& session, const GenerateOptions& options, HostSampler sample_on_host);
  /// Whether the GPU chooses the tokens.
  bool on_gpu() const { return !sample_on_host_; }
  void write_options();
  /// Submits what can be: the prompt, batch by batch, then decode steps while there is room in
  /// flight, in the context and under max_tokens. Comes back early where pages must move first.
  Result<void> advance();
  Result<void> submit_prompt_batch();
  /// How many of the next steps to submit now; 0: others must be over before.
  uint32_t steps_wanted() const;
  /// Where the token lies that the next step evaluates.
  uint32_t next_position() const;
  Result<void> submit_steps(uint32_t n);
  void submit(const gpu::Recording& step, uint32_t times);
  /// Whether the cache has room for these positions now; if not, pages are on their way out of it.
  Result<bool> has_room(uint32_t first, uint32_t end);
  uint32_t batch_size() const;
  /// The tokens that a submit has ended in.
  Result<std::vector<uint32_t>> chosen_tokens(std::span<const std::byte> bytes);
  /// One token further: text out, and whether this was the end.
  Result<void> accept(uint32_t token_id);
  Result<std::string> text_of(uint32_t token_id);
  bool is_end(uint32_t token_id) const;
  uint32_t max_tokens() const;

  Session::Impl& session_;
  const GenerateOptions& options_;
  HostSampler sample_on_host_;
  ops::TokenChoice choice_;
  Pace pace_;
  size_t prompt_len_ = 0;             // ids of the timeline when generation began
  uint32_t n_submitted_ = 0;          // tokens asked of the GPU so far
  std::vector<Submitted> in_flight_;  // a few, the oldest first
  Submitted read_;                    // the last next_readback(), without its bytes
  gpu::Readback moving_;              // pages that leave the GPU
  bool is_moved_ = false;             // the last next_readback() was moving_
  tokenizer::StreamDecoder decoder_;
  StopMatcher stops_;
  std::optional<FinishReason> reason_;
  Generation result_;
  Clock::time_point started_, first_token_, last_token_;
};

}  // namespace handloom::engine
