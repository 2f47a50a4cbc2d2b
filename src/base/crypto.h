#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"

/// The few primitives we need, from OpenSSL. Byte strings travel as std::string / std::string_view.
namespace paperclip {

/// 32 raw bytes.
std::string sha256(std::string_view bytes);
/// 64 lower-case hex digits: how tokens are stored and looked up (spec/platform.md 3.3).
std::string sha256_hex(std::string_view bytes);

/// SHA-256 of what arrives in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(std::string_view bytes);
  /// Ends the computation; the object then starts afresh.
  std::string finish_hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// 32 raw bytes.
std::string hmac_sha256(std::string_view key, std::string_view message);

/// Lower-case.
std::string to_hex(std::string_view bytes);
/// Any case; nullopt for an odd length or another character.
std::optional<std::string> from_hex(std::string_view hex);

/// Standard alphabet, padded.
std::string base64_encode(std::string_view bytes);
/// Standard alphabet, padding complete or left out. nullopt for anything else: white space, a wrong length, and
/// left-over bits that are not zero, so that one text stands for one value.
std::optional<std::string> base64_decode(std::string_view text);
/// URL alphabet, no padding (as in tokens, spec/platform.md 3.4).
std::string base64url_encode(std::string_view bytes);
/// URL alphabet, otherwise as strict as `base64_decode`.
std::optional<std::string> base64url_decode(std::string_view text);

/// What AES-256-GCM made of a plaintext: 12 random bytes, the ciphertext (as long as the plaintext), a 16-byte tag.
struct SealedText {
  std::string iv;
  std::string ciphertext;
  std::string tag;
};

/// Encrypts under a 32-byte key with a fresh random IV. Fails (internal) if the key is not 32 bytes long.
/// `context` is authenticated but not stored; decryption needs the same.
Result<SealedText> aes_256_gcm_encrypt(std::string_view key, std::string_view plaintext, std::string_view context = {},
                                       Random& random = Random::system());
/// Fails (internal) if key, IV, tag, context or ciphertext do not belong together. Never says which.
Result<SecretText> aes_256_gcm_decrypt(std::string_view key, const SealedText& sealed, std::string_view context = {});

/// The defaults are the password hash's (spec/platform.md 3.5); they take 16 MiB and some 50 ms.
struct ScryptCost {
  std::uint64_t n = 16384;
  std::uint64_t r = 16;
  std::uint64_t p = 1;
};
/// `size` raw bytes. Fails (internal) for parameters that OpenSSL refuses.
Result<std::string> scrypt(std::string_view password, std::string_view salt, std::size_t size = 64,
                           ScryptCost cost = {});

/// Takes as long for a wrong text as for the right one. Only the lengths show.
bool constant_time_equal(std::string_view a, std::string_view b);

}  // namespace paperclip
