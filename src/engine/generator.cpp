#include "engine/generator.h"

#include "base/result.h"

#include <algorithm>
#include <cstring>

namespace handloom::engine {
namespace {

/// Steps submitted ahead of the oldest token not read yet. Two hide the host's work between steps.
constexpr size_t kStepsInFlight = 2;

double milliseconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

Result<void> check_prompt(const Session::Impl& session, std::span<const uint32_t> prompt_ids) {
  const uint32_t vocab_size = session.engine.config.vocab_size;
  if (prompt_ids.empty()) {
    return fail(ErrorCode::invalid_argument, "session: the prompt is empty, expected a token");
  }
  for (const uint32_t id : prompt_ids) {
    if (id >= vocab_size) {
      return fail(ErrorCode::invalid_argument,
                  "session: prompt token {} is not in the model's vocabulary of {}", id,
                  vocab_size);
    }
  }
  const size_t total = session.ids.size() + prompt_ids.size();
  if (total >= session.kv.context()) {
    const std::string held =
        session.ids.empty() ? "" : fmt::format(" after {} held already", session.ids.size());
    return fail(ErrorCode::invalid_argument,
                "session: the prompt has {} tokens{}, the context holds {} and the answer needs "
                "room; use a shorter prompt or a larger --context",
                prompt_ids.size(), held, session.kv.context());
  }
  return {};
}

}  // namespace

Generator::Generator(Session::Impl& session, const GenerateOptions& options)
    : session_(session),
      options_(options),
      on_gpu_(options.sampling.needs_only_temperature()),
      decoder_(session.engine.tokenizer->impl()->tokenizer),
      stops_(options.stop),
      started_(Clock::now()) {
  if (!on_gpu_) sampler_.emplace(options.sampling);
}

Result<Generator> Generator::start(Session::Impl& session, std::span<const uint32_t> prompt_ids,
                                   const GenerateOptions& options) {
  CHECK_OK(check_prompt(session, prompt_ids));
  CHECK_OK(sampling::check_options(options.sampling, session.engine.config.vocab_size));
  Generator g(session, options);
  session.ids.insert(session.ids.end(), prompt_ids.begin(), prompt_ids.end());
  g.prompt_len_ = session.ids.size();
  CHECK_OK(g.prefill());
  CHECK_OK(g.submit_steps());
  return g;
}

uint32_t Generator::max_tokens() const {
  const auto room = static_cast<uint32_t>(session_.kv.context() - prompt_len_);
  return options_.max_tokens == 0 ? room : std::min(room, options_.max_tokens);
}

Result<void> Generator::prefill() {
  Engine::Impl& engine = session_.engine;
  const auto sampling = ops::sampling_words(options_.sampling.temperature, options_.sampling.seed);
  engine.device.write(session_.step.sampling, std::as_bytes(std::span(sampling)));

  const size_t n_held = session_.ids.size();
  size_t first = session_.n_evaluated;
  result_.timings.n_prompt = static_cast<uint32_t>(n_held - first);
  while (first < n_held) {
    const size_t n = std::min<size_t>(n_held - first, engine.model->max_tokens());
    const bool is_last = first + n == n_held;
    engine.write_tokens(session_.step, std::span(session_.ids).subspan(first, n),
                        static_cast<uint32_t>(first));
    const auto ending =
        is_last && on_gpu_ ? Engine::Impl::Ending::token : Engine::Impl::Ending::logits;
    TRY(const gpu::Recording recording,
        engine.record_step(session_.step, session_.kv, static_cast<uint32_t>(n),
                           static_cast<uint32_t>(first + n), ending));
    if (is_last) {
      in_flight_.push_back(engine.device.submit_and_read(
          recording, on_gpu_ ? session_.step.state.history.row(static_cast<uint32_t>(n_held))
                             : session_.step.logits));
      n_submitted_ = 1;
    } else {
      engine.device.submit(recording);
    }
    first += n;
  }
  session_.n_evaluated = n_held;
  return {};
}

Result<void> Generator::submit_steps() {
  if (!on_gpu_ || reason_) return {};
  while (in_flight_.size() < kStepsInFlight && n_submitted_ < max_tokens()) {
    TRY(const gpu::Recording* step, session_.decode_step(Engine::Impl::Ending::token));
    ++n_submitted_;
    const auto position = static_cast<uint32_t>(prompt_len_ + n_submitted_ - 1);
    in_flight_.push_back(
        session_.engine.device.submit_and_read(*step, session_.step.state.history.row(position)));
  }
  return {};
}

gpu::Readback Generator::next_readback() {
  gpu::Readback oldest = std::move(in_flight_.front());
  in_flight_.pop_front();
  return oldest;
}

Result<uint32_t> Generator::chosen_token(std::span<const std::byte> bytes) {
  uint32_t token_id = ops::kNoToken;
  if (on_gpu_) {
    std::memcpy(&token_id, bytes.data(), sizeof token_id);
  } else {
    std::vector<float> logits(bytes.size() / sizeof(float));
    std::memcpy(logits.data(), bytes.data(), bytes.size());
    const auto position = static_cast<uint32_t>(session_.ids.size());
    TRY(token_id, sampler_->sample(logits, session_.ids, prompt_len_, position));
  }
  if (token_id >= session_.engine.config.vocab_size) {
    return fail(ErrorCode::gpu,
                "session: no token can be chosen at position {}, all logits are NaN; try "
                "--precision f32, or --verify to see where they come from",
                session_.ids.size());
  }
  return token_id;
}

Result<void> Generator::resume(std::span<const std::byte> bytes) {
  if (reason_) return {};  // overrun: a step past the end
  TRY(const uint32_t token_id, chosen_token(bytes));
  CHECK_OK(accept(token_id));
  if (reason_) return {};
  if (on_gpu_) return submit_steps();

  Engine::Impl& engine = session_.engine;
  engine.write_tokens(session_.step, std::span(&token_id, 1),
                      static_cast<uint32_t>(session_.ids.size() - 1));
  TRY(const gpu::Recording* step, session_.decode_step(Engine::Impl::Ending::logits));
  in_flight_.push_back(engine.device.submit_and_read(*step, session_.step.logits));
  return {};
}

bool Generator::is_end(uint32_t token_id) const {
  const auto is_among = [token_id](const std::vector<uint32_t>& ids) {
    return std::find(ids.begin(), ids.end(), token_id) != ids.end();
  };
  return is_among(session_.engine.eos_ids) || is_among(options_.stop_ids);
}

Result<std::string> Generator::text_of(uint32_t token_id) {
  if (is_end(token_id)) {
    reason_ = FinishReason::stop;
    TRY(const std::string rest, decoder_.finish());
    return stops_.push(rest) + stops_.finish();
  }
  TRY(const std::string decoded, decoder_.push(token_id));
  std::string text = stops_.push(decoded);
  if (!stops_.stopped() && result_.ids.size() == max_tokens()) {
    reason_ = FinishReason::length;
    TRY(const std::string rest, decoder_.finish());
    text += stops_.push(rest) + stops_.finish();
  }
  if (stops_.stopped()) reason_ = FinishReason::stop;
  return text;
}

Result<void> Generator::accept(uint32_t token_id) {
  last_token_ = Clock::now();
  if (result_.ids.empty()) {
    first_token_ = last_token_;
  } else {
    // The step that chose this token read all weights and every key before it.
    const ModelInfo& info = session_.engine.info;
    result_.timings.decode_bytes +=
        info.weight_bytes_per_token + info.kv_bytes_per_token * session_.ids.size();
    session_.n_evaluated = session_.ids.size();
  }
  session_.ids.push_back(token_id);
  result_.ids.push_back(token_id);
  TRY(const std::string text, text_of(token_id));
  result_.text += text;
  if (options_.on_text && !options_.on_text(text, token_id) && !reason_) {
    reason_ = FinishReason::cancelled;
  }
  return {};
}

Generation Generator::finish() {
  result_.finish_reason = reason_.value_or(FinishReason::cancelled);
  result_.timings.n_generated = static_cast<uint32_t>(result_.ids.size());
  result_.timings.prefill_ms = milliseconds(first_token_ - started_);
  result_.timings.decode_ms = milliseconds(last_token_ - first_token_);
  return std::move(result_);
}

}  // namespace handloom::engine
