// MD5 against the suite of RFC 1321, and across the edges of blocks.
#include "base/md5.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace handloom {
namespace {

std::string md5(std::string_view text) { return md5_hex(std::as_bytes(std::span(text))); }

TEST(Md5, AgreesWithTheSuiteOfRfc1321) {
  EXPECT_EQ(md5(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(md5("a"), "0cc175b9c0f1b6a831c399e269772661");
  EXPECT_EQ(md5("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(md5("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(md5("abcdefghijklmnopqrstuvwxyz"), "c3fcd3d76192e4007dfb496cca67e13b");
  EXPECT_EQ(md5("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
            "d174ab98d277d9f5a5611c2c9f419d9f");
  EXPECT_EQ(md5("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
            "57edf4a22be3c955ac49da2e2107b67a");
}

/// The sum of the sums of all texts "aaa..." up to 200 long, as Python's hashlib gives it: every
/// way in which a text can end in a block.
TEST(Md5, EndsBlocksAnywhere) {
  std::string sums;
  for (size_t n = 0; n <= 200; ++n) sums += md5(std::string(n, 'a'));
  EXPECT_EQ(md5(sums), "e3064b4a8a2aa7a755ef18f8faf582bb");
}

}  // namespace
}  // namespace handloom
