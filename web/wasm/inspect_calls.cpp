// What the pages that look inside ask for, and the runtime does without: lists of dispatches and
// what they cost, the adapter's bandwidth, how likely each next token is, and the kernels' checks.
// What takes time goes on in steps, one task at a time.
#include "page.h"

#include "base/result.h"

#include <handloom/kernel_checks.h>
#include <handloom/stepwise_measure.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace handloom::web {
namespace {

class Task {
 public:
  virtual ~Task() = default;
  virtual std::optional<Wanted> wanted() const = 0;
  virtual Result<void> resume() = 0;
  virtual Result<JsonText> finish() = 0;
};

std::unique_ptr<Task> task;
std::optional<KernelChecks> kernel_checks;

// --- Lists of dispatches

JsonText to_json(const PlanEntry& entry) {
  std::vector<JsonText> bindings;
  for (const PlanBinding& b : entry.bindings) {
    bindings.push_back(JsonText()
                           .put("name", b.name)
                           .put("tensor", b.tensor)
                           .put("dtype", b.dtype)
                           .put("shape", b.shape)
                           .put("written", b.written));
  }
  return JsonText()
      .put("kernel", entry.kernel)
      .put("bindings", bindings)
      .put("constants", entry.constants)
      .put("params", entry.params)
      .put("workgroups", std::span<const uint32_t>(entry.workgroups))
      .put("bytes", entry.bytes);
}

/// Whether the step is a prefill of `tokens`, or a decode step.
Result<bool> is_prefill(const JsonObject& call) {
  TRY(const std::string& kind, call.get_string("step"));
  if (kind == "prefill" || kind == "decode") return kind == "prefill";
  return fail(ErrorCode::invalid_argument, "{}: 'step' is '{}', expected prefill or decode",
              call.where(), kind);
}

Result<JsonText> plan(const JsonObject& call) {
  TRY(const bool prefill, is_prefill(call));
  TRY(const uint32_t tokens, call.get_u32("tokens"));
  TRY(const Plan made,
      prefill ? page.engine->plan_prefill(tokens) : page.engine->plan_decode(tokens - 1));
  std::vector<JsonText> entries;
  for (const PlanEntry& entry : made.entries) entries.push_back(to_json(entry));
  return JsonText().put("title", made.title).put("entries", entries);
}

class ProfileTask final : public Task {
 public:
  explicit ProfileTask(ProfileSteps steps) : steps_(std::move(steps)) {}
  std::optional<Wanted> wanted() const override { return steps_.wanted(); }
  Result<void> resume() override { return steps_.resume(); }
  Result<JsonText> finish() override {
    const StepProfile profile = steps_.finish();
    std::vector<JsonText> entries;
    for (size_t i = 0; i < profile.entries.size(); ++i) {
      entries.push_back(to_json(profile.entries[i]).put("us", profile.us[i]));
    }
    return JsonText().put("entries", entries).put("spanUs", profile.span_us);
  }

 private:
  ProfileSteps steps_;
};

Result<JsonText> start_profile(const JsonObject& call) {
  TRY(Session * session, get_session(call));
  TRY(const bool prefill, is_prefill(call));
  TRY(const uint32_t tokens, call.get_u32("tokens"));
  TRY(ProfileSteps steps,
      prefill ? ProfileSteps::prefill(*session, tokens) : ProfileSteps::decode(*session, tokens));
  task = std::make_unique<ProfileTask>(std::move(steps));
  return JsonText();
}

// --- Bandwidth

class BandwidthTask final : public Task {
 public:
  explicit BandwidthTask(BandwidthSteps steps) : steps_(std::move(steps)) {}
  std::optional<Wanted> wanted() const override { return steps_.wanted(); }
  Result<void> resume() override { return steps_.resume(); }
  Result<JsonText> finish() override { return JsonText().put("bytesPerSecond", steps_.finish()); }

 private:
  BandwidthSteps steps_;
};

Result<JsonText> start_bandwidth(const JsonObject&) {
  TRY(BandwidthSteps steps, BandwidthSteps::start(*page.engine));
  task = std::make_unique<BandwidthTask>(std::move(steps));
  return JsonText();
}

// --- The next token

/// How likely each token is to follow `ids`, which the session then holds, and one more.
class NextTokenTask final : public Task {
 public:
  NextTokenTask(uint32_t n_top) : n_top_(n_top) {}
  Result<void> start(Session& session, std::span<const uint32_t> ids) {
    GenerateOptions options = {.max_tokens = 1, .ids_only = true};
    options.on_logits = [this](std::span<const float> logits) {
      logits_.assign(logits.begin(), logits.end());
      const auto n_finite = std::ranges::count_if(logits, [](float l) { return std::isfinite(l); });
      is_finite_ = static_cast<size_t>(n_finite) == logits.size();
      std::ranges::replace_if(
          logits_, [](float l) { return std::isnan(l); }, -INFINITY);
    };
    TRY(steps_, GenerateSteps::start_on_host(session, ids, std::move(options)));
    return {};
  }
  std::optional<Wanted> wanted() const override { return steps_->wanted(); }
  Result<void> resume() override { return steps_->resume(); }
  Result<JsonText> finish() override;

 private:
  uint32_t n_top_;
  std::vector<float> logits_;
  bool is_finite_ = false;
  std::optional<GenerateSteps> steps_;
};

Result<JsonText> NextTokenTask::finish() {
  const float largest = *std::ranges::max_element(logits_);
  double sum = 0, weighted = 0;
  for (const float logit : logits_) {
    const double below = double{logit} - largest, weight = std::exp(below);
    sum += weight;
    weighted += weight * below;
  }
  std::vector<uint32_t> ids(logits_.size());
  std::iota(ids.begin(), ids.end(), 0u);
  const auto n_top = static_cast<std::ptrdiff_t>(std::min<size_t>(n_top_, ids.size()));
  std::ranges::partial_sort(ids, ids.begin() + n_top, [this](uint32_t a, uint32_t b) {
    return logits_[a] > logits_[b] || (logits_[a] == logits_[b] && a < b);
  });
  std::vector<JsonText> top;
  for (std::ptrdiff_t i = 0; i < n_top; ++i) {
    TRY(const std::string& text, page.engine->tokenizer().decode({&ids[i], 1}));
    top.push_back(JsonText()
                      .put("id", ids[i])
                      .put("text", text)
                      .put("probability", std::exp(double{logits_[ids[i]]} - largest) / sum));
  }
  return JsonText()
      .put("top", top)
      .put("entropyBits", (std::log(sum) - weighted / sum) / std::log(2.0))
      .put("finite", is_finite_);
}

Result<JsonText> start_next_token(const JsonObject& call) {
  TRY(Session * session, get_session(call));
  TRY(const std::vector<uint32_t>& ids, get_ids(call));
  TRY(const uint32_t n_top, call.get_u32("top"));
  auto next = std::make_unique<NextTokenTask>(n_top);
  CHECK_OK(next->start(*session, ids));
  task = std::move(next);
  return JsonText();
}

// --- Kernels

class KernelTask final : public Task {
 public:
  explicit KernelTask(size_t index) { kernel_checks->start(index); }
  std::optional<Wanted> wanted() const override { return kernel_checks->wanted(); }
  Result<void> resume() override {
    kernel_checks->resume();
    return {};
  }
  Result<JsonText> finish() override {
    const KernelReport report = kernel_checks->finish();
    std::string variants;
    for (const std::string& variant : report.variants) {
      variants += (variants.empty() ? "" : " ") + variant;
    }
    return JsonText()
        .put("kernel", report.kernel)
        .put("about", report.about)
        .put("variants", variants)
        .put("values", report.n_values)
        .put("exact", report.n_exact)
        .put("maxError", report.max_error)
        .put("meanError", report.mean_error)
        .put("ofLimit", report.of_limit)
        .put("passed", report.passed)
        .put("failure", report.failure);
  }
};

/// The kernel of each check, with spaces between.
Result<JsonText> open_kernel_checks(const JsonObject&) {
  TRY(kernel_checks, KernelChecks::open());
  std::string names;
  for (const std::string& name : kernel_checks->kernels()) {
    names += (names.empty() ? "" : " ") + name;
  }
  return JsonText().put("kernels", names);
}

Result<JsonText> start_kernel_check(const JsonObject& call) {
  TRY(const uint32_t index, call.get_u32("index"));
  task = std::make_unique<KernelTask>(index);
  return JsonText();
}

// --- Any task

Result<JsonText> task_wanted(const JsonObject&) { return wanted_json(task->wanted()); }

Result<JsonText> task_resume(const JsonObject&) {
  CHECK_OK(task->resume());
  return JsonText();
}

Result<JsonText> task_finish(const JsonObject&) { return std::exchange(task, nullptr)->finish(); }

constexpr Call kCalls[] = {{"plan", plan},
                           {"startProfile", start_profile},
                           {"startBandwidth", start_bandwidth},
                           {"startNextToken", start_next_token},
                           {"openKernelChecks", open_kernel_checks},
                           {"startKernelCheck", start_kernel_check},
                           {"taskWanted", task_wanted},
                           {"taskResume", task_resume},
                           {"taskFinish", task_finish}};

}  // namespace

std::span<const Call> more_calls() { return kCalls; }

}  // namespace handloom::web
