#include "domain/storage/object_storage.h"

#include <gtest/gtest.h>

#include "os/files.h"

namespace paperclip::domain {
namespace {

const CompanyId company = *CompanyId::parse("11111111-1111-4111-8111-111111111111");
const CompanyId other = *CompanyId::parse("22222222-2222-4222-8222-222222222222");

TEST(ObjectStorage, A_key_holds_company_place_day_and_a_harmless_name) {
  const auto at = *parse_iso("2026-05-03T10:11:12.345Z");
  EXPECT_EQ(object_key(company, "issues/x y", "My  Report (1).TAR.Gz!", at, "u"),
            company.str() + "/issues/x_y/2026/05/03/u-My_Report_1_.TAR.gz");
  EXPECT_EQ(object_key(company, "", std::nullopt, at, "u"), company.str() + "/misc/2026/05/03/u-file");
  EXPECT_EQ(object_key(company, "a/../b", "..", at, "u").find(".."), std::string::npos);
  EXPECT_EQ(object_key(company, "a", "../../etc/passwd", at, "u").find(".."), std::string::npos);
}

TEST(ObjectStorage, Bytes_come_back_to_their_company_only) {
  const auto directory = os::TemporaryDirectory::create();
  ASSERT_TRUE(directory.ok());
  ObjectStorage storage(directory->path(), Clock::system(), Random::system());
  const std::string bytes("a\0b\xFF", 4);
  const auto stored = storage.put(company, "issues", "a.bin", bytes);
  ASSERT_TRUE(stored.ok()) << stored.error().message;
  EXPECT_EQ(stored->byte_size, 4);
  EXPECT_EQ(storage.open(company, stored->object_key).value(), bytes);
  EXPECT_EQ(storage.open(other, stored->object_key).error().kind, ErrorKind::forbidden);
  EXPECT_EQ(storage.open(company, company.str() + "/../x").error().kind, ErrorKind::bad_request);
  ASSERT_TRUE(storage.remove(company, stored->object_key).ok());
  EXPECT_TRUE(storage.remove(company, stored->object_key).ok());
  EXPECT_EQ(storage.open(company, stored->object_key).error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace paperclip::domain
