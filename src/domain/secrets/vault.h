#pragma once

#include <filesystem>
#include <string>

#include "base/json.h"
#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"

namespace paperclip::domain {

/// Encrypts company secrets with the instance's master key: AES-256-GCM, scheme `local_encrypted_v1`
/// (spec/platform.md 7.2). Done before and after transactions, never inside one.
class SecretVault {
 public:
  /// The key comes from `configured` (PAPERCLIP_SECRETS_MASTER_KEY) if it is not empty, else from the key file, which
  /// is made with a fresh key (mode 0600) when it is missing.
  static Result<SecretVault> open(const std::string& configured, const std::filesystem::path& key_file, Random& random);

  /// The material to store: `{"scheme","iv","tag","ciphertext"}`.
  RawJson seal(const Secret<std::string>& plain) const;
  /// Fails with 422 if the material is not of this scheme or was made with another key.
  Result<Secret<std::string>> unseal(const RawJson& material) const;

 private:
  SecretVault(Secret<std::string> key, Random& random) : key_(std::move(key)), random_(&random) {}
  Secret<std::string> key_;
  Random* random_;
};

}  // namespace paperclip::domain
