#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "store/database.h"
#include "throwaway_postgres.h"

namespace paperclip::test {

/// A test that runs once on each engine, on an empty database of its own.
class BothEngines : public ::testing::TestWithParam<store::Engine> {
 protected:
  void SetUp() override {
    if (GetParam() == store::Engine::postgresql) {
      auto* server = ThrowawayPostgres::get();
      if (!server) GTEST_SKIP() << ThrowawayPostgres::why();
      url_ = server->fresh_url();
    } else {
      std::string pattern = (std::filesystem::temp_directory_path() / "paperclip-store-XXXXXX").string();
      ASSERT_NE(mkdtemp(pattern.data()), nullptr);
      directory_ = pattern;
    }
  }
  void TearDown() override {
    database_.reset();
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  bool sqlite() const { return GetParam() == store::Engine::sqlite; }

  store::OpenOptions options(std::vector<store::Migration> migrations) {
    store::OpenOptions options;
    if (sqlite())
      options.where = store::SqliteFile{(directory_ / "test.db").string()};
    else
      options.where = store::PostgresUrl{url_};
    options.migrations = std::move(migrations);
    return options;
  }

  /// Opens (or opens again) with one migration: `schema`.
  store::Database& open(const std::string& schema) {
    database_.reset();
    auto opened = store::Database::open(options({{2, "test", schema}}));
    if (!opened.ok()) throw std::runtime_error(opened.error().message);
    database_ = std::move(*opened);
    return *database_;
  }

  std::filesystem::path directory_;
  std::string url_;
  std::unique_ptr<store::Database> database_;
};

inline std::string engine_name(const ::testing::TestParamInfo<store::Engine>& info) {
  return info.param == store::Engine::sqlite ? "sqlite" : "postgresql";
}

#define ON_BOTH_ENGINES(Suite)                                                                                \
  INSTANTIATE_TEST_SUITE_P(                                                                                   \
      , Suite, ::testing::Values(::paperclip::store::Engine::sqlite, ::paperclip::store::Engine::postgresql), \
      ::paperclip::test::engine_name)

}  // namespace paperclip::test
