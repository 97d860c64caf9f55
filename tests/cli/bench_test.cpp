// The parts of handloom bench: samples, what is measured on which context, the check that must be
// able to fail, grouping by kernel, and the earlier report it compares with.
#include "bench_check.h"
#include "bench_compare.h"
#include "bench_json.h"
#include "bench_text.h"
#include "bench_work.h"
#include "command_line.h"
#include "output_file.h"
#include "tests/cli/failure_of.h"
#include "tests/cli/program.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <limits>

namespace cli {
namespace {

Samples samples_of(std::initializer_list<double> values) {
  Samples samples;
  for (const double value : values) samples.add(value);
  return samples;
}

TEST(Samples, HaveAMedianAndASpread) {
  EXPECT_TRUE(Samples().empty());
  const Samples odd = samples_of({3, 1, 2});
  EXPECT_EQ(odd.median(), 2);
  EXPECT_EQ(odd.least(), 1);
  EXPECT_EQ(odd.most(), 3);
  EXPECT_EQ(samples_of({4, 1, 3, 100}).median(), 3.5);
  EXPECT_EQ(samples_of({7}).median(), 7);
}

// What is measured

TEST(BenchWork, TheUsualContextsThatFit) {
  const BenchWork large = fit_work({}, 8192);
  ASSERT_EQ(large.points.size(), 3u);
  EXPECT_EQ(large.points[2].context, 4000u);
  EXPECT_EQ(large.points[2].n_tokens, 256u);
  EXPECT_EQ(large.n_prompt, 512u);
  EXPECT_EQ(large.repeats, 5u);
  EXPECT_EQ(large.note, "");

  const BenchWork small = fit_work({}, 512);
  ASSERT_EQ(small.points.size(), 1u);
  EXPECT_EQ(small.points[0].context, 256u);
  EXPECT_EQ(small.n_prompt, 256u);
  EXPECT_EQ(small.note, "no decode after 1024 or 4000 tokens: the context holds 512");
  EXPECT_EQ(fit_work({}, 100).points.at(0).context, 50u);
}

TEST(BenchWork, TokensEndWithTheContext) {
  const BenchWork work = fit_work({}, 4096);
  ASSERT_EQ(work.points.size(), 3u);
  EXPECT_EQ(work.points[2].n_tokens, 96u);
}

TEST(BenchWork, WhatWasAskedForAndDoesNotFitIsRefused) {
  EXPECT_EQ(failure_of([] {
              fit_work({.contexts = {16, 505}}, 512);
            }),
            "bench: --contexts has 505, expected at most 504: the context holds 512 and decoding "
            "takes 8 more");
  EXPECT_EQ(fit_work({.contexts = {504}}, 512).points[0].n_tokens, 8u);
  EXPECT_EQ(failure_of([] { fit_work({.prompt = 512}, 512); }),
            "bench: --prompt is 512, expected at most 511: the context holds 512");
  EXPECT_EQ(failure_of([] { fit_work({}, 30); }),
            "bench: the context holds 30 tokens, expected at least 48");
}

TEST(CommandLine, BenchTakesEveryOption) {
  const auto bench = std::get<BenchCommand>(parse_command_line(
      {"bench",    "--model",  "m",        "--contexts", "16,64", "--prompt",
       "32",       "--tokens", "9",        "--repeats",  "3",     "--steps-in-flight",
       "4",        "--sample", "host",     "--json",     "-",     "--compare",
       "old.json", "--plan",   "plain",    "--matvec",   "int8",  "--subgroups",
       "0",        "--ablate", "--profile"}));
  EXPECT_EQ(bench.model.folder, "m");
  EXPECT_EQ(bench.contexts, (std::vector<uint32_t>{16, 64}));
  EXPECT_EQ(bench.prompt, 32u);
  EXPECT_EQ(bench.tokens, 9u);
  EXPECT_EQ(bench.repeats, 3u);
  EXPECT_EQ(bench.steps_in_flight, 4u);
  EXPECT_TRUE(bench.sample_on_host);
  EXPECT_EQ(bench.json, "-");
  EXPECT_EQ(bench.compare, "old.json");
  EXPECT_EQ(bench.model.plan, handloom::PlanKind::plain);
  EXPECT_EQ(bench.model.matvec, "int8");
  EXPECT_EQ(bench.model.subgroups, false);
  EXPECT_TRUE(bench.ablate);
  EXPECT_TRUE(bench.profile);
}

TEST(CommandLine, BenchRefusesContextsThatAreNoNumbers) {
  for (const char* contexts : {"0", "16,", ",16", "16;32", "many"}) {
    const std::string sentence = failure_of(
        [&] {
          parse_command_line({"bench", "--contexts", contexts});
        },
        kExitUsage);
    EXPECT_TRUE(sentence.starts_with("--contexts is '")) << sentence;
  }
}

// The check

class BenchCheckOfLlama2 : public testing::Test {
 protected:
  handloom::Engine engine_ =
      take(handloom::Engine::load(kLlama2, {.precision = handloom::Precision::f32}));
  PlainReference plain_ = plain_reference(engine_);
};

TEST_F(BenchCheckOfLlama2, PassesAgainstItself) {
  const BenchCheck passed = check(engine_, &plain_, {}, 1e-4);
  EXPECT_EQ(passed.failure, "");
  EXPECT_TRUE(passed.is_finite);
  EXPECT_EQ(passed.n_chosen, passed.n_tokens);
  EXPECT_EQ(passed.n_equal, passed.n_tokens);
  EXPECT_EQ(passed.largest_difference, 0.0);
  const BenchCheck alone = check(engine_, nullptr, {}, 1e-4);
  EXPECT_EQ(alone.failure, "");
  EXPECT_FALSE(alone.n_equal);
}

TEST_F(BenchCheckOfLlama2, FailsWhereLogitsDiffer) {
  for (float& logit : plain_.logits.values) logit *= 1.001f;
  const BenchCheck failed = check(engine_, &plain_, {}, 1e-4);
  EXPECT_NEAR(failed.largest_difference, 1e-3, 1e-5);
  EXPECT_EQ(failed.failure, "logits differ from plan plain's by 1.0e-03, expected at most 1e-04");
  plain_.logits.values[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(check(engine_, &plain_, {}, 1e30).failure, "");
}

TEST_F(BenchCheckOfLlama2, CountsIdsThatPlainChoseOtherwise) {
  plain_.ids[5] = (plain_.ids[5] + 1) % engine_.model().vocab_size;
  const BenchCheck counted = check(engine_, &plain_, {}, 1e-4);
  EXPECT_LT(*counted.n_equal, counted.n_tokens);
}

// Reports

BenchReport report_of(double decode_rate) {
  BenchReport report;
  report.date = "2026-11-21";
  report.commit = "892cfa2";
  report.adapter.name = "NVIDIA H200";
  report.model.folder = "models/phi-3-mini-q4_0.gguf";
  report.read_bandwidth = 4e12;
  report.figures = {{.name = "load", .unit = "s", .samples = samples_of({1.0})},
                    {.name = "decode",
                     .tokens = 256,
                     .unit = "tok/s",
                     .samples = samples_of({decode_rate, decode_rate + 1, decode_rate - 1}),
                     .bytes_per_second = 1e12}};
  return report;
}

/// The line of the table that begins with `name`.
std::string line_of(const std::string& text, const std::string& name) {
  const size_t at = text.find("\n" + name);
  if (at == std::string::npos) return "(no " + name + ")";
  return text.substr(at + 1, text.find('\n', at + 1) - at - 1);
}

TEST(BenchText, HasMedianSpreadAndBandwidth) {
  const std::string line = line_of(bench_text(report_of(200), nullptr), "decode after 256 tokens");
  for (const char* part : {" 200 ", " 199 ", " 201 ", "tok/s", "1000 GB/s", "25.0 %"}) {
    EXPECT_NE(line.find(part), std::string::npos) << part << " in " << line;
  }
}

TEST(BenchText, MarksEveryFigureOfAFailedCheck) {
  BenchReport report = report_of(200);
  EXPECT_EQ(bench_text(report, nullptr).find("FAILED"), std::string::npos);
  report.check.failure = "the logits are not all finite, or all zero";
  const std::string text = bench_text(report, nullptr);
  EXPECT_NE(line_of(text, "decode").find("FAILED CHECK"), std::string::npos);
  EXPECT_NE(line_of(text, "load").find("FAILED CHECK"), std::string::npos);
  EXPECT_EQ(line_of(text, "check"), "check: FAILED: the logits are not all finite, or all zero");
}

TEST(BenchText, AblationSaysWhatEachChoiceIsWorthAndWhatIsRefused) {
  BenchReport report = report_of(200);
  report.ablation = {{.name = "as asked for", .figures = report.figures},
                     {.name = "plan plain", .figures = report_of(150).figures},
                     {.name = "matvec int8", .refusal = "engine: no int8 here"}};
  const std::string text = bench_text(report, nullptr);
  EXPECT_NE(line_of(text, "plan plain").find("0.75x"), std::string::npos) << text;
  EXPECT_NE(line_of(text, "matvec int8").find("not here: engine: no int8 here"), std::string::npos);
}

TEST(BenchProfile, GroupsDispatchesByKernelTheLongestFirst) {
  handloom::StepProfile step;
  const auto add = [&](const char* kernel, double us, uint64_t bytes) {
    step.entries.push_back({.kernel = kernel, .bytes = bytes});
    step.us.push_back(us);
  };
  add("rms_norm", 2, 10);
  add("matmul_vec", 5, 100);
  add("rms_norm", 4, 10);
  add("matmul_vec", 6, 200);
  const auto shares = group_by_kernel(step);
  ASSERT_EQ(shares.size(), 2u);
  EXPECT_EQ(shares[0].kernel, "matmul_vec");
  EXPECT_EQ(shares[0].count, 2u);
  EXPECT_EQ(shares[0].us, 11);
  EXPECT_EQ(shares[0].bytes, 300u);
  EXPECT_EQ(shares[1].us, 6);
}

class BenchFiles : public Program {
 protected:
  std::string write(const std::string& text) {
    write_file(folder_ / "old.json", text);
    return (folder_ / "old.json").string();
  }
};

TEST_F(BenchFiles, AnEarlierReportGivesRatios) {
  const auto all = read_earlier(write(bench_json(report_of(100)).dump() + "\n"));
  ASSERT_EQ(all.size(), 1u);
  const BenchReport now = report_of(200);
  EXPECT_TRUE(differences(all[0], now).empty());
  const std::string text = bench_text(now, &all[0]);
  EXPECT_NE(text.find("earlier: commit 892cfa2, 2026-11-21\n"), std::string::npos);
  EXPECT_NE(line_of(text, "decode").find("2.00x"), std::string::npos) << text;
  EXPECT_EQ(all[0].median_of({.name = "decode", .tokens = 1024}), std::nullopt);
}

TEST_F(BenchFiles, OfSeveralReportsTheLastOfTheSameModelAndAdapterIsTaken) {
  BenchReport other = report_of(1);
  other.model.folder = "llama.gguf";
  const auto all =
      read_earlier(write(bench_json(report_of(100)).dump() + "\n" +
                         bench_json(report_of(110)).dump() + "\n" + bench_json(other).dump()));
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(&choose_earlier(all, report_of(5)), &all[1]);
  BenchReport elsewhere = report_of(5);
  elsewhere.adapter.name = "llvmpipe";
  EXPECT_EQ(&choose_earlier(all, elsewhere), &all[2]);
  EXPECT_EQ(differences(all[2], elsewhere),
            (std::vector<std::string>{
                "note: the earlier model was llama.gguf, this is phi-3-mini-q4_0.gguf",
                "note: the earlier adapter was NVIDIA H200, this is llvmpipe"}));
}

TEST_F(BenchFiles, WhatIsNoReportIsRefused) {
  const std::string path = (folder_ / "old.json").string();
  EXPECT_EQ(failure_of([&] { read_earlier(path); }),
            path +
                ": cannot be read (No such file or directory), expected a file that bench "
                "--json wrote");
  for (const std::string text : {"{", "[]", "{\"date\": 1}", "null"}) {
    EXPECT_EQ(failure_of([&] { read_earlier(write(text)); }),
              path + ": line 1 is no report, expected what bench --json writes");
  }
  EXPECT_EQ(failure_of([&] { read_earlier(write("")); }),
            path + ": holds no report, expected what bench --json writes");
  EXPECT_NE(failure_of([&] { read_earlier(folder_.string()); }), "(no failure)");
}

TEST_F(BenchFiles, AnOutputFileIsWrittenWholeOrNotAtAll) {
  const std::string path = write("before");
  { OutputFile given_up(path); }
  EXPECT_EQ(read_file(path), "before");
  OutputFile(path).commit("after");
  EXPECT_EQ(read_file(path), "after");
  EXPECT_FALSE(fs::exists(path + ".partial"));
  const std::string nowhere = (folder_ / "no" / "such.json").string();
  EXPECT_EQ(failure_of([&] { OutputFile refused(nowhere); }),
            nowhere +
                ": cannot be written (No such file or directory), expected a file in a "
                "folder that takes it");
}

}  // namespace
}  // namespace cli
