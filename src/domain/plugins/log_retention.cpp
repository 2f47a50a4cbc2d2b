#include "domain/plugins/log_retention.h"

namespace paperclip::domain {

std::int64_t prune_plugin_logs(store::Transaction& tx, Timestamp before, int limit) {
  return tx.execute("delete from plugin_logs where id in (select id from plugin_logs where created_at < :1 order by created_at, id limit :2)", before, limit);
}

}  // namespace paperclip::domain
