// handloom run: a prompt in, text out, figures after.
#include "commands.h"
#include "failure.h"
#include "figures.h"
#include "model.h"
#include "print.h"
#include "prompt.h"
#include "sampling.h"
#include "terminal.h"
#include "text_stream.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace cli {
namespace {

/// The prompt must leave room for one token. Checked before anything is printed.
void check_fits(const handloom::Engine& engine, size_t n_prompt) {
  const uint32_t context = engine.model().context;
  if (n_prompt < context) return;
  throw Failure(
      fmt::format("run: the prompt has {} and the context holds {}, expected room for at "
                  "least one more; shorten the prompt or raise --context",
                  count_text(n_prompt, "token"), context));
}

void verify_prompt(handloom::Engine& engine, std::span<const uint32_t> ids) {
  handloom::StageReport worst, last;
  size_t n_stages = 0;
  const bool passed =
      take(handloom::verify_against_cpu(engine, ids, [&](const handloom::StageReport& stage) {
        if (n_stages++ == 0 || stage.max_error > worst.max_error) worst = stage;
        last = stage;
      }));
  if (!passed) {
    throw Failure(
        fmt::format("verify: stage '{}' has an error of {:.2e} against the CPU reference, "
                    "expected at most {:.2e}",
                    last.name, last.max_error, last.tolerance));
  }
  write_stderr(
      fmt::format("verified {} of the prompt against the CPU reference: the largest error is "
                  "{:.2e}, in '{}'\n",
                  count_text(n_stages, "stage"), worst.max_error, worst.name));
}

handloom::GenerateOptions generate_options(const RunCommand& command,
                                           const handloom::SamplingOptions& sampling,
                                           TextStream& stream) {
  handloom::GenerateOptions options;
  options.max_tokens = command.max_tokens;
  options.sampling = sampling;
  options.stop = command.stop;
  options.steps_in_flight = command.decode.steps_in_flight;
  options.sample_on_host = command.decode.sample_on_host;
  if (command.json) {
    options.on_text = [](std::string_view, uint32_t) { return !interrupted(); };
  } else {
    options.on_text = [&stream](std::string_view text, uint32_t) { return stream.write(text); };
  }
  return options;
}

std::string generation_json(std::span<const uint32_t> prompt,
                            const handloom::Generation& generation, const Figures& figures) {
  nlohmann::ordered_json json = {
      {"prompt_ids", std::vector<uint32_t>(prompt.begin(), prompt.end())},
      {"ids", generation.ids},
      {"text", generation.text},
      {"finish_reason", to_string(generation.finish_reason)},
      {"seed", nullptr},
      {"timings", figures_json(figures)}};
  if (figures.seed) json["seed"] = *figures.seed;
  // `replace`: a byte-level vocabulary can spell text that is not UTF-8; JSON cannot hold it.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Figures take_figures(handloom::Engine& engine, const handloom::Generation& generation,
                     const handloom::SamplingOptions& sampling) {
  Figures figures;
  figures.load_ms = engine.load_ms();
  figures.timings = generation.timings;
  figures.memory = engine.memory();
  figures.adapter = engine.adapter();
  if (sampling.temperature > 0.0f) figures.seed = sampling.seed;
  if (const auto bandwidth = engine.measure_read_bandwidth()) figures.read_bandwidth = *bandwidth;
  return figures;
}

void write_notices(const RunCommand& command, const handloom::Engine& engine,
                   const handloom::SamplingOptions& sampling) {
  for (const std::string& line : {software_notice(engine.adapter(), !command.model.adapter.empty()),
                                  greedy_note(command.sampling, sampling)}) {
    if (!line.empty()) write_stderr(line + "\n");
  }
}

/// What loading would allocate. Fails, having said so, if it does not fit.
int dry_run(const RunCommand& command) {
  const auto estimate = take(
      handloom::Engine::estimate(find_model(command.model.folder), load_options(command.model)));
  write_stdout(command.json ? estimate_json(estimate).dump() + "\n" : estimate_text(estimate));
  return estimate.fits ? 0 : kExitFailure;
}

}  // namespace

int execute(const RunCommand& command) {
  if (command.dry_run) return dry_run(command);
  const Prompt prompt = read_prompt(command.prompt);
  handloom::Engine engine = load_engine(command.model);
  const std::vector<uint32_t> ids = prompt_ids(prompt, engine.tokenizer());
  check_fits(engine, ids.size());
  const auto sampling = apply(command.sampling, engine.default_sampling(), draw_seed());
  write_notices(command, engine, sampling);
  if (command.verify) verify_prompt(engine, ids);

  handloom::Session session = take(engine.new_session());
  TextStream stream;
  catch_interrupt();
  const auto options = generate_options(command, sampling, stream);
  auto result = session.generate(ids, options);
  if (!result) {
    // Text that is already on the screen ends its line before the error begins another.
    if (!command.json) stream.write("\n");
    throw Failure(result.error().message);
  }
  if (!command.json) stream.finish(result->text);
  const Figures figures = take_figures(engine, *result, sampling);
  if (command.json) write_stdout(generation_json(ids, *result, figures));
  write_stderr(figures_line(figures) + "\n");
  return result->finish_reason == handloom::FinishReason::cancelled ? kExitInterrupted : 0;
}

}  // namespace cli
