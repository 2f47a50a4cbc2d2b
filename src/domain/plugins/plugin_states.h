#pragma once

#include "base/transitions.h"
#include "domain/plugins/plugin.h"

namespace paperclip::domain {

/// A plugin's life (spec/plugins.md 5.1).
inline constexpr auto plugin_transitions = transitions<PluginStatus>({
    {PluginStatus::installed, PluginStatus::ready, "loaded"},
    {PluginStatus::installed, PluginStatus::error, "could not be loaded"},
    {PluginStatus::installed, PluginStatus::uninstalled, "taken away"},
    {PluginStatus::ready, PluginStatus::ready, "upgraded in place"},
    {PluginStatus::ready, PluginStatus::disabled, "switched off by the board"},
    {PluginStatus::ready, PluginStatus::error, "its worker could not be started"},
    {PluginStatus::ready, PluginStatus::upgrade_pending, "its new version wants more capabilities"},
    {PluginStatus::ready, PluginStatus::uninstalled, "taken away"},
    {PluginStatus::disabled, PluginStatus::ready, "switched on by the board"},
    {PluginStatus::disabled, PluginStatus::uninstalled, "taken away"},
    {PluginStatus::error, PluginStatus::ready, "tried again by the board"},
    {PluginStatus::error, PluginStatus::uninstalled, "taken away"},
    {PluginStatus::upgrade_pending, PluginStatus::ready, "the new capabilities were approved"},
    {PluginStatus::upgrade_pending, PluginStatus::error, "could not be loaded"},
    {PluginStatus::upgrade_pending, PluginStatus::uninstalled, "taken away"},
    {PluginStatus::uninstalled, PluginStatus::installed, "installed again"},
});

}  // namespace paperclip::domain
