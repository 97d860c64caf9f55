// Numbers and lists in the forms that people read.
#include "figures.h"
#include "print.h"
#include "progress.h"
#include "stage_text.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace cli {
namespace {

using handloom::AdapterKind;

TEST(Print, ThreeDigitsWhateverTheSize) {
  EXPECT_EQ(three_digits(0.0), "0.00");
  EXPECT_EQ(three_digits(0.424), "0.42");
  EXPECT_EQ(three_digits(9.994), "9.99");
  EXPECT_EQ(three_digits(9.996), "10.0");
  EXPECT_EQ(three_digits(64.12), "64.1");
  EXPECT_EQ(three_digits(99.96), "100");
  EXPECT_EQ(three_digits(4321.0), "4321");
}

TEST(Print, BytesInDecimalUnits) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1000), "1.00 KB");
  EXPECT_EQ(bytes_text(13'600'000), "13.6 MB");
  EXPECT_EQ(bytes_text(999'600), "1.00 MB");
  EXPECT_EQ(bytes_text(18'446'744'073'709'551'615u), "18.4 EB");
}

TEST(Print, LimitsInBinaryUnits) {
  EXPECT_EQ(binary_bytes_text(134'217'728), "128 MiB");
  EXPECT_EQ(binary_bytes_text(1023), "1023 B");
  EXPECT_EQ(binary_bytes_text(1024), "1 KiB");
  EXPECT_EQ(binary_bytes_text(1536), "1.50 KiB");
  EXPECT_EQ(binary_bytes_text(2'147'483'648), "2 GiB");
  EXPECT_EQ(binary_bytes_text(4'294'967'295), "4.00 GiB");
  EXPECT_EQ(binary_bytes_text(18'446'744'073'709'551'615u), "16777216 TiB");
  EXPECT_EQ(binary_bytes_text(0), "0 B");
}

TEST(Print, CountsAgreeWithTheirNoun) {
  EXPECT_EQ(count_text(1, "token"), "1 token");
  EXPECT_EQ(count_text(0, "token"), "0 tokens");
  EXPECT_EQ(count_text(13, "dispatch"), "13 dispatches");
}

TEST(Print, WrapBreaksBetweenPartsOnly) {
  const std::vector<std::string> parts = {"aaaa", "bbbb", "a part beyond the width", "c"};
  EXPECT_EQ(wrap(parts, 11),
            (std::vector<std::string>{"aaaa, bbbb,", "a part beyond the width,", "c"}));
  EXPECT_EQ(wrap(std::vector<std::string>{"a", "b", "-> c", "d"}, 40),
            std::vector<std::string>{"a, b -> c, d"});
  EXPECT_EQ(wrap({}, 10), std::vector<std::string>{""});
}

TEST(Print, PaddingCountsCharactersAndNotBytes) {
  EXPECT_EQ(pad_right("\xc3\xa9", 3), "\xc3\xa9  ");
  EXPECT_EQ(pad_left("ab", 3), " ab");
  EXPECT_EQ(pad_left("abcd", 3), "abcd");
}

TEST(Print, QuotesKeepATokenOnItsLine) {
  EXPECT_EQ(in_quotes("a\n\t\r\"\\\x01"), "\"a\\n\\t\\r\\\"\\\\\\x01\"");
}

Figures example() {
  Figures figures;
  figures.load_ms = 420;
  figures.timings = {.n_prompt = 21,
                     .n_generated = 87,
                     .prefill_ms = 67.7,
                     .decode_ms = 1342,
                     .decode_bytes = 1'210'000'000,
                     .steps_in_flight = 3,
                     .visible_ms = 41.2};
  figures.memory = {
      .weights = 13'600'000, .kv_cache = 4'200'000, .activations = 312'000, .other = 0};
  figures.read_bandwidth = 2.2e9;
  figures.adapter.name = "llvmpipe";
  figures.adapter.kind = AdapterKind::software;
  return figures;
}

TEST(FiguresLine, SaysItAllInOneLine) {
  EXPECT_EQ(figures_line(example()),
            "load 0.42 s | prompt 21 tokens 310 tok/s | 87 tokens 64.1 tok/s | 0.90 GB/s, 41 % of "
            "2.20 GB/s | 3 steps in flight, visible after 41.2 ms | GPU memory 18.1 MB: weights "
            "13.6, kv 4.20, activations 312 KB | software "
            "adapter: llvmpipe");
}

TEST(FiguresLine, LeavesOutWhatWasNotMeasured) {
  Figures figures = example();
  figures.timings.n_generated = 1;  // the prefill's own token: no decode step ran
  figures.timings.decode_ms = 0;
  figures.read_bandwidth.reset();
  figures.seed = 7;
  figures.adapter.kind = AdapterKind::discrete;
  EXPECT_EQ(
      figures_line(figures),
      "load 0.42 s | prompt 21 tokens 310 tok/s | 1 token | GPU memory 18.1 MB: weights 13.6, "
      "kv 4.20, activations 312 KB | seed 7 | adapter: llvmpipe");
}

TEST(FiguresLine, TheRateIsOfTheTokensAfterTheFirst) {
  const handloom::Timings timings = {.n_prompt = 1,
                                     .n_generated = 11,
                                     .prefill_ms = 5,
                                     .decode_ms = 1000,
                                     .decode_bytes = 3'000'000};
  EXPECT_DOUBLE_EQ(decode_rate(timings), 10.0);
  EXPECT_DOUBLE_EQ(decode_bandwidth(timings), 3e6);
  EXPECT_DOUBLE_EQ(prefill_rate(timings), 200.0);
}

TEST(FiguresJson, HoldsTheSameNumbers) {
  const auto json = figures_json(example());
  EXPECT_EQ(json["n_prompt"], 21);
  EXPECT_EQ(json["n_generated"], 87);
  EXPECT_DOUBLE_EQ(json["read_bytes_per_second"], 2.2e9);
  EXPECT_EQ(json["steps_in_flight"], 3);
  EXPECT_DOUBLE_EQ(json["visible_ms"], 41.2);
  EXPECT_EQ(json["gpu_memory"]["kv_cache"], 4'200'000);
  EXPECT_DOUBLE_EQ(json["decode_tokens_per_second"], decode_rate(example().timings));
}

TEST(SoftwareNotice, IsThereOnlyWhenNoGpuIsAtWork) {
  handloom::AdapterInfo adapter = example().adapter;
  EXPECT_EQ(software_notice(adapter, false), "no GPU found: using the software adapter llvmpipe");
  EXPECT_EQ(software_notice(adapter, true), "using the software adapter llvmpipe");
  adapter.kind = AdapterKind::integrated;
  EXPECT_EQ(software_notice(adapter, false), "");
}

TEST(Progress, ALineShowsShareAndBytes) {
  const handloom::LoadProgress half = {
      .done_bytes = 50'000'000, .total_bytes = 100'000'000, .stage = "weights"};
  EXPECT_EQ(progress_line(half, 80), "weights [############............]  50 %  50.0 MB of 100 MB");
  EXPECT_EQ(progress_line(half, 20).size(), 20u);
}

TEST(Progress, UnknownOrWrongTotalsDoNotOverrun) {
  const handloom::LoadProgress none = {.done_bytes = 3, .total_bytes = 0, .stage = "kernels"};
  EXPECT_EQ(progress_line(none, 80), "kernels [........................]   0 %");
  const handloom::LoadProgress over = {.done_bytes = 3, .total_bytes = 2, .stage = "kernels"};
  EXPECT_EQ(progress_line(over, 80), "kernels [########################] 100 %  3 B of 2 B");
}

TEST(StageRow, LinesUpUnderItsHeading) {
  const handloom::StageReport stage = {.name = "prefill layers.0.attn",
                                       .max_error = 1.25e-7,
                                       .mean_error = 1e-8,
                                       .tolerance = 1e-6,
                                       .passed = true};
  const std::string heading = stage_heading(), row = stage_row(stage);
  EXPECT_EQ(row.find("1.25e-07") + 8, heading.find("max error") + 9);
  EXPECT_EQ(row.find("1.00e-06") + 8, heading.find("tolerance") + 9);
  EXPECT_TRUE(row.ends_with("  ok\n"));
  EXPECT_TRUE(
      stage_row({.name = "x", .max_error = 1, .mean_error = 1, .tolerance = 0, .passed = false})
          .ends_with("  FAILED\n"));
}

}  // namespace
}  // namespace cli
