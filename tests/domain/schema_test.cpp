#include <gtest/gtest.h>

#include <set>

#include "domain_database.h"
#include "schema_entities.h"

namespace paperclip::domain {
namespace {

using test::ForeignKeys;
using test::Keys;

/// Columns that are no members: ours, not on the wire, written only by what owns them.
const std::set<std::pair<std::string, std::string>> not_members{
    {"heartbeat_runs", "fence"}, {"heartbeat_runs", "context_issue_id"}, {"issues", "lock_fence"},
    {"activity_log", "ordinal"}, {"plugins", "granted_variables"}, {"issue_comments", "seq"}, {"issues", "activity_at"}};

struct CatalogColumn {
  std::string name;
  bool nullable = false;
  std::optional<std::string> default_value;
};
BOOST_DESCRIBE_STRUCT(CatalogColumn, (), (name, nullable, default_value))

class Schema : public test::DomainDatabase {
 protected:
  std::map<std::string, CatalogColumn> columns(const std::string& table) {
    const char* sql = sqlite() ? "select name, \"notnull\" = 0 and pk = 0 as nullable, dflt_value as default_value "
                                 "from pragma_table_info(:1)"
                               : "select column_name::text as name, is_nullable = 'YES' as nullable, "
                                 "column_default::text as default_value from information_schema.columns "
                                 "where table_schema = current_schema() and table_name = :1";
    std::map<std::string, CatalogColumn> found;
    for (auto& column : database_->read([&](store::Reader& reader) { return reader.all<CatalogColumn>(sql, table); }))
      found[column.name] = column;
    return found;
  }

  ForeignKeys foreign_keys() {
    using Row = std::tuple<std::string, std::string, std::string>;
    const char* sql =
        sqlite()
            ? "select t.name, f.\"from\", f.\"table\" from sqlite_master t, pragma_foreign_key_list(t.name) f "
              "where t.type = 'table'"
            : "select c.conrelid::regclass::text, a.attname::text, c.confrelid::regclass::text from pg_constraint c "
              "join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1] "
              "where c.contype = 'f' and c.connamespace = current_schema()::regnamespace";
    ForeignKeys keys;
    for (auto& [from, column, to] : database_->read([&](store::Reader& reader) { return reader.all<Row>(sql); }))
      keys[{unquoted(from), column}] = unquoted(to);
    return keys;
  }
  static std::string unquoted(std::string name) {
    std::erase(name, '"');
    return name;
  }

  /// Inserts one row of each entity and reads each back.
  void insert_all(bool every_member) {
    const auto names = foreign_keys();
    Keys keys;
    test::Sampler sampler(names, keys);
    test::each_entity([&]<class Entity>(const std::string& table) {
      auto entity = sampler.sample<Entity>(table, every_member);
      const auto written = database_->write([&](store::Transaction& tx) -> Result<> {
        if constexpr (std::is_same_v<Entity, HeartbeatRunEvent>) {
          tx.insert(table, static_cast<const NewHeartbeatRunEvent&>(entity));
        } else {
          tx.insert(table, entity);
        }
        return success();
      });
      ASSERT_TRUE(written.ok()) << table << ": " << written.error().message;
      sampler.inserted();
      const std::string sql = "select {} from \"" + table + "\"";
      const auto rows = database_->read([&](store::Reader& reader) { return reader.all<Entity>(sql); });
      ASSERT_EQ(rows.size(), 1u) << table;
      if constexpr (std::is_same_v<Entity, HeartbeatRunEvent>) entity.id = 1;
      // Compared as trees: jsonb gives keys in its own order.
      EXPECT_EQ(to_json(rows[0]), to_json(entity)) << table;
    });
  }
};

TEST_P(Schema, The_members_of_each_entity_are_the_columns_of_its_table) {
  std::set<std::string> known{"events", "schema_migrations", "sqlite_sequence"};
  test::each_entity([&]<class Entity>(const std::string& table) {
    known.insert(table);
    auto found = columns(table);
    const Entity entity{};
    test::each_member(entity, [&](const std::string& name, const auto& member) {
      const auto column = found.find(name);
      ASSERT_NE(column, found.end()) << table << " has no column " << name;
      const bool optional = test::IsOptional<std::remove_cvref_t<decltype(member)>>::value;
      EXPECT_EQ(optional, column->second.nullable) << table << "." << name << ": nullable and optional must agree";
      found.erase(column);
    });
    for (const auto& [name, column] : found)
      EXPECT_TRUE(not_members.contains({table, name})) << table << "." << name << " is no member";
  });
  const char* sql =
      sqlite() ? "select name from sqlite_master where type = 'table'"
               : "select table_name::text from information_schema.tables where table_schema = current_schema()";
  for (const auto& table : database_->read([&](store::Reader& reader) { return reader.column<std::string>(sql); }))
    EXPECT_TRUE(known.contains(table)) << "no entity describes " << table;
}

TEST_P(Schema, A_columns_default_is_what_the_struct_says) {
  if (!sqlite()) GTEST_SKIP() << "PostgreSQL rewrites defaults; the text is the same";
  int compared = 0;
  test::each_entity([&]<class Entity>(const std::string& table) {
    const auto found = columns(table);
    const Entity entity{};
    test::each_member(entity, [&](const std::string& name, const auto& member) {
      const auto& default_value = found.at(name).default_value;
      if (!default_value) return;
      std::string text = *default_value;
      if (text.front() == '\'') text = text.substr(1, text.size() - 2);
      EXPECT_EQ(test::stored_text(member), text) << table << "." << name;
      ++compared;
    });
  });
  EXPECT_GT(compared, 100);
}

TEST_P(Schema, A_row_of_each_entity_with_every_member_set_comes_back_as_it_was) { insert_all(true); }
TEST_P(Schema, A_row_of_each_entity_with_its_defaults_comes_back_as_it_was) { insert_all(false); }

TEST_P(Schema, Opening_a_second_time_changes_nothing) {
  const auto before = foreign_keys();
  reopen();
  EXPECT_EQ(before, foreign_keys());
  EXPECT_GT(before.size(), 200u);
}

ON_BOTH_ENGINES(Schema);

}  // namespace
}  // namespace paperclip::domain
