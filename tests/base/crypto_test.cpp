#include "base/crypto.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace paperclip {
namespace {

TEST(Sha256, Known_answers_hold) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, Pieces_give_the_same_as_the_whole) {
  Sha256 digest;
  digest.update("a");
  digest.update("");
  digest.update("bc");
  EXPECT_EQ(digest.finish_hex(), sha256_hex("abc"));
  digest.update("abc");
  EXPECT_EQ(digest.finish_hex(), sha256_hex("abc"));
}

TEST(Hmac, Known_answers_hold) {
  // RFC 4231, cases 2 and 6.
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(to_hex(hmac_sha256("", "")), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Hex, Goes_there_and_back) {
  EXPECT_EQ(to_hex(std::string_view("\x00\xff\x7f", 3)), "00ff7f");
  EXPECT_EQ(from_hex("00FF7f"), std::string("\x00\xff\x7f", 3));
  EXPECT_EQ(from_hex("0"), std::nullopt);
  EXPECT_EQ(from_hex("0g"), std::nullopt);
}

TEST(Base64, Known_answers_hold) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : cases) {
    EXPECT_EQ(base64_encode(plain), encoded);
    EXPECT_EQ(base64_decode(encoded), plain);
  }
  EXPECT_EQ(base64url_encode("\xfb\xff\xfe"), "-__-");
  EXPECT_EQ(base64_encode("\xfb\xff\xfe"), "+//+");
  EXPECT_EQ(base64url_decode("-__-"), "\xfb\xff\xfe");
}

TEST(Base64, Anything_but_the_one_spelling_is_refused) {
  for (const char* bad :
       {"Z", "Zg=", "Zg===", "Z===", "=", "====", "Zm9v=", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "-__-", "Zg==Zg=="})
    EXPECT_EQ(base64_decode(bad), std::nullopt) << bad;
  EXPECT_EQ(base64_decode("Zg"), "f");  // padding may be left out
  EXPECT_EQ(base64url_decode("+//+"), std::nullopt);
}

TEST(Base64, Every_byte_string_comes_back) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
    EXPECT_EQ(base64url_decode(base64url_encode(bytes)), bytes);
    bytes += static_cast<char>(i * 7);
  }
}

// Test case 16 of the GCM specification, which has a context.
TEST(AesGcm, A_known_ciphertext_decrypts) {
  const auto key = *from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
  const SealedText sealed{
      *from_hex("cafebabefacedbaddecaf888"),
      *from_hex(
          "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393"
          "ba7a0abcc9f662"),
      *from_hex("76fc6ece0f4e1768cddf8853bb2d551b")};
  const auto context = *from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const auto plain = aes_256_gcm_decrypt(key, sealed, context);
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(to_hex(plain->expose()),
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa"
            "0de657ba637b39");
}

TEST(AesGcm, Whatever_is_tampered_with_is_refused) {
  const std::string key(32, 'k');
  const auto sealed = aes_256_gcm_encrypt(key, "the launch code", "context");
  ASSERT_TRUE(sealed.ok());
  EXPECT_EQ(sealed->iv.size(), 12u);
  EXPECT_EQ(sealed->tag.size(), 16u);
  EXPECT_EQ(aes_256_gcm_decrypt(key, *sealed, "context").value().expose(), "the launch code");

  for (auto member : {&SealedText::iv, &SealedText::ciphertext, &SealedText::tag}) {
    SealedText changed = *sealed;
    (changed.*member)[3] ^= 1;
    EXPECT_FALSE(aes_256_gcm_decrypt(key, changed, "context").ok());
  }
  SealedText short_tag = *sealed;
  short_tag.tag.resize(4);
  EXPECT_FALSE(aes_256_gcm_decrypt(key, short_tag, "context").ok());
  EXPECT_FALSE(aes_256_gcm_decrypt(key, *sealed, "other").ok());
  EXPECT_FALSE(aes_256_gcm_decrypt(std::string(32, 'x'), *sealed, "context").ok());
  EXPECT_FALSE(aes_256_gcm_encrypt("short", "text").ok());
}

TEST(AesGcm, Two_encryptions_share_no_iv_and_an_empty_text_works) {
  const std::string key(32, 'k');
  const auto a = aes_256_gcm_encrypt(key, ""), b = aes_256_gcm_encrypt(key, "");
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_NE(a->iv, b->iv);
  EXPECT_EQ(aes_256_gcm_decrypt(key, *a).value().expose(), "");
}

TEST(Scrypt, Known_answers_hold) {
  // RFC 7914, section 12.
  const auto key = scrypt("password", "NaCl", 64, {1024, 8, 16});
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(to_hex(*key),
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a"
            "83ee6d8360cbdfa2cc0640");
  EXPECT_FALSE(scrypt("password", "NaCl", 64, {1000, 8, 1}).ok());  // not a power of two
  EXPECT_EQ(scrypt("password", "salt").value().size(), 64u);
}

TEST(ConstantTimeEqual, Compares) {
  EXPECT_TRUE(constant_time_equal("abc", "abc"));
  EXPECT_TRUE(constant_time_equal("", ""));
  EXPECT_FALSE(constant_time_equal("abc", "abd"));
  EXPECT_FALSE(constant_time_equal("abc", "abcd"));
}

template <class T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };
template <class T>
concept Comparable = requires(const T& a) { a == a; };

TEST(Secret, Neither_prints_nor_compares_nor_converts) {
  static_assert(Printable<std::string> && !Printable<SecretText>);
  static_assert(Comparable<std::string> && !Comparable<SecretText>);
  static_assert(!std::is_convertible_v<SecretText, std::string> && !std::is_convertible_v<std::string, SecretText>);
}

TEST(Secret, A_moved_from_secret_holds_nothing) {
  SecretText a(std::string("short")), b(std::string(100, 'x'));
  SecretText c = std::move(a);
  EXPECT_EQ(c.expose(), "short");
  EXPECT_EQ(a.expose(), "");  // NOLINT: that it is empty is the point
  EXPECT_EQ(std::string_view(a.expose().data(), 5), std::string_view("\0\0\0\0\0", 5));  // and its own bytes are gone
  c = std::move(b);
  EXPECT_EQ(c.expose(), std::string(100, 'x'));
  const SecretText d = c;
  EXPECT_EQ(d.expose(), c.expose());
}

TEST(Secret, Its_bytes_are_gone_after_its_end) {
  alignas(SecretText) unsigned char place[sizeof(SecretText)];
  auto* secret = new (place) SecretText(std::string("inline key"));
  const char* bytes = secret->expose().data();
  ASSERT_TRUE(reinterpret_cast<const unsigned char*>(bytes) >= place &&
              reinterpret_cast<const unsigned char*>(bytes) < place + sizeof place);
  const std::size_t offset = reinterpret_cast<const unsigned char*>(bytes) - place;
  secret->~SecretText();
  volatile const unsigned char* left = place + offset;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(left[i], 0);
}

}  // namespace
}  // namespace paperclip
