#include "engine/generator.h"

#include "base/result.h"
#include "engine/times.h"
#include "sampling/sampler.h"

#include <algorithm>
#include <cstring>

namespace handloom::engine {
namespace {

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

Result<void> check_steps_in_flight(const GenerateOptions& options) {
  if (options.steps_in_flight <= Pace::kMostWanted) return {};
  return fail(ErrorCode::invalid_argument,
              "session: steps_in_flight is {}, expected at most {} (0: chosen)",
              options.steps_in_flight, Pace::kMostWanted);
}

}  // namespace

Generator::Generator(Session::Impl& session, const GenerateOptions& options,
                     HostSampler sample_on_host)
    : session_(session),
      options_(options),
      sample_on_host_(std::move(sample_on_host)),
      choice_(ops::token_choice(options.sampling)),
      pace_(on_gpu() ? options.steps_in_flight : 1, session.engine.readback_ms, session.step_ms),
      decoder_(session.engine.tokenizer->impl()->tokenizer),
      stops_(options.stop),
      started_(Clock::now()) {}

Result<Generator> Generator::start(Session::Impl& session, std::span<const uint32_t> prompt_ids,
                                   const GenerateOptions& options, HostSampler sample_on_host) {
  CHECK_OK(check_prompt(session, prompt_ids));
  CHECK_OK(sampling::check_options(options.sampling, session.engine.config.vocab_size));
  CHECK_OK(check_steps_in_flight(options));
  Generator g(session, options, std::move(sample_on_host));
  const size_t n_held = session.ids.size();
  session.ids.insert(session.ids.end(), prompt_ids.begin(), prompt_ids.end());
  g.prompt_len_ = session.ids.size();
  g.result_.timings.n_prompt = static_cast<uint32_t>(g.prompt_len_ - session.n_evaluated);
  if (g.on_gpu()) g.write_options();
  if (auto advanced = g.advance(); !advanced) {  // nothing of a refused prompt stays behind
    session.ids.resize(n_held);
    session.n_evaluated = std::min(session.n_evaluated, n_held);
    return std::unexpected(advanced.error());
  }
  return g;
}

void Generator::write_options() {
  gpu::Device& device = session_.engine.device;
  const ops::SamplingBuffers& buffers = session_.step.sampling;
  const ops::SamplingWords words = ops::sampling_words(options_.sampling);
  device.write(buffers.options, std::as_bytes(std::span(&words, 1)));
  if (!choice_.adjusts) return;
  const std::vector<uint32_t> adjustments =
      ops::adjustments(options_.sampling, session_.ids, session_.engine.config.vocab_size);
  device.write(buffers.adjustments, std::as_bytes(std::span(adjustments)));
}

uint32_t Generator::max_tokens() const {
  const auto room = static_cast<uint32_t>(session_.kv.context() - prompt_len_);
  return options_.max_tokens == 0 ? room : std::min(room, options_.max_tokens);
}

Result<void> Generator::advance() {
  while (!reason_ && !moving_.pending()) {
    if (n_submitted_ == 0) {
      const auto first = static_cast<uint32_t>(session_.n_evaluated);
      TRY(const bool room, has_room(first, first + batch_size()));
      if (room) CHECK_OK(submit_prompt_batch());
      continue;
    }
    const uint32_t n = steps_wanted();
    if (n == 0) return {};
    TRY(const bool room, has_room(next_position(), next_position() + 1));
    if (room) CHECK_OK(submit_steps(n));
  }
  return {};
}

uint32_t Generator::next_position() const {
  return static_cast<uint32_t>(prompt_len_ + n_submitted_ - 1);
}

uint32_t Generator::steps_wanted() const {
  const auto n_in_flight = n_submitted_ - static_cast<uint32_t>(result_.ids.size());
  const uint32_t most = pace_.steps_in_flight(), together = pace_.steps_per_submit();
  if (n_in_flight + together > most) return 0;
  return std::min(together, max_tokens() - n_submitted_);
}

Result<bool> Generator::has_room(uint32_t first, uint32_t end) {
  const uint32_t revision = session_.kv.revision();
  TRY(std::optional<gpu::Readback> moving,
      session_.kv.make_room(session_.engine.device, first, end));
  // A recording keeps alive what it binds, also what has left the cache.
  if (moving || session_.kv.revision() != revision) {
    session_.decode_to_token = {};
    session_.decode_to_logits = {};
  }
  if (!moving) return true;
  moving_ = std::move(*moving);
  return false;
}

uint32_t Generator::batch_size() const {
  const auto left = static_cast<uint32_t>(prompt_len_ - session_.n_evaluated);
  return even_batch(left, std::min(session_.engine.model->max_tokens(), session_.kv.most_rows()));
}

Result<void> Generator::submit_prompt_batch() {
  Engine::Impl& engine = session_.engine;
  const uint32_t n = batch_size();
  const auto first = static_cast<uint32_t>(session_.n_evaluated);
  const bool is_last = first + n == prompt_len_;
  engine.write_tokens(session_.step, std::span(session_.ids).subspan(first, n), first);
  const auto ending =
      is_last && on_gpu() ? Engine::Impl::Ending::token : Engine::Impl::Ending::logits;
  TRY(const gpu::Recording recording,
      engine.record_step(session_.step, session_.kv, n, first + n, ending, choice_));
  session_.n_evaluated += n;
  if (!is_last) {
    engine.device.submit(recording);
    return {};
  }
  submit(recording, 1);
  return {};
}

Result<void> Generator::submit_steps(uint32_t n) {
  Engine::Impl& engine = session_.engine;
  const uint32_t position = next_position();
  const auto ending = on_gpu() ? Engine::Impl::Ending::token : Engine::Impl::Ending::logits;
  if (!on_gpu()) {
    engine.write_tokens(session_.step, std::span(session_.ids).subspan(position, 1), position);
  }
  ops::TokenChoice choice = choice_;
  choice.counts_input = choice.adjusts;
  TRY(const gpu::Recording* step, session_.decode_step(ending, position, choice));
  submit(*step, std::min(n, session_.decode_end(position) - position));
  return {};
}

void Generator::submit(const gpu::Recording& step, uint32_t times) {
  const gpu::Tensor result = on_gpu() ? session_.step.state.history.rows(next_position() + 1, times)
                                      : session_.step.logits;
  in_flight_.push_back({.readback = session_.engine.device.submit_and_read(step, result, times),
                        .n_tokens = times,
                        .at = Clock::now()});
  n_submitted_ += times;
}

gpu::Readback Generator::next_readback() {
  is_moved_ = in_flight_.empty();
  if (is_moved_) return std::move(moving_);
  read_ = std::move(in_flight_.front());
  in_flight_.erase(in_flight_.begin());
  return std::move(read_.readback);
}

Result<std::vector<uint32_t>> Generator::chosen_tokens(std::span<const std::byte> bytes) {
  std::vector<uint32_t> ids(read_.n_tokens);
  if (on_gpu()) {
    std::memcpy(ids.data(), bytes.data(), bytes.size());
  } else {
    std::vector<float> logits(bytes.size() / sizeof(float));
    std::memcpy(logits.data(), bytes.data(), bytes.size());
    if (options_.on_logits) options_.on_logits(logits);
    const auto position = static_cast<uint32_t>(session_.ids.size());
    TRY(ids[0], sample_on_host_(logits, session_.ids, prompt_len_, position));
  }
  return ids;
}

Result<void> Generator::resume(std::span<const std::byte> bytes) {
  if (is_moved_) {
    session_.kv.moved(session_.engine.device, bytes);
    return advance();
  }
  TRY(const std::vector<uint32_t>& token_ids, chosen_tokens(bytes));
  const Clock::time_point now = Clock::now();
  if (result_.ids.empty()) {
    first_token_ = now;
  } else {
    pace_.saw(read_.n_tokens, read_.at, last_token_, now);
    session_.step_ms = pace_.step_ms();
  }
  last_token_ = now;
  for (const uint32_t token_id : token_ids) {
    if (reason_) return {};  // the rest is overrun
    CHECK_OK(accept(token_id));
  }
  return advance();
}

bool Generator::is_end(uint32_t token_id) const {
  const auto is_among = [token_id](const std::vector<uint32_t>& ids) {
    return std::find(ids.begin(), ids.end(), token_id) != ids.end();
  };
  return is_among(session_.engine.eos_ids) || is_among(options_.stop_ids);
}

Result<std::string> Generator::text_of(uint32_t token_id) {
  if (options_.ids_only) {
    if (result_.ids.size() == max_tokens()) reason_ = FinishReason::length;
    return std::string();
  }
  if (is_end(token_id)) {
    reason_ = FinishReason::stop;
    TRY(const std::string& rest, decoder_.finish());
    return stops_.push(rest) + stops_.finish();
  }
  TRY(const std::string& decoded, decoder_.push(token_id));
  std::string text = stops_.push(decoded);
  if (!stops_.stopped() && result_.ids.size() == max_tokens()) {
    reason_ = FinishReason::length;
    TRY(const std::string& rest, decoder_.finish());
    text += stops_.push(rest) + stops_.finish();
  }
  if (stops_.stopped()) reason_ = FinishReason::stop;
  return text;
}

Result<void> Generator::accept(uint32_t token_id) {
  if (token_id >= session_.engine.config.vocab_size) {
    return fail(ErrorCode::gpu,
                "session: no token can be chosen at position {}, every logit is NaN or -infinity; "
                "if logit_bias bans every token, ban fewer, else try --precision f32, or --verify "
                "to see where they come from",
                session_.ids.size());
  }
  if (!result_.ids.empty()) {
    // The step that chose this token read all weights and every key before it.
    const ModelInfo& info = session_.engine.info;
    result_.timings.decode_bytes +=
        info.weight_bytes_per_token + info.kv_bytes_per_token * session_.ids.size();
    session_.n_evaluated = session_.ids.size();
  }
  session_.ids.push_back(token_id);
  result_.ids.push_back(token_id);
  TRY(const std::string& text, text_of(token_id));
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
  result_.timings.steps_in_flight = pace_.steps_in_flight();
  result_.timings.visible_ms = pace_.visible_ms();
  return std::move(result_);
}

}  // namespace handloom::engine
